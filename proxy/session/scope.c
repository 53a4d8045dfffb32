/* What a statement's meaning depends on beside its text: settings that are looked at when it is parsed or planned.
 *
 * Literals are folded then, and so are conversions of constants to text, which PostgreSQL calls immutable. So statements are
 * shared between clients for whom these settings are the same, and one that must be prepared again after they have changed is a
 * new statement, nobody else's. They go into a statement's key with their values: the address of a set of settings may be
 * another's tomorrow. */
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "prepared_internal.h"

static const char *const parse_settings[] = {
	"array_nulls", "backslash_quote", "bytea_output", "client_encoding", "datestyle", "extra_float_digits", "intervalstyle",
	"lc_monetary", "role", "search_path", "session_authorization", "standard_conforming_strings", "timezone",
	"timezone_abbreviations", "transform_null_equals", "xmloption",
};

/* A character's second byte may look like a quote or a backslash. */
static const char *const ambiguous_encodings[] = {
	"sjis", "mskanji", "shiftjis", "win932", "windows932", "shiftjis2004", "big5", "win950", "windows950", "gbk", "win936",
	"windows936", "uhc", "win949", "windows949", "gb18030", "johab",
};

/* Unless the client has set it, what it was told when it came. */
static const char *in_force(const struct session *session, const char *name)
{
	const char *value = state_get(session->settings, name);

	return value ? value : state_get(session->baseline, name);
}

static struct state *only_parse_settings(const struct session *session)
{
	struct state_builder builder = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(parse_settings); i++) {
		const char *value = in_force(session, parse_settings[i]);

		if (value)
			state_builder_set(&builder, parse_settings[i], value);
	}
	return state_builder_finish(&builder);
}

/* As PostgreSQL compares names of encodings: letters and digits only, their case ignored. */
static bool same_encoding(const char *spelled, const char *name)
{
	for (; *spelled; spelled++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", *spelled))
			continue;
		if (strncasecmp(spelled, name, 1) != 0)
			return false;
		name++;
	}
	return *name == '\0';
}

static uint8_t scan_flags_by(const char *strings, const char *encoding)
{
	uint8_t flags = strings && strcmp(strings, "off") == 0 ? SCAN_BACKSLASH_STRINGS : 0;

	for (size_t i = 0; encoding && i < ARRAY_LEN(ambiguous_encodings); i++)
		if (same_encoding(encoding, ambiguous_encodings[i]))
			flags |= SCAN_AMBIGUOUS_BYTES;
	return flags;
}

static uint8_t scan_flags_of(const struct session *session)
{
	return scan_flags_by(in_force(session, "standard_conforming_strings"), in_force(session, "client_encoding"));
}

void scope_changed(struct session *session)
{
	const char *path = in_force(session, "search_path");

	state_unref(&session->parse_scope);
	session->parse_scope = only_parse_settings(session);
	session->scan_flags = scan_flags_of(session);
	session->temporary_path = path && strstr(path, "pg_temp");
	session->scope_unsure = session->reading_differs = false;
}

/* SET LOCAL, a SET that is undone, and functions: the settings do not have it, or not yet. */
void scope_reported(struct session *session)
{
	const struct parameters *parameters = &session->backend->server->parameters;

	session->backend->reported = false;
	session->scan_flags = scan_flags_by(parameters_get(parameters, "standard_conforming_strings"),
		parameters_get(parameters, "client_encoding"));
	session->reading_differs = session->scan_flags != scan_flags_of(session);
}

void scope_begin(struct session *session, struct state *baseline)
{
	state_unref(&session->baseline);
	session->baseline = state_ref(baseline);
	scope_changed(session);
}

static struct state *with(struct state *state, const char *name, const char *value)
{
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, state);
	state_builder_set(&builder, name, value);
	state_unref(&state);
	return state_builder_finish(&builder);
}

/* ALTER ROLE, ALTER DATABASE or another host's configuration have made the connection read texts otherwise than the client
 * was told. From now on the client has those settings as if it had begun with them. */
void scope_keep_baseline(struct session *session, const struct state *others)
{
	for (const char *const *name = backend_baseline_settings; *name; name++) {
		const char *told = state_get(session->baseline, *name), *other = state_get(others, *name);

		if (!told || state_get(session->startup, *name) || (other && strcmp(told, other) == 0))
			continue;
		session->startup = with(session->startup, *name, told);
		if (!state_get(session->settings, *name))
			session->settings = with(session->settings, *name, told);
	}
	session->waiter.settings = session->settings;
	scope_changed(session);
}

/* --- In the keys of statements --- */

/* What is of no length comes first. */
struct scope_head {
	uint64_t epoch;                 /* Of the database's tables. */
	uint64_t own;                   /* 0: may be shared; else unique. */
};

void scope_put(const struct session *session, uint64_t epoch, uint64_t own, struct buf *out)
{
	struct scope_head head = { epoch, own };

	buf_append(out, &head, sizeof(head));
	for (size_t i = 0; i < state_count(session->parse_scope); i++) {
		buf_append_cstring(out, state_pairs(session->parse_scope)[i].name);
		buf_append_cstring(out, state_pairs(session->parse_scope)[i].value);
	}
}

void scope_put_none(struct buf *out)
{
	buf_append(out, &(struct scope_head){ 0, UINT64_MAX }, sizeof(struct scope_head));
}

bool scope_fits(const struct session *session, const struct statement *statement)
{
	struct scope_head head;
	struct buf now = { 0 };

	memcpy(&head, statement->key, sizeof(head));
	if (head.own)
		return true;
	scope_put(session, head.epoch, 0, &now);
	bool same = now.size == statement->key_size - statement->parse_size && memcmp(now.bytes, statement->key, now.size) == 0;

	buf_fini(&now);
	return same && !session->scope_unsure;
}
