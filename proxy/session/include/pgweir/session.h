/* Sessions: one per client, from its welcome to its end, on one worker.
 *
 * A session borrows a backend when the client's messages need a server and gives it back when the server says it is
 * idle. Between the two, bytes are relayed as they come. */
#ifndef PGWEIR_SESSION_H
#define PGWEIR_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/login.h"
#include "pgweir/pool.h"
#include "pgweir/session_pin.h"

enum session_state {
	SESSION_WELCOMING,      /* Not yet told that it may begin: the first server connection is being waited for. */
	SESSION_IDLE,           /* No server connection. */
	SESSION_WAITING,        /* Wants one. */
	SESSION_SETTING_UP,     /* Has one, whose settings must be confirmed before the client's message may follow. */
	SESSION_LINKED,         /* Has one. */
	SESSION_FINISHING,      /* The client has said all it wants to; what it asked runs to its end. */
	SESSION_CLOSED,
};

struct session {
	/* What every message touches lies together. */
	struct conn conn;
	struct worker *worker;
	struct pool_share *share;
	struct backend *backend;
	uint32_t pins;                  /* Bits of enum session_pin. */
	uint8_t state;                  /* enum session_state */
	uint8_t mode;                   /* enum pool_mode */
	uint8_t suspected;              /* Bits of enum leftover: what the server is to be asked about. */
	uint8_t skipping, rescue, lost; /* The latter two: enum rescue, enum lost. */
	uint8_t group, batch;           /* enum group_state, enum batch_state. */
	uint8_t audits, told;           /* enum audits, of the transaction at hand; bits of enum leftover, as the client's text said. */
	bool pass_drop, wrote, asks_sequences, sequences_blank, sequences_old;  /* All but the first: sequences.c. */
	bool unclear, may_define, defined;      /* What runs the scanner could not follow; it may be DDL that no tag tells; some has run. */
	bool functions_changed, scrub;  /* A transaction has; the connection is to be cleaned when it is given back. */
	bool resetting, unnaming;       /* What is behind the text that runs must wait for its end; its names may be gone then. */
	bool report_due, resets_undone; /* Startup values that a reset has brought back are to be reported; `resets` may be undone. */
	bool scope_unsure, sql_prepared;        /* Still to be asked for: settings may have changed; SQL may have made statements. */
	bool reading_touched, reading_differs;  /* How texts are read: this transaction may change it; not as the settings say. */
	uint8_t scan_flags, routing;    /* enum scan_flag, how they are; enum routing_mode (ROUTING_PRIMARY: nothing is routed). */
	bool setup_kept : 1, setup_failed : 1, setup_cancelled : 1, setup_plainly : 1, presumed : 1, rereads : 1;  /* setup_answer.c; audit_lost.c */
	bool judged;                    /* Its server is a replica, which may run only what has been judged to be a read. */
	bool on_replica, own_statements;        /* The latter: there are some in route->own. */
	bool notes_writes, may_write;   /* Whether the transaction at hand may write is of interest; it may. */
	/* lost.c: the server ends; state is still to be asked for; COMMIT runs; nothing was sent since the transaction's BEGIN. */
	bool losing, left_unsaid, may_commit, only_begun;
	uint8_t key_size, startup_refusal;      /* The latter: enum refusal, of what it has asked to begin with. */
	bool tls, terminated, eof, registered, setup_due, batch_named, batch_answered, retried, tracks_statements, temporary_path;
	size_t pass_left;               /* Of the client's message at hand. */
	size_t group_left;              /* Of a group that has been judged (route.h), what has not been walked yet. */
	struct session_route *route;    /* Once its work is routed. */
	struct audit *audit;            /* What is known of functions' doings in the transaction at hand, or NULL. */
	struct long_text *long_text;    /* Of a Query or Parse that comes in pieces, or NULL. */
	struct buf held;                /* What of the client's bytes must wait. */
	struct state *settings, *baseline;      /* What it has set, beyond `login_settings`; of the backend that welcomed it. */
	uint64_t request_us, transaction_us, active_us;
	struct statement_name *retry_name;
	struct session_listen *listen;  /* What it listens to in transaction mode (listen.c), or NULL. */
	struct buf *setup_error, *last_words;   /* The server's refusal of the settings; its end, to a question of ours. Or NULL. */
	struct error *startup_error;    /* What is told in the place of a welcome, or NULL. */
	uint64_t unnamed_token;         /* 0: the client has no unnamed statement. */
	struct buf *unnamed;            /* What the last unnamed Parse message said, once there was one. */
	uint64_t wrote_on;              /* The id of the backend that has had no other client since this one wrote; 0: none. */
	uint32_t unnamed_effects, sent_effects; /* Of running the unnamed statement; of what is not answered. */
	struct deallocating *deallocating;      /* sql_names.c */
	struct missing *missing;        /* missing.c */
	struct map *lost_portals;       /* In what is lost: struct lost_text by name, or NULL; */
	struct buf beginning;           /* and how it was begun. */
	struct map names;               /* Prepared statements by the client's names: struct statement_name. */
	struct pool_waiter waiter;
	/* What few touch. */
	struct list link;               /* worker->sessions */
	uint64_t id;                    /* Never used again. For people: SHOW CLIENTS, KILL_CLIENT. */
	uint64_t connected_us;
	const struct pool_guest *guest; /* The client's name, and what is configured for it. */
	struct client_slot *slot;
	struct state *startup, *resets; /* What it began with; names of it that texts have reset since the server was last asked. */
	struct leftovers_answer *answer;        /* While the server is being asked what is left. */
	struct state *custom;           /* Names of the custom settings that it has defined. */
	struct state *login_settings;   /* In session mode both together, and `settings` is empty. */
	struct state *parse_scope;      /* The part of `settings` that the meaning of a statement depends on. */
	char *replication;
	struct session_secret { char *name; uint64_t version; } *secret;        /* What of [secret]s it has logged in with, or NULL. */
	struct session *next_by_pid;    /* In its bucket of worker->sessions_by_pid. */
	uint32_t pid;
	unsigned char key[32];
	struct sockaddr_in6 address;    /* Of either family; AF_UNIX has no more than that. */
};

/* The hooks of the workers. */
extern const struct worker_hooks session_worker_hooks;

/* Takes a client over from a login thread. Any thread. */
void session_receive(struct login_session *login);
/* A CancelRequest. Any thread. */
void session_receive_cancel(struct login_cancel *cancel);
/* The next client's. Any thread. */
uint64_t session_next_id(void);

/* --- On the session's own worker --- */

/* Ends the session: the client is told the reason's text, or `body` (of an ErrorResponse) if it is given. The backend
 * is given back, abandoned or closed as its state asks. */
void session_close(struct session *session, enum close_reason reason, const struct buf *body);

/* Bits of enum session_pin of the session that has borrowed it; 0: it is nobody's, or may go back. */
uint32_t session_pins_of(const struct backend *backend);
/* How often a session of the worker's has got that reason, but for PIN_SESSION_MODE. */
uint64_t session_pins_counted(const struct worker *worker, enum session_pin reason);

/* Closes at most `most` sessions: those that are idle, those that are queued as well, all. Returns how many are left. */
enum sessions_drained { SESSIONS_IDLE, SESSIONS_NOT_STARTED, SESSIONS_ALL };
unsigned sessions_drain(struct worker *worker, unsigned most, enum sessions_drained which);

#endif
