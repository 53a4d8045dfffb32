/* Settings whose value is one of a few words. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "units.h"
#include "value.h"

const struct setting_word *value_word_find(const struct setting_word *words, const char *text)
{
	for (; words && words->word; words++)
		if (strcasecmp(words->word, text) == 0)
			return words;
	return NULL;
}

const char *value_word_of(const struct setting_word *words, int value)
{
	for (; words && words->word; words++)
		if (words->value == value)
			return words->word;
	return NULL;
}

bool value_word_refuse(const struct setting_word *words, struct error *error)
{
	error_set(error, NULL, "must be one of");
	for (const struct setting_word *word = words; word->word; word++) {
		size_t used = strlen(error->text);

		snprintf(error->text + used, sizeof(error->text) - used, "%s %s", word == words ? "" : ",", word->word);
	}
	return false;
}

static bool parse_bool(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	(void)setting;
	(void)base;
	return units_parse_bool(text, field) || error_set(error, NULL, "must be 0 or 1 (or no, yes, off, on, false, true)");
}

static void format_bool(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	buf_append_char(out, *(const bool *)field ? '1' : '0');
}

const struct value_type value_bool = { "boolean", parse_bool, format_bool, NULL };

static bool parse_enum(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	const struct setting_word *word = value_word_find(setting->words, text);

	(void)base;
	if (!word)
		return value_word_refuse(setting->words, error);
	*(int *)field = word->value;
	return true;
}

static void format_enum(const struct setting *setting, const void *field, struct buf *out)
{
	const char *word = value_word_of(setting->words, *(const int *)field);

	if (word)
		buf_append_text(out, word);
}

const struct value_type value_enum = { "word", parse_enum, format_enum, NULL };
