/* A hub: what the files of its worker's side share. The members' side is in hub_share.h. */
#ifndef PGWEIR_HUB_INTERNAL_H
#define PGWEIR_HUB_INTERNAL_H

#include "pgweir/hub.h"
#include "pgweir/loop.h"
#include "pool_internal.h"

/* --- hub_table.c: which workers want which channel, and what the server has been told --- */

struct hub_table {
	struct map channels;            /* By name: struct hub_channel. */
	unsigned wanted;                /* How many of them somebody wants. */
};
void hub_table_fini(struct hub_table *table);
void hub_table_want(struct hub_table *table, const char *name, unsigned worker);
void hub_table_unwant(struct hub_table *table, const char *name, unsigned worker);
uint64_t hub_table_workers(const struct hub_table *table, const char *name);
/* Appends the statements that are missing; false if there are none. They must be answered before it is called again. */
bool hub_table_ask(struct hub_table *table, struct buf *sql);
void hub_table_answered(struct hub_table *table);
/* The connection is gone, and with it what it listened to. */
void hub_table_lost(struct hub_table *table);

/* --- hub.c: who wants what --- */

enum hub_state {
	HUB_CLOSED,
	HUB_OPENING,
	HUB_OPEN,
};

/* A worker's question whether all it has asked for is listened to. */
struct hub_question {
	struct list link;
	struct worker *from;
	uint64_t token;
	char *encoding;
	bool asked;                     /* The statements for it are under way. */
};

struct hub {
	struct list link;               /* In the worker. */
	struct pool_share *share;
	enum hub_state state;
	struct backend *backend;
	struct backend_sink sink;
	struct hub_table table;
	struct list questions;          /* Oldest first. */
	bool asking;                    /* Statements are under way. */
	bool broken;                    /* The server has refused one: close. */
	bool interrupted;               /* Something was listened to when the last connection ended. */
	struct list attempts;           /* At the connection: one, and those that are given up. */
	uint64_t retry_at_us, unwanted_since_us;
	uint64_t heard_us, asked_us;    /* When the server last said anything, and was last asked anything. */
	unsigned member_count;
	uint64_t members_on;            /* A bit for each worker that has ever had one. */
	uint64_t notifications, interruptions;
	struct buf outgoing[WORKERS_MAX];
};

/* Whatever is due. Not from within the backend's sink. */
void hub_advance(struct hub *hub);
/* All that the server has been asked for last is in force: whoever waits for it hears. */
void hub_confirmed(struct hub *hub);

/* --- hub_open.c --- */

/* Unless it is too early, or there is no host. A failure is logged, and tried again later. */
void hub_open(struct hub *hub);
void hub_retry_later(struct hub *hub);
/* What is being opened where the primary was: its machine may hang, and never say no. */
void hub_open_give_up(struct hub *hub);
void hub_open_forget(struct hub *hub);          /* At the end: nobody will answer any more. */

/* --- hub_connection.c: while it is open --- */

void hub_connection_start(struct hub *hub, struct backend *backend);    /* Takes the backend. */
/* False: the connection is gone, and the caller closes it. */
bool hub_connection_send(struct hub *hub, const struct buf *statements) MUST_USE;
void hub_connection_close(struct hub *hub, enum close_reason reason);
/* Why the connection should go, or CLOSE_REASON_COUNT. Its age is no reason: what comes meanwhile would be missed. */
enum close_reason hub_connection_outdated(struct hub *hub) MUST_USE;

#endif
