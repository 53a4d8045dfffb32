/* What SQL does to a session's state: told before it is sent, refused, asked about afterwards. */
#ifndef PGWEIR_LEFTOVERS_H
#define PGWEIR_LEFTOVERS_H

#include "pgweir/scan.h"
#include "pgweir/session.h"
#include "refuse.h"

/* leftovers.c */
enum refusal leftovers_forbidden(const struct session *session, uint32_t effects);
void leftovers_suspect(struct session *session, uint32_t effects);      /* Of a text that is about to be run: enum scan_effect. */
void leftovers_pin_for_good(struct session *session, enum session_pin pin);     /* Nobody gets the connection after it. */
void leftovers_put_literal(struct buf *out, const char *text);    /* As SQL, whatever the settings are. */
void leftovers_doubt(struct session *session, enum leftover kind);
void leftovers_doubt_all(struct session *session);              /* Whatever is not to be ignored. */
bool leftovers_are_due(const struct session *session);
void leftovers_ask(struct session *session);
void leftovers_row(struct session *session, const char *message, size_t size);
/* The next column of a DataRow as text of its own, or NULL. */
char *leftovers_take_column(const char **at, const char *end);
void leftovers_learned(struct session *session);
void leftovers_failed(struct session *session);
void leftovers_drop(struct session *session);            /* The question. */

/* text.c */
unsigned session_scan_flags(const struct session *session, const char *text, size_t size);
uint32_t session_text_effects(const struct session *session, const char *text, size_t size);
void session_note_function(struct session *session, uint32_t oid);      /* About to be called without SQL. */
/* The same for one that comes in pieces: tells what is known from its first. The message is told again from its start on, of
 * which this much has been `seen`. */
uint32_t session_long_text_begin(struct session *session, const char *text, size_t size, size_t seen);
void session_long_text_goes_on(struct session *session, const char *bytes, size_t size, bool last);
void session_long_text_drop(struct session *session);
bool session_text_is_one_prepare(const char *text);
/* What is about to be run, as far as it is at hand. */
struct sql_run {
	char type;                      /* Of the message: Query or Bind. */
	uint32_t effects;
	const char *text;
	size_t size;
	struct statement *statement;    /* The one that a Bind names, or NULL. */
	const char *values, *values_end;        /* Of a Bind, from its format codes on; else NULL. */
};
void session_note_run(struct session *session, const struct sql_run *run);
/* Before it is sent. False: it has been refused instead, and is to be dropped. */
bool session_may_run(struct session *session, const struct sql_run *run);
/* The same for the statement of that name, which `run` executes, be it SQL's or the protocol's. */
bool session_may_execute(struct session *session, const struct sql_run *run, const char *name);

/* sql_names.c: statements of the protocol that SQL names. */
#define SCAN_STATEMENT_NAMES (SCAN_PREPARES | SCAN_EXECUTES | SCAN_DEALLOCATES)
/* The server connection must have the statement before the text is sent. */
typedef void sql_names_needed(struct session *session, struct statement_name *name);
/* Appends the text with the server's names; false: it is as it should be. With `runs` it is about to be run. */
bool sql_names_rewrite(struct session *session, const char *text, size_t size, struct buf *out, bool runs,
	sql_names_needed *needed);
void sql_names_deallocated(struct session *session);            /* A DEALLOCATE has succeeded. */
void sql_names_settled(struct session *session);                /* All that was sent is answered. */
/* Of a statement that is being deallocated, or NULL. */
const char *sql_names_client_name(const struct session *session, const char *server_name);

/* custom.c: settings with a dot in their names. */
bool custom_forbidden(const struct session *session, uint32_t effects);
void custom_note_name(struct session *session, const char *name);
void custom_begin(struct session *session);
void custom_note_names(struct session *session, const struct scan_names *names, const struct sql_run *run);
void custom_note(struct session *session, const struct sql_run *run);
void custom_unclear_ran(struct session *session);               /* Some of a text that the scanner did not follow. */
void custom_given(struct session *session);
void custom_learned(struct session *session, const struct state *now);  /* What the server says is in force. */
struct state *custom_reset(const struct state *settings, const struct state *custom);
void custom_put_question(const struct session *session, struct buf *sql);

/* resets.c: what is reset of a client's startup values. */
void resets_note(struct session *session, const char *text, size_t size);        /* Of a text that may have a RESET. */
void resets_all(struct session *session);
void resets_forget(struct session *session, const char *name);   /* It is set. */
void resets_report(struct session *session, struct buf *out);    /* What the client is to be told with ReadyForQuery. */
/* Whether that value of one is a RESET's. */
bool resets_has(const struct session *session, const char *name, const char *value);
char *session_told_at_start(const struct session *session, const char *name);   /* welcome.c: as the server spells it. A new text, or NULL. */

/* audit.c, audit_load.c, audit_log.c: what functions do unsaid (state_audit). */
enum audits {
	AUDITS_NOTHING,
	AUDITS_SOME,            /* What calls functions that may leave something. */
	AUDITS_EVERYTHING,
};
#define AUDIT_EFFECTS (SCAN_RUNS_CODE | SCAN_CALLS | SCAN_EXECUTES | SCAN_WRITES)
void audit_linked(struct session *session);
/* For routing = auto: what the names of the database mean, or NULL if that is not known; then it is asked for after the next
 * transaction on a primary. Valid until the session comes back to its loop. */
const struct route_names *audit_names(struct session *session);
/* A text is about to be run. NULL: one that is not at hand whole. */
void audit_run(struct session *session, const struct sql_run *run, uint32_t effects);
void audit_note_ddl(struct session *session, const char *tag, const char *what);        /* … behind its first word. */
void audit_ddl_ends(struct session *session);                           /* … and its transaction. */
bool audit_is_due(struct session *session);                             /* The list of functions is wanted. */
void audit_load(struct session *session);
bool audit_loads(const struct session *session);
bool audit_rescue_lost(struct session *session);        /* Without its server. False: it has to be told. */
bool audit_reread(struct session *session);             /* On another one. False: the session is over. */
void audit_row(struct session *session, const char *message, size_t size);
void audit_load_failed(struct session *session);
void audit_loaded(struct session *session);
void audit_asks(struct session *session);
void audit_learned(struct session *session, const struct state *now, uint32_t pins);
void audit_left(struct session *session);               /* Its client goes, and keeps it no longer. */
void audit_free(struct session *session);

/* sequences.c */
bool sequences_taken(struct session *session);                  /* True: sequences_clear() is due. */
void sequences_clear(struct session *session, struct buf *sql); /* What others have left, if they have. */
void sequences_discarded(struct session *session);
void sequences_used(struct session *session);                   /* By what runs now, perhaps. */
void sequences_released(struct session *session);
void sequences_wrote(struct session *session);
bool sequences_may_ask(struct session *session, uint32_t effects);

#endif
