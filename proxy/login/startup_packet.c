/* A StartupMessage as what it asks for.
 *
 * PostgreSQL documentation: "Message Formats, StartupMessage"; what the names and `options` mean follows "Message Flow,
 * Start-up" and the server's own behaviour.
 *
 * Failure story: a malformed packet, a missing user or a `replication` that cannot be read is a FATAL error for the client at
 * once. What is wrong with its settings waits: PostgreSQL looks at them when it knows who the client is, one after the other,
 * and says the first that is wrong. A setting whose name is one of the packet's own fields (-c user=…, or USER in capitals) is
 * refused: passed on to a server it would name another role than the one that was authenticated. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "startup_packet.h"
#include "pgweir/mem.h"
#include "pgweir/utf8.h"
#include "pgweir/wire.h"

struct reading {
	struct startup_request *request;
	const char *replication, *options;      /* In the packet. */
	struct state_builder settings, login_settings;
	struct error *error;
};

static char *name_of(const char *value)
{
	return mem_strndup(value, strnlen(value, STARTUP_NAME_MAX));
}

static void take_user(struct reading *reading, const char *value)
{
	mem_free(reading->request->user);
	reading->request->user = name_of(value);
}

static void take_database(struct reading *reading, const char *value)
{
	mem_free(reading->request->database);
	reading->request->database = name_of(value);
}

static void take_replication(struct reading *reading, const char *value)
{
	reading->replication = value;
}

static void take_options(struct reading *reading, const char *value)
{
	reading->options = value;
}

/* The packet's own fields. PostgreSQL compares these names exactly. */
static const struct {
	const char *name;
	void (*take)(struct reading *reading, const char *value);
} fields[] = {
	{ "user", take_user },
	{ "database", take_database },
	{ "replication", take_replication },
	{ "options", take_options },
};

static size_t field_index(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_LEN(fields) && strcmp(fields[i].name, name) != 0)
		i++;
	return i;
}

static bool is_protocol_option(const char *name)
{
	return strncmp(name, "_pq_.", 5) == 0;
}

static void add_unknown(struct startup_request *request, const char *name)
{
	request->unknown = mem_realloc(request->unknown, (request->unknown_count + 1) * sizeof(*request->unknown));
	request->unknown[request->unknown_count++] = mem_strdup(name);
}

static void read_field(const char *name, const char *value, void *arg)
{
	struct reading *reading = arg;
	size_t i = field_index(name);

	if (i < ARRAY_LEN(fields))
		fields[i].take(reading, value);
	else if (is_protocol_option(name))
		add_unknown(reading->request, name);
}

static void refuse(struct reading *reading, const struct error *error)
{
	struct startup_request *request = reading->request;

	if (request->refusal)
		return;
	request->refusal = NEW(struct error);
	*request->refusal = *error;
}

static void add_setting(const char *name, const char *value, void *arg)
{
	struct reading *reading = arg;
	char *lower = mem_strdup(name);

	for (char *at = lower; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	if (!*lower || field_index(lower) < ARRAY_LEN(fields)) {
		struct error error;

		error_set(&error, "42704", "unrecognized configuration parameter \"%s\"", name);
		refuse(reading, &error);
	} else if (!reading->request->refusal) {
		state_builder_set(state_is_startup_only(lower) ? &reading->login_settings : &reading->settings, lower, value);
	}
	mem_free(lower);
}

static void read_setting(const char *name, const char *value, void *arg)
{
	if (field_index(name) == ARRAY_LEN(fields) && !is_protocol_option(name))
		add_setting(name, value, arg);
}

/* As PostgreSQL reads a boolean: whole words, or as much of one as makes it unique. False: not one. */
static bool read_bool(const char *text, bool *value)
{
	static const struct {
		const char *word;
		size_t shortest;
		bool value;
	} words[] = {
		{ "true", 1, true }, { "false", 1, false }, { "yes", 1, true }, { "no", 1, false },
		{ "on", 2, true }, { "off", 2, false }, { "1", 1, true }, { "0", 1, false },
	};
	size_t size = strlen(text);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (size < words[i].shortest || size > strlen(words[i].word) || strncasecmp(text, words[i].word, size) != 0)
			continue;
		*value = words[i].value;
		return true;
	}
	return false;
}

static bool refuse_replication(struct error *error, const char *text)
{
	error_set(error, "22023", "invalid value for parameter \"replication\": \"%s\"", text);
	error->hint = "Valid values are: \"false\", 0, \"true\", 1, \"database\".";
	return false;
}

static bool read_replication(struct reading *reading)
{
	const char *text = reading->replication;
	bool wanted = false;

	if (!text)
		return true;
	if (strcmp(text, "database") == 0) {
		reading->request->replication = mem_strdup("database");
		return true;
	}
	if (!read_bool(text, &wanted))
		return refuse_replication(reading->error, text);
	if (wanted)
		reading->request->replication = mem_strdup("true");
	return true;
}

/* --- Bytes as they are --- */

static bool is_utf8(const char *text)
{
	uint32_t code;

	while (*text) {
		size_t size = utf8_char(text, &code);

		if (!size)
			return false;
		text += size;
	}
	return true;
}

/* As PostgreSQL compares names of encodings: letters and digits only. */
static bool means_utf8(const char *encoding)
{
	char name[8];
	size_t size = 0;

	for (; *encoding && size < sizeof(name) - 1; encoding++)
		if (isalnum((unsigned char)*encoding))
			name[size++] = (char)tolower((unsigned char)*encoding);
	name[size] = '\0';
	return strcmp(name, "utf8") == 0 || strcmp(name, "unicode") == 0;
}

/* A startup packet is in no client_encoding: PostgreSQL takes the bytes of names and values as they are, and application_name
 * whatever they are. By SET that is so only for UTF-8. */
static bool goes_by_set(const struct state_pair *pair, const char *encoding)
{
	if (state_text_is_ascii(pair->name) && state_text_is_ascii(pair->value))
		return true;
	return (!encoding || means_utf8(encoding)) && is_utf8(pair->name) && is_utf8(pair->value);
}

static void part_settings(struct reading *reading)
{
	struct state_builder *settings = &reading->settings, by_set = { 0 };
	const char *encoding = NULL;

	for (size_t i = 0; i < settings->count; i++)
		if (strcmp(settings->pairs[i].name, "client_encoding") == 0)
			encoding = settings->pairs[i].value;
	for (size_t i = 0; i < settings->count; i++) {
		const struct state_pair *pair = &settings->pairs[i];

		state_builder_set(goes_by_set(pair, encoding) ? &by_set : &reading->login_settings, pair->name, pair->value);
	}
	while (settings->count)
		state_builder_unset(settings, settings->pairs[0].name);
	mem_free(settings->pairs);
	*settings = by_set;
}

/* `options` first, as PostgreSQL does: a parameter of its own in the packet wins over one in there. */
static bool read_settings(struct reading *reading, const char *packet, size_t size)
{
	struct buf rest = { 0 };
	struct error error;

	if (reading->options && !wire_options_pairs(reading->options, add_setting, reading, &rest, &error))
		refuse(reading, &error);
	if (rest.size) {
		buf_append_char(&rest, '\0');
		state_builder_set(&reading->login_settings, "options", rest.bytes);
	}
	buf_fini(&rest);
	return wire_startup_pairs(packet, size, read_setting, reading);
}

/* 3.1 never was; who asks for it gets 3.0. */
static void choose_minor(struct startup_request *request, uint32_t asked)
{
	request->minor = asked >= STARTUP_NEWEST_MINOR ? STARTUP_NEWEST_MINOR : 0;
	request->negotiate = request->minor != asked || request->unknown_count;
}

static bool read_packet(struct reading *reading, const char *packet, size_t size)
{
	struct startup_request *request = reading->request;

	if (!wire_startup_pairs(packet, size, read_field, reading))
		return error_set(reading->error, "08P01",
			"invalid startup packet layout: expected terminator as last byte");
	choose_minor(request, wire_u32(packet + 4) & 0xffff);
	if (!request->user || !*request->user)
		return error_set(reading->error, "28000", "no PostgreSQL user name specified in startup packet");
	if (!request->database || !*request->database)
		take_database(reading, request->user);
	bool good = read_settings(reading, packet, size);

	part_settings(reading);
	request->settings = state_builder_finish(&reading->settings);
	request->login_settings = state_builder_finish(&reading->login_settings);
	/* It has been gone through once already. */
	CHECK(good);
	return read_replication(reading);
}

struct startup_request *startup_request_read(const char *packet, size_t size, struct error *error)
{
	struct startup_request *request = NEW(struct startup_request);
	struct reading reading = { .request = request, .error = error };

	if (!read_packet(&reading, packet, size))
		startup_request_free(&request);
	return request;
}

void startup_request_free(struct startup_request **request)
{
	struct startup_request *gone = *request;

	*request = NULL;
	if (!gone)
		return;
	for (size_t i = 0; i < gone->unknown_count; i++)
		mem_free(gone->unknown[i]);
	mem_free(gone->unknown);
	mem_free(gone->user);
	mem_free(gone->database);
	mem_free(gone->replication);
	mem_free(gone->refusal);
	state_unref(&gone->settings);
	state_unref(&gone->login_settings);
	mem_free(gone);
}
