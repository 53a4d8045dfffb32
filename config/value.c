/* Text to value and back, by type. Errors say what would have been right and never show the value: a secret may stand
 * where it does not belong, and the environment is expanded by now. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hosts.h"
#include "pgweir/mem.h"
#include "setting.h"
#include "units.h"

struct value_ops {
	const char *word;
	bool (*parse)(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	              struct error *error);
	void (*format)(const struct setting *setting, const void *field, struct buf *out);
	void (*clear)(const struct setting *setting, void *field);
};

static const struct setting_word *find_word(const struct setting_word *words, const char *text, size_t size)
{
	for (; words && words->word; words++)
		if (strlen(words->word) == size && strncasecmp(words->word, text, size) == 0)
			return words;
	return NULL;
}

static const char *word_of(const struct setting_word *words, int value)
{
	for (; words && words->word; words++)
		if (words->value == value)
			return words->word;
	return NULL;
}

static bool not_a_word(const struct setting_word *words, struct error *error)
{
	error_set(error, NULL, "must be one of");
	for (const struct setting_word *word = words; word->word; word++) {
		size_t used = strlen(error->text);

		snprintf(error->text + used, sizeof(error->text) - used, "%s %s", word == words ? "" : ",", word->word);
	}
	return false;
}

/* --- Numbers --- */

static bool parse_number(const struct setting *setting, const char *text, int64_t most, int64_t *value, struct error *error)
{
	const struct setting_word *word = find_word(setting->words, text, strlen(text));
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
	const char *word = word_of(setting->words, value);

	if (word)
		buf_append_text(out, word);
	else if (value != CONFIG_INHERIT || setting->default_text)
		buf_printf(out, "%d", value);
}

static bool parse_uint(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	int64_t value;

	(void)base;
	if (!parse_number(setting, text, INT_MAX, &value, error))
		return false;
	*(unsigned *)field = (unsigned)value;
	return true;
}

static void format_uint(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	buf_printf(out, "%u", *(const unsigned *)field);
}

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

static bool parse_enum(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	const struct setting_word *word = find_word(setting->words, text, strlen(text));

	(void)base;
	if (!word)
		return not_a_word(setting->words, error);
	*(int *)field = word->value;
	return true;
}

static void format_enum(const struct setting *setting, const void *field, struct buf *out)
{
	const char *word = word_of(setting->words, *(const int *)field);

	if (word)
		buf_append_text(out, word);
}

/* --- Times and sizes --- */

static bool parse_ms(const struct setting *setting, const char *text, uint64_t most_ms, uint64_t *value_ms,
	struct error *error)
{
	struct buf least = { 0 }, greatest = { 0 };
	uint64_t min_ms = (uint64_t)setting->min;
	uint64_t max_ms = setting->max ? (uint64_t)setting->max : most_ms;

	if (!units_parse_duration(text, value_ms))
		return error_set(error, NULL, "must be a time: a number of seconds, or a number with us, ms, s, min, h or d");
	if (*value_ms >= min_ms && *value_ms <= max_ms)
		return true;
	units_format_duration(min_ms, &least);
	units_format_duration(max_ms, &greatest);
	error_set(error, NULL, "must be from %.*s to %.*s seconds", (int)least.size, least.bytes, (int)greatest.size,
		greatest.bytes);
	buf_fini(&least);
	buf_fini(&greatest);
	return false;
}

/* A hundred years; keeps sums of times far from overflow. */
static const uint64_t greatest_ms = UINT64_C(100) * 365 * 86400 * 1000;

static bool parse_duration(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	uint64_t value_ms;

	(void)base;
	if (!parse_ms(setting, text, greatest_ms, &value_ms, error))
		return false;
	*(uint64_t *)field = value_ms;
	return true;
}

static void format_duration(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	units_format_duration(*(const uint64_t *)field, out);
}

static bool parse_duration_int(const struct setting *setting, const struct setting_base *base, const char *text,
	void *field, struct error *error)
{
	uint64_t value_ms;

	(void)base;
	if (!parse_ms(setting, text, INT_MAX, &value_ms, error))
		return false;
	*(int *)field = (int)value_ms;
	return true;
}

static void format_duration_int(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	if (*(const int *)field != CONFIG_INHERIT)
		units_format_duration((uint64_t)*(const int *)field, out);
}

static bool parse_size(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	(void)setting;
	(void)base;
	return units_parse_size(text, field)
		|| error_set(error, NULL, "must be a number of bytes, or a number with B, kB, MB, GB or TB");
}

static void format_size(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	buf_printf(out, "%" PRIu64, *(const uint64_t *)field);
}

/* --- Texts --- */

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

static bool parse_word(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	const struct setting_word *word = find_word(setting->words, text, strlen(text));

	(void)base;
	if (!word)
		return not_a_word(setting->words, error);
	set_text(setting, field, word->word);
	return true;
}

static bool parse_list(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	const char *rest = text;
	bool ok = true;

	for (char *item; ok && (item = config_list_next(&rest)) != NULL; mem_free(item)) {
		if (!*item)
			ok = error_set(error, NULL, "an item of the list is empty");
		else if (setting->words && !find_word(setting->words, item, strlen(item)))
			ok = not_a_word(setting->words, error);
	}
	return ok && parse_text(setting, base, text, field, error);
}

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

/* --- Hosts --- */

static struct config_cluster *cluster_of(const void *field)
{
	return (struct config_cluster *)(void *)((char *)(uintptr_t)field - offsetof(struct config_cluster, hosts));
}

static void clear_hosts(const struct setting *setting, void *field)
{
	struct config_cluster *cluster = cluster_of(field);

	(void)setting;
	hosts_free(&cluster->hosts, &cluster->host_count);
}

static bool parse_hosts(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	struct config_cluster *cluster = cluster_of(field);

	(void)base;
	clear_hosts(setting, field);
	return hosts_parse(text, 5432, &cluster->hosts, &cluster->host_count, error);
}

static void format_hosts(const struct setting *setting, const void *field, struct buf *out)
{
	const struct config_cluster *cluster = cluster_of(field);

	(void)setting;
	hosts_format(cluster->hosts, cluster->host_count, out);
}

static void clear_peer(const struct setting *setting, void *field)
{
	struct config_peer *peer = field;

	(void)setting;
	mem_free(peer->host);
	peer->host = NULL;
}

static bool parse_peer_word(const char *word, struct config_peer *peer, struct error *error)
{
	int64_t port;

	if (strncmp(word, "host=", 5) == 0 && word[5]) {
		mem_free(peer->host);
		peer->host = mem_strdup(word + 5);
		return true;
	}
	if (strncmp(word, "port=", 5) == 0 && units_parse_int(word + 5, &port) && port >= 1 && port <= 65535) {
		peer->port = (uint16_t)port;
		return true;
	}
	/* PgBouncer has it; pgweir's peers need no pool, since a cancel request is one short connection. */
	if (strncmp(word, "pool_size=", 10) == 0)
		return true;
	return error_set(error, NULL, "must have the form host=NAME port=NUMBER");
}

static bool parse_peer(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	struct config_peer *peer = field;
	char *copy = mem_strdup(text), *rest = NULL;
	bool ok = true;

	(void)base;
	clear_peer(setting, field);
	peer->port = 6432;
	for (char *word = strtok_r(copy, " \t", &rest); ok && word; word = strtok_r(NULL, " \t", &rest))
		ok = parse_peer_word(word, peer, error);
	if (ok && !peer->host)
		ok = error_set(error, NULL, "must have the form host=NAME port=NUMBER");
	mem_free(copy);
	return ok;
}

static void format_peer(const struct setting *setting, const void *field, struct buf *out)
{
	const struct config_peer *peer = field;

	(void)setting;
	if (peer->host)
		buf_printf(out, "host=%s port=%u", peer->host, peer->port);
}

/* --- The table of types --- */

static const struct value_ops value_ops[SETTING_TYPES] = {
	[SETTING_BOOL] = { "boolean", parse_bool, format_bool, NULL },
	[SETTING_INT] = { "number", parse_int, format_int, NULL },
	[SETTING_UINT] = { "number", parse_uint, format_uint, NULL },
	[SETTING_PORT] = { "port", parse_port, format_port, NULL },
	[SETTING_MODE] = { "octal mode", parse_mode, format_mode, NULL },
	[SETTING_ENUM] = { "word", parse_enum, format_enum, NULL },
	[SETTING_DURATION] = { "time", parse_duration, format_duration, NULL },
	[SETTING_DURATION_INT] = { "time", parse_duration_int, format_duration_int, NULL },
	[SETTING_SIZE] = { "bytes", parse_size, format_size, NULL },
	[SETTING_TEXT] = { "text", parse_text, format_text, clear_text },
	[SETTING_WORD] = { "word", parse_word, format_text, clear_text },
	[SETTING_LIST] = { "list", parse_list, format_text, clear_text },
	[SETTING_NAMES] = { "list of names", parse_names, format_text, clear_text },
	[SETTING_PATH] = { "path", parse_path, format_text, clear_text },
	[SETTING_ADDRESS] = { "host:port", parse_address, format_text, clear_text },
	[SETTING_HOSTS] = { "list of hosts", parse_hosts, format_hosts, clear_hosts },
	[SETTING_PEER] = { "peer", parse_peer, format_peer, clear_peer },
};

const char *setting_type_word(enum setting_type type)
{
	return value_ops[type].word;
}

bool setting_parse(const struct setting *setting, const struct setting_base *base, const char *text, void *target,
	struct error *error)
{
	return value_ops[setting->type].parse(setting, base, text, (char *)target + setting->offset, error);
}

void setting_format(const struct setting *setting, const void *target, struct buf *out)
{
	value_ops[setting->type].format(setting, (const char *)target + setting->offset, out);
}

void setting_clear(const struct setting *setting, void *target)
{
	if (value_ops[setting->type].clear)
		value_ops[setting->type].clear(setting, (char *)target + setting->offset);
}
