/* A server connection at work on one worker: what it has been asked, what it has answered, what state it is in.
 *
 * Bytes from the server go through backend_receive(), which holds every message against the table in replies.c and
 * against the oldest outstanding request, and tells the owner's sink. Whoever sends something that elicits an answer
 * pushes a request first. A backend without a borrower belongs to its pool, which cleans and keeps it. */
#ifndef PGWEIR_BACKEND_H
#define PGWEIR_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/backend_sink.h"
#include "pgweir/close_reason.h"
#include "pgweir/list.h"
#include "pgweir/requests.h"
#include "pgweir/server.h"
#include "pgweir/statement.h"

struct pool_host;
struct pool_share;
struct worker;

enum backend_state {
	BACKEND_IDLE,           /* In the pool, ready to be lent. */
	BACKEND_LENT,           /* A session's. */
	BACKEND_CLEANING,       /* In the pool, with something to finish before it can be lent. */
	BACKEND_CLOSED,
};

enum backend_copy { BACKEND_COPY_NONE, BACKEND_COPY_IN, BACKEND_COPY_OUT, BACKEND_COPY_BOTH };

struct backend {
	/* What every message touches lies together. */
	struct server *server;
	struct pool_share *share;
	struct pool_host *host;         /* Where it counts. */
	struct worker *worker;
	const struct backend_sink *sink;
	void *owner;
	enum backend_state state;
	enum backend_copy copy;
	char status;                    /* Of the last ReadyForQuery: 'I', 'T' or 'E'. */
	bool failed;                    /* A simple query has: nothing but ReadyForQuery can follow. */
	bool said_fatal;                /* The server has announced its end. */
	bool mute;                      /* Everything but requests' bookkeeping is swallowed. */
	bool touched;                   /* A session may have left state behind: reset before lending. */
	bool retire;                    /* Close rather than keep, for `retire_reason`. */
	bool interjects;                /* The owner's ready() may put something between what comes and ReadyForQuery. */
	bool reported;                  /* Another value of one by which texts are read was reported; whoever looks clears it. */
	bool unsynced;                  /* Extended messages were sent and no Sync behind them: a transaction may be open. */
	bool skipping;                  /* After an error: the server takes nothing but a Sync, which had not been sent yet. */
	bool flushes;                   /* What is outstanding has a Flush among it or behind it. */
	bool pass_swallow;
	bool vacating;                  /* What runs needs idle databases: `vacates`. */
	size_t pass_left;               /* Rest of a message of the server's whose start has been dealt with. */
	struct requests requests;
	struct buf held;                /* Start of a message that must be seen whole. */
	struct state *settings;         /* In force beyond those given at login. A reference. */
	/* What the borrower has set already, and the server will report with its next ReadyForQuery: pairs of a state, by bits. */
	struct state *reports_of;       /* A reference. */
	uint64_t reports_due;
	struct state *baseline;         /* What it read texts by when it had logged in: backend_baseline_settings. A reference. */
	struct state *custom;           /* Names of the custom settings that it has ever known. A reference. */
	uint64_t unnamed_token;         /* Whose unnamed statement is there; 0: none. */
	uint64_t request_since_us;      /* When the oldest running work began; 0: none. */
	uint64_t lent_since_us, idle_since_us, checked_us;
	struct list link;               /* In one list of the share. */
	struct list cancel_tickets;     /* Cancels in flight. */
	uint64_t opened_as;             /* The share's when it was opened. */
	unsigned generation;            /* The pool's then. */
	struct prepared prepared;
	struct buf batch;               /* The borrower's: what its client has said since the last ReadyForQuery. */
	struct buf behind_setup;        /* The borrower's: what its client has said behind its settings (session/setup_batch.c). */
	uint64_t unnamed_before_setup;  /* The borrower's unnamed_token then. */
	struct buf beginning;           /* The borrower's: how its transaction was begun (session/lost_again.c). */
	/* What few touch. */
	struct buf vacates;             /* Their names (pool_vacate()). */
	uint64_t id;                    /* Never used again. For people: SHOW SERVERS. */
	uint64_t last_owner;            /* The id of the session that was lent it last; 0: none. */
	uint64_t sequences_of;          /* The id of the session whose values its sequences may have; 0: none. */
	bool sequences_mixed;           /* And others' besides. */
	enum close_reason retire_reason;
	struct buf group;               /* The session's: what a replica was asked, to ask the primary instead. */
	bool replication;               /* May copy in both directions. */
	bool rolled_back, check_due, checked;   /* While cleaning. */
	uint64_t cleaning_deadline_us, expires_us;
	struct loop_letter letter;      /* For its way to another worker. */
};

/* By name: what bytes mean to it. Ends with NULL. */
extern const char *const backend_baseline_settings[];

struct backend *backend_new(struct server *server, struct pool_share *share) MUST_USE;    /* Takes the server. */
void backend_free(struct backend **backend);

/* False: the server broke the protocol; `backend` is to be closed. */
bool backend_receive(struct backend *backend, const char *bytes, size_t size) MUST_USE;

/* Answers what stands first in line and needs no server, now and when what is in front of it has been answered. For a Flush,
 * which must not wait for a reply. */
void backend_settle(struct backend *backend);

/* Bookkeeping for something about to be sent. */
static inline void backend_request(struct backend *backend, enum request_kind kind, uint8_t flags, struct statement_name *name)
{
	requests_push(&backend->requests, kind, flags, name);
	if (REQUEST_BIT(kind) & REQUESTS_BEFORE_SYNC)
		backend->unsynced = true;
	else if (REQUEST_BIT(kind) & REQUESTS_MADE_READY)
		backend->unsynced = false;
}

/* What is outstanding will end in a ReadyForQuery without anything more from the client. */
bool backend_will_end(const struct backend *backend);

/* Nothing outstanding, nothing half received, not inside a transaction, explicit or implicit. */
bool backend_quiet(const struct backend *backend);

#endif
