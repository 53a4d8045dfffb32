/* Which server a session's next group of messages runs on, and what becomes of it when a replica does not answer it.
 *
 * A group is what one ReadyForQuery answers: a Query, or a batch up to its Sync. It is judged when it is whole, before any of
 * it is sent; until it is answered nothing else goes to that server. */
#ifndef PGWEIR_SESSION_ROUTE_H
#define PGWEIR_SESSION_ROUTE_H

#include "leftovers.h"
#include "pgweir/replicas.h"
#include "pgweir/route_home.h"

enum { GROUP_MAX = 16384 };

/* Of a session whose work may go to replicas. */
struct session_route {
	struct pool_share *target;      /* Where the group at hand is to run. */
	struct pool_share *replica;     /* Where it has read last, and stays if it can. */
	struct route_home *home;
	uint64_t last_write_us, last_read_us;   /* By clock_now_us(). */
	uint64_t min_us;                /* As the client has asked for. */
	uint64_t asked_us;              /* When the group at hand was sent. */
	size_t group_size;
	unsigned forced;                /* The cause for which the next group goes to the primary; 0: none. */
	int chosen;                     /* enum routing_mode, if the client has set one; else -1. */
	int startup_mode;               /* What it has begun with, and RESET leads to: as `chosen`, */
	uint64_t startup_min_us;        /* and as `min_us`. */
	bool rescued;                   /* It comes back from a replica. */
	bool free;                      /* Whatever it says goes to the replica. */
	bool in_transaction;            /* The group at hand is the first one behind a BEGIN. */
	struct map own;                 /* Statements about pgweir's own settings, by the client's names (route_setting.h). */
};

/* route.c */
void route_begin(struct session *session);              /* Also when settings may have changed. */
void route_choose_mode(struct session *session, int mode);      /* -1: what is configured. */
void route_choose_minimum(struct session *session, uint64_t min_us);
void route_prepare(struct session *session);            /* session->route is there from now on. */
void route_free(struct session *session);
struct pool_share *route_welcome_share(struct session *session);
/* Without a server: where to. False: not all of the group is here yet. */
bool route_decide(struct session *session, const char *bytes, size_t size);
void route_linked(struct session *session);
void route_unlinked(struct session *session);
/* With a replica, in front of a message. False: it must wait until everything is answered. */
bool route_may_go_on(struct session *session, const char *bytes, size_t size);
static inline void route_walked(struct session *session, size_t size)
{
	session->group_left -= size < session->group_left ? size : session->group_left;
}
void route_answered(struct session *session, char status);      /* A ReadyForQuery of the client's. */
void route_lost(struct session *session);               /* The server is, with what may have been written there. */
/* The pool has no connection there. */
void route_refused(struct session *session);

/* route_judge.c */
unsigned route_judge_text(struct session *session, const char *text, size_t size);      /* enum route_reason or route_cause */
unsigned route_judge_statement(struct session *session, struct statement *statement);
bool route_is_serializable(const struct session *session);
/* Something is about to run: may it write? */
void route_note_run(struct session *session, const struct sql_run *run);
/* In a READ ONLY transaction on a replica: what would keep the session there, or would mean something else than on the
 * primary. */
bool route_forbids(const struct sql_run *run);
uint64_t route_fingerprint(const char *text, size_t size);

/* route_group.c */
struct route_group {
	size_t size;                    /* Of the whole group; 0: not all of it is here. */
	unsigned cause;
};
struct route_group route_group_judge(struct session *session, const char *bytes, size_t size);
typedef void route_text_cb(struct session *session, const char *text, size_t size, uint64_t arg);
void route_group_texts(struct session *session, const struct buf *group, route_text_cb *visit, uint64_t arg);
void route_group_forget_names(struct session *session, const struct buf *group);

/* route_rescue.c */
/* True if the error need not be seen: the group will be run on the primary. */
bool route_rescue_wanted(struct session *session, const struct request *request, const char *body, size_t size);
void route_rescue(struct session *session);             /* With all of the replica's answer swallowed. */
/* The server has said that it ends, or the connection has. True: it had nothing of the client's, who goes on without. */
bool route_could_lose(const struct session *session);
bool route_rescue_idle(struct session *session);
/* The connection to the replica is lost. False: that is for the client to hear. */
bool route_rescue_lost(struct session *session);

#endif
