/* Settings that are whole numbers. Some have words too (`auto`). */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "units.h"
#include "value.h"

static bool parse_number(const struct setting *setting, const char *text, int64_t most, int64_t *value, struct error *error)
{
	const struct setting_word *word = value_word_find(setting->words, text);
	int64_t max = setting->max ? setting->max : most;

	if (word) {
		*value = word->value;
		return true;
	}
	if (!units_parse_int(text, value))
		return error_set(error, NULL, "must be a whole number%s%s", setting->words ? " or " : "",
			setting->words ? setting->words[0].word : "");
	if (*value < setting->min || *value > max)
		return error_set(error, NULL, "must be from %" PRId64 " to %" PRId64, setting->min, max);
	return true;
}

static bool parse_int(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	int64_t value;

	(void)base;
	if (!parse_number(setting, text, INT_MAX, &value, error))
		return false;
	*(int *)field = (int)value;
	return true;
}

static void format_int(const struct setting *setting, const void *field, struct buf *out)
{
	int value = *(const int *)field;
	const char *word = value_word_of(setting->words, value);

	if (word)
		buf_append_text(out, word);
	else if (value != CONFIG_INHERIT || setting->default_text)
		buf_printf(out, "%d", value);
}

const struct value_type value_int = { "number", parse_int, format_int, NULL };

static void format_uint(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	buf_printf(out, "%u", *(const unsigned *)field);
}

/* What is read is no more than INT_MAX, and lies in an unsigned as it does in an int. */
const struct value_type value_uint = { "number", parse_int, format_uint, NULL };

static bool parse_port(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	int64_t value;

	(void)base;
	if (!parse_number(setting, text, UINT16_MAX, &value, error))
		return false;
	*(uint16_t *)field = (uint16_t)value;
	return true;
}

static void format_port(const struct setting *setting, const void *field, struct buf *out)
{
	if (*(const uint16_t *)field || setting->default_text)
		buf_printf(out, "%u", *(const uint16_t *)field);
}

const struct value_type value_port = { "port", parse_port, format_port, NULL };

static bool parse_mode(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	mode_t mode = 0;
	size_t size = strlen(text);

	(void)setting;
	(void)base;
	if (size == 0 || size > 4 || strspn(text, "01234567") != size)
		return error_set(error, NULL, "must be octal digits, such as 0770");
	for (; *text; text++)
		mode = mode * 8 + (mode_t)(*text - '0');
	if (mode > 0777)
		return error_set(error, NULL, "must be from 0000 to 0777");
	*(mode_t *)field = mode;
	return true;
}

static void format_mode(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	buf_printf(out, "%04o", *(const mode_t *)field);
}

const struct value_type value_mode = { "octal mode", parse_mode, format_mode, NULL };
