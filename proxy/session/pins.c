/* Why sessions keep their server connections, and what the server's command tags say about a session's state. */
#include <stdatomic.h>
#include <string.h>

#include "listen.h"
#include "missing.h"
#include "route_setting.h"
#include "session_internal.h"

static const char *const pin_names[PIN_COUNT] = {
	[PIN_SESSION_MODE] = "session_mode",
	[PIN_LISTEN] = "listen",
	[PIN_PREPARE] = "prepare",
	[PIN_CURSOR] = "cursor",
	[PIN_ADVISORY_LOCK] = "advisory_lock",
	[PIN_TEMPORARY] = "temporary_table",
	[PIN_LOAD] = "load",
	[PIN_SEED] = "setseed",
	[PIN_CUSTOM_SETTING] = "custom_setting",
	[PIN_SEQUENCE] = "sequence",
	[PIN_LARGE_STATEMENT] = "large_statement",
	[PIN_UNTRACKED_STATEMENT] = "untracked_statement",
	[PIN_FUNCTION] = "function",
	[PIN_UNKNOWN] = "unknown",
};

const char *session_pin_name(enum session_pin pin)
{
	return pin_names[pin];
}

void session_pin(struct session *session, enum session_pin reason)
{
	session->backend->touched = true;
	session_set_pins(session, session->pins | PIN_BIT(reason));
}

void session_set_pins(struct session *session, uint32_t pins)
{
	uint32_t new = pins & ~session->pins;

	session->pins = pins;
	for (unsigned reason = 0; new; reason++, new >>= 1)
		session_relay(session)->pins[reason] += new & 1;
}

uint64_t session_pins_counted(const struct worker *worker, enum session_pin reason)
{
	const struct relay *relay = worker->relay;

	return relay->pins[reason];
}

uint32_t session_pins_of(const struct backend *backend)
{
	return backend->sink == &session_sink ? ((const struct session *)backend->owner)->pins : 0;
}

/* Nothing of the session is left, but its prepared statements' meaning may have been shared with it. */
static void note_discard_all(struct session *session)
{
	prepared_forget_all(session);
	missing_forget_all(session);
	listen_note_discard_all(session);
	route_setting_reset_all(session, NULL, 0);
	state_unref(&session->backend->settings);
	session->backend->touched = session->mode == POOL_MODE_SESSION;
	if (session->mode == POOL_MODE_SESSION)
		return;
	/* It takes no custom setting's name away, and one of which nobody knows yet whether it was ever set does not come by it. */
	bool doubtful = session->custom && session->suspected & 1u << LEFTOVER_SETTINGS;

	session->pins = session->suspected = 0;
	session->sql_prepared = false;
	session->backend->settings = custom_reset(NULL, session->custom);
	state_unref(&session->settings);
	session->settings = custom_reset(session->startup, session->custom);
	session->waiter.settings = session->settings;
	scope_changed(session);
	session->setup_due = session->report_due = session->backend->settings != session->settings;
	resets_all(session);
	/* What came behind it under the same Sync has not run yet. */
	if (requests_until_sync(&session->backend->requests) > 1)
		leftovers_suspect(session, SCAN_UNKNOWN);
	else if (doubtful)
		leftovers_doubt(session, LEFTOVER_SETTINGS);
}

static void note_discard_sequences(struct session *session)
{
	session->pins &= ~PIN_BIT(PIN_SEQUENCE);
	sequences_discarded(session);
}

static void note_deallocate_all(struct session *session)
{
	prepared_forget_all(session);
	missing_forget_all(session);
}

/* An earlier parse may mean something else, for this client at once, and for others when the transaction ends. */
static void note_ddl(struct session *session)
{
	session->defined = true;
	session_ddl_counts(session);
}

/* Event triggers have run, and no meaning has changed. */
static void note_event(struct session *session)
{
	audit_note_ddl(session, "", "");
}

void session_ddl_counts(struct session *session)
{
	atomic_fetch_add(&session->share->pool->database->epoch, 1);
}

static const struct {
	const char *tag;
	void (*note)(struct session *session);
} tags[] = {
	{ "LISTEN", listen_note_listen },
	{ "UNLISTEN", listen_note_unlisten },
	{ "ROLLBACK", listen_note_rollback },
	{ "DISCARD ALL", note_discard_all },
	{ "DISCARD SEQUENCES", note_discard_sequences },
	{ "DEALLOCATE", sql_names_deallocated },
	{ "DEALLOCATE ALL", note_deallocate_all },
	{ "COMMIT PREPARED", note_ddl },
	{ "REFRESH MATERIALIZED VIEW", note_event },
	{ "SECURITY LABEL", note_event },
};

/* First words of tags after which an earlier parse may mean something else. */
static const char *const ddl[] = { "CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "IMPORT" };

static bool starts_with_word(const char *tag, const char *word)
{
	size_t size = strlen(word);

	/* Most differ in the first letter already. */
	return *tag == *word && strncmp(tag, word, size) == 0 && (tag[size] == ' ' || tag[size] == '\0');
}

void session_note_tag(struct session *session, const char *tag)
{
	if (session->unclear)
		custom_unclear_ran(session);
	if (session->resets && strcmp(tag, "ROLLBACK") == 0)
		session->resets_undone = true;
	if (session->may_define) {
		note_ddl(session);
		note_event(session);
	}
	/* The tags of every day are told from the first letters. */
	if (tag[0] == 'I' && tag[1] == 'N') {
		sequences_wrote(session);
		return;
	}
	if ((tag[0] == 'U' && tag[1] == 'P') || (tag[0] == 'S' && tag[1] == 'E' && tag[2] == 'L') || tag[0] == 'B')
		return;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (*tag == *tags[i].tag && strcmp(tag, tags[i].tag) == 0) {
			tags[i].note(session);
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(ddl); i++) {
		if (!starts_with_word(tag, ddl[i]))
			continue;
		note_ddl(session);
		audit_note_ddl(session, tag, tag + strlen(ddl[i]));
	}
}
