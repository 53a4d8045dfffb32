/* What the files of the hub share. */
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

/* --- Letters --- */

/* From a worker to the one with the listening connection: what it wants from now on. */
struct hub_order {
	struct loop_letter letter;
	struct worker *to;
	unsigned from;                  /* The worker that asks. */
	struct config *config;          /* A reference; with the next five a pool_key. */
	const struct config_database *database;
	char *database_name, *user;
	struct credentials *credentials;
	struct buf wants, unwants;      /* Names, each with its NUL. */
	int members;                    /* How many more there are. */
	uint64_t token;                 /* 0: no answer is needed. */
	char *encoding;
};
void hub_order_free(struct hub_order *order);
void hub_take_order(struct loop_letter *letter);

enum hub_mail_kind { HUB_MAIL_MESSAGES, HUB_MAIL_READY, HUB_MAIL_REFUSED, HUB_MAIL_INTERRUPTED };

/* And back. */
struct hub_mail {
	struct loop_letter letter;
	struct worker *to;
	struct pool *pool;
	enum hub_mail_kind kind;
	uint64_t token;
	struct buf messages;            /* NotificationResponses, whole. */
};
void hub_mail_post(struct worker *to, struct pool *pool, enum hub_mail_kind kind, uint64_t token,
	struct buf *messages);          /* Takes the messages; NULL: none. */
void hub_take_mail(struct loop_letter *letter);

void hub_share_free(struct hub_share **listening);

#endif
