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

enum session_state {
	SESSION_WELCOMING,      /* Not yet told that it may begin: the first server connection is being waited for. */
	SESSION_IDLE,           /* No server connection. */
	SESSION_WAITING,        /* Wants one. */
	SESSION_SETTING_UP,     /* Has one, whose settings must be confirmed before the client's message may follow. */
	SESSION_LINKED,         /* Has one. */
	SESSION_FINISHING,      /* The client has said all it wants to; what it asked runs to its end. */
	SESSION_CLOSED,
};

/* What a session may leave on its server connection, as far as the server can be asked about it (leftovers.c). */
enum leftover {
	LEFTOVER_SETTINGS,
	LEFTOVER_STATEMENTS,    /* Made by SQL's PREPARE. */
	LEFTOVER_CURSORS,       /* WITH HOLD. */
	LEFTOVER_LOCKS,         /* Session-level advisory locks. */
	LEFTOVER_TEMPORARY,     /* Tables and whatever else lies in the temporary schema. */
	LEFTOVER_LIBRARIES,     /* About these two it cannot. */
	LEFTOVER_SEED,
	LEFTOVER_COUNT,
};

/* Why a session keeps its server connection beyond the transaction. */
enum session_pin {
	PIN_SESSION_MODE,
	PIN_LISTEN,
	PIN_PREPARE,            /* A statement that was prepared together with others, and cannot be again. */
	PIN_CURSOR,
	PIN_ADVISORY_LOCK,
	PIN_TEMPORARY,
	PIN_LOAD,
	PIN_SEED,
	PIN_CUSTOM_SETTING,     /* One whose name is not known. */
	PIN_SEQUENCE,           /* The client asks for currval() or lastval(), and has written. */
	PIN_LARGE_STATEMENT,
	PIN_UNTRACKED_STATEMENT,
	PIN_UNKNOWN,            /* The server did not say what is left. */
	PIN_COUNT,
};
#define PIN_BIT(pin) (1u << (pin))
const char *session_pin_name(enum session_pin pin);

struct session {
	struct list link;               /* worker->sessions */
	uint64_t id;                    /* Never used again. For people: SHOW CLIENTS, KILL_CLIENT. */
	struct worker *worker;
	struct conn conn;
	struct pool_share *share;
	const struct pool_guest *guest; /* The client's name, and what is configured for it. */
	struct backend *backend;
	struct pool_waiter waiter;
	struct client_slot *slot;
	struct state *settings;         /* What the client's session has set, beyond `login_settings`. */
	struct state *startup;          /* What it began with. */
	struct leftovers_answer *answer;        /* While the server is being asked what is left. */
	struct state *custom;           /* Names of the custom settings that it has defined. */
	struct state *login_settings;   /* In session mode both together, and `settings` is empty. */
	struct state *parse_scope;      /* The part of `settings` that the meaning of a statement depends on. */
	char *replication;
	struct session *next_by_pid;    /* In its bucket of worker->sessions_by_pid. */
	uint32_t pins;                  /* Bits of enum session_pin. */
	uint32_t pid, minor;
	unsigned char key[32];
	uint8_t key_size, skipping;
	uint8_t state;                  /* enum session_state */
	uint8_t mode;                   /* enum pool_mode */
	uint8_t suspected;              /* Bits of enum leftover: what the server is to be asked about. */
	bool wrote, asks_sequences;     /* See sequences.c. */
	uint64_t wrote_on;              /* The id of the backend that has had no other client since this one wrote; 0: none. */
	bool tls, terminated, eof, registered, setup_due, batch_kept, batch_begun, batch_answered, retried;
	struct session_listen *listen;  /* What it listens to in transaction mode (listen.c), or NULL. */
	struct statement_name *retry_name;
	struct buf *setup_error;        /* The server's refusal of the session's settings, or NULL. */
	struct sockaddr_in6 address;    /* Of either family; AF_UNIX has no more than that. */
	struct map names;               /* Prepared statements by the client's names: struct statement_name. */
	struct buf *unnamed;            /* What the last unnamed Parse message said, once there was one. */
	uint32_t unnamed_effects;       /* Of running it. */
	struct deallocating *deallocating;      /* sql_names.c */
	uint64_t unnamed_token;         /* 0: the client has no unnamed statement. */
	/* Framing of what the client sends. */
	size_t pass_left;
	bool pass_drop;
	struct long_text *long_text;    /* Of a Query or Parse that comes in pieces, or NULL. */
	struct buf held;
	uint64_t connected_us, request_us, transaction_us, active_us;
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
void session_cancel(struct session *session);

/* Closes sessions that are doing nothing, at most `most`; with `busy` the others as well. Returns how many are left. */
unsigned sessions_drain(struct worker *worker, unsigned most, bool busy);

#endif
