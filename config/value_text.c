/* Settings that stay text in the snapshot, each type with its own idea of what may stand there. */
#include <string.h>

#include "pgweir/mem.h"
#include "units.h"
#include "value.h"

static void clear_text(const struct setting *setting, void *field)
{
	char **text = field;

	if (setting->secret)
		mem_secret_free(*text);
	else
		mem_free(*text);
	*text = NULL;
}

static void set_text(const struct setting *setting, void *field, const char *text)
{
	char *copy = mem_strdup(text);

	clear_text(setting, field);
	*(char **)field = copy;
}

/* An empty value of a setting without a default unsets it. */
static bool parse_text(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	(void)base;
	(void)error;
	set_text(setting, field, *text || setting->default_text ? text : NULL);
	return true;
}

static void format_text(const struct setting *setting, const void *field, struct buf *out)
{
	const char *text = *(char *const *)field;

	(void)setting;
	if (text)
		buf_append_text(out, text);
}

const struct value_type value_text = { "text", parse_text, format_text, clear_text };

static bool parse_word(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	const struct setting_word *word = value_word_find(setting->words, text);

	(void)base;
	if (!word)
		return value_word_refuse(setting->words, error);
	set_text(setting, field, word->word);
	return true;
}

const struct value_type value_word = { "word", parse_word, format_text, clear_text };

static bool parse_list(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	const char *rest = text;
	bool ok = true;

	for (char *item; ok && (item = config_list_next(&rest)) != NULL; mem_free(item)) {
		if (!*item)
			ok = error_set(error, NULL, "an item of the list is empty");
		else if (setting->words && !value_word_find(setting->words, item))
			ok = value_word_refuse(setting->words, error);
	}
	return ok && parse_text(setting, base, text, field, error);
}

const struct value_type value_list = { "list", parse_list, format_text, clear_text };

static bool parse_names(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	const char *rest = text;
	bool ok = true, good;
	char *item;

	while (ok && (item = config_name_next(&rest, &good)) != NULL) {
		ok = *item || error_set(error, NULL, "an item of the list is empty");
		mem_free(item);
	}
	if (ok && !good)
		ok = error_set(error, NULL, "in a list, quotes (\") are around an item as a whole, and doubled inside it; around "
			"the value as a whole then are others (')");
	return ok && parse_text(setting, base, text, field, error);
}

const struct value_type value_names = { "list of names", parse_names, format_text, clear_text };

/* Names that start with '@' are abstract sockets, no paths. */
static bool parse_path(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	if (!*text || *text == '/' || *text == '@')
		return parse_text(setting, base, text, field, error);
	char *path = mem_printf("%s/%s", strcmp(base->folder, "/") == 0 ? "" : base->folder, text);

	set_text(setting, field, path);
	mem_free(path);
	return true;
}

const struct value_type value_path = { "path", parse_path, format_text, clear_text };

static bool parse_address(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	const char *colon = strrchr(text, ':');
	int64_t port;

	if (!*text)
		return parse_text(setting, base, text, field, error);
	if (!colon || colon == text || !units_parse_int(colon + 1, &port) || port < 0 || port > 65535)
		return error_set(error, NULL, "must be host:port, such as 127.0.0.1:9632 or *:9632");
	return parse_text(setting, base, text, field, error);
}

const struct value_type value_address = { "host:port", parse_address, format_text, clear_text };
