/* What a session leaves behind on a server connection, as far as the server's command tags tell: then it keeps it. */
#include <ctype.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "session_internal.h"

static const char *const pin_names[PIN_COUNT] = {
	[PIN_NONE] = "none",
	[PIN_SESSION_MODE] = "session_mode",
	[PIN_SETTING] = "setting",
	[PIN_LISTEN] = "listen",
	[PIN_PREPARE] = "prepare",
	[PIN_CURSOR] = "cursor",
	[PIN_LOAD] = "load",
	[PIN_LARGE_STATEMENT] = "large_statement",
	[PIN_UNTRACKED_STATEMENT] = "untracked_statement",
};

const char *session_pin_name(enum session_pin pin)
{
	return pin_names[pin];
}

static void pin(struct session *session, enum session_pin reason)
{
	session->backend->touched = true;
	session->pinned_otherwise |= reason != PIN_SETTING;
	if (session->pin == PIN_NONE || session->pin == PIN_LARGE_STATEMENT)
		session->pin = (uint8_t)reason;
}

/* The connection is kept until the server has said what is set now (follow.c). */
static void note_setting(struct session *session)
{
	if (session->harmless)
		return;
	session->settings_changed = true;
	pin(session, PIN_SETTING);
}

static void note_cursor(struct session *session)
{
	if (!session->harmless)
		pin(session, PIN_CURSOR);
}

static void note_listen(struct session *session)
{
	pin(session, PIN_LISTEN);
}

static void note_prepare(struct session *session)
{
	pin(session, PIN_PREPARE);
}

static void note_load(struct session *session)
{
	pin(session, PIN_LOAD);
}

/* Nothing of the session is left, but its prepared statements' meaning may have been shared with it. */
static void note_discard_all(struct session *session)
{
	prepared_forget_all(session);
	state_unref(&session->backend->settings);
	session->backend->touched = session->mode == POOL_MODE_SESSION;
	if (session->mode == POOL_MODE_SESSION)
		return;
	session->pin = PIN_NONE;
	session->pinned_otherwise = session->settings_changed = false;
	state_unref(&session->settings);
	session->settings = state_ref(session->startup);
	session->waiter.settings = session->settings;
}

static void note_deallocate_all(struct session *session)
{
	prepared_forget_all(session);
}

static const struct {
	const char *tag;
	void (*note)(struct session *session);
} tags[] = {
	{ "SET", note_setting },
	{ "RESET", note_setting },
	{ "LISTEN", note_listen },
	{ "PREPARE", note_prepare },
	{ "DECLARE CURSOR", note_cursor },
	{ "LOAD", note_load },
	{ "DISCARD ALL", note_discard_all },
	{ "DEALLOCATE ALL", note_deallocate_all },
};

/* First words of tags after which an earlier parse may mean something else. */
static const char *const ddl[] = { "CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "IMPORT" };

static bool starts_with_word(const char *tag, const char *word)
{
	size_t size = strlen(word);

	return strncmp(tag, word, size) == 0 && (tag[size] == ' ' || tag[size] == '\0');
}

void session_note_tag(struct session *session, const char *tag)
{
	/* The tags of every day are told from the first letters. */
	if (tag[0] == 'I' || tag[0] == 'U' || (tag[0] == 'S' && tag[1] == 'E' && tag[2] == 'L') || tag[0] == 'B')
		return;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (strcmp(tag, tags[i].tag) == 0) {
			tags[i].note(session);
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(ddl); i++)
		if (starts_with_word(tag, ddl[i]))
			atomic_fetch_add(&session->share->pool->database->epoch, 1);
}

/* Found by the underscore, which few texts have many of. */
bool session_text_sets(const char *text, size_t size)
{
	const char *end = text + size;
	const char *at = text;

	while ((at = memchr(at, '_', (size_t)(end - at)))) {
		if (at - text >= 3 && end - at >= 7 && strncasecmp(at - 3, "set_config", 10) == 0)
			return true;
		at++;
	}
	return false;
}

void session_note_set_config(struct session *session)
{
	if (session->mode == POOL_MODE_SESSION)
		return;
	session->settings_changed = true;
	session->backend->touched = true;
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && isspace((unsigned char)*at))
		at++;
	return at;
}

/* The text begins with the word, which ends there; moves on behind it. */
static bool take_word(const char **at, const char *end, const char *word)
{
	size_t size = strlen(word);
	const char *start = skip_blanks(*at, end);

	if ((size_t)(end - start) <= size || strncasecmp(start, word, size) != 0 || !isspace((unsigned char)start[size]))
		return false;
	*at = start + size;
	return true;
}

static bool single_statement(const char *at, const char *end)
{
	const char *semicolon = memchr(at, ';', (size_t)(end - at));

	if (!semicolon)
		return true;
	for (semicolon++; semicolon < end; semicolon++)
		if (*semicolon && !isspace((unsigned char)*semicolon))
			return false;
	return true;
}

bool session_text_is_harmless(const char *text, size_t size)
{
	const char *at = skip_blanks(text, text + size);

	/* Most texts are neither SET nor DECLARE, as their first and third letters tell. */
	if (text + size - at < 3 || !((at[0] | ' ') == 's' ? (at[2] | ' ') == 't' : (at[0] | ' ') == 'd'))
		return false;
	const char *end = memchr(text, '\0', size);

	if (!end)
		return false;
	if (take_word(&at, end, "set"))
		return (take_word(&at, end, "local") || take_word(&at, end, "transaction")) && single_statement(at, end);
	/* A cursor WITH HOLD outlives its transaction; the word may stand anywhere, even in the query. */
	if (take_word(&at, end, "declare"))
		return !strcasestr(at, "hold") && single_statement(at, end);
	return false;
}
