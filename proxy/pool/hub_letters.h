/* What the workers and a hub tell one another. */
#ifndef PGWEIR_HUB_LETTERS_H
#define PGWEIR_HUB_LETTERS_H

#include "pgweir/loop.h"
#include "pool_internal.h"

/* From a worker to the one with the listening connection: what it wants from now on. */
struct hub_order {
	struct loop_letter letter;
	struct worker *to;
	unsigned from;                  /* The worker that asks. */
	struct config *config;          /* A reference; with the next four a pool_key. */
	const struct config_database *database;
	char *database_name, *user;
	struct credentials *credentials;
	struct buf wants, unwants;      /* Names, each with its NUL. */
	int members;                    /* How many more there are. */
	uint64_t token;                 /* 0: no answer is needed. */
	char *encoding;
};
/* For the hub of the share's pool, wherever it is. It ends with hub_order_post() or hub_order_free(). */
struct hub_order *hub_order_new(const struct pool_share *share) MUST_USE;
void hub_order_post(struct hub_order *order);
void hub_order_free(struct hub_order *order);
void hub_take_order(struct loop_letter *letter);        /* hub.c */

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
void hub_mail_free(struct hub_mail *mail);
void hub_take_mail(struct loop_letter *letter);         /* hub_share.c */

#endif
