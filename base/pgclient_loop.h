/* The client on a loop, as its files see it: pgclient.c has its life, pgclient_open.c how it connects, pgclient_query.c
 * what it is asked. */
#ifndef PGWEIR_BASE_PGCLIENT_LOOP_H
#define PGWEIR_BASE_PGCLIENT_LOOP_H

#include "pgclient_internal.h"
#include "pgweir/list.h"
#include "pgweir/loop.h"

enum pgclient_state { STATE_RESOLVING, STATE_CONNECTING, STATE_IDLE, STATE_BUSY, STATE_DEAD };

struct resolution;

struct pgclient {
	enum pgclient_state state;
	struct loop *loop;
	pgclient_cb *callback;
	void *arg;
	char *host, *dbname, *user, *password, *sslmode, *ca_file, *cert_file, *key_file, *key_passphrase, *application_name;
	char *options;
	uint16_t port;
	struct resolution *resolution;
	PGconn *conn;
	struct loop_io io;
	bool watching;
	struct loop_timer timer;        /* The connect timeout, then each query's; 0 after a failure that must wait a turn. */
	struct error failure;           /* Told when the timer fires; empty: the time was up. */
	struct list queries;            /* The first one is under way while BUSY. */
	struct pgclient_result result;  /* Of the query under way, until it is complete. */
	struct error query_error;
	bool query_failed;
	bool *gone;
};

/* --- pgclient.c --- */

void pgclient_watch(struct pgclient *client, bool wanted);      /* The socket that libpq has at the moment. */
/* Tells every query, then the owner, who may free the client. */
void pgclient_give_up(struct pgclient *client, const struct error *error);
void pgclient_give_up_as_libpq_says(struct pgclient *client);
/* For failures within a call of the owner, with `failure` set: it must not be called back before it returns. */
void pgclient_fail_later(struct pgclient *client);

/* --- pgclient_open.c --- */

void pgclient_open(struct pgclient *client);
void pgclient_connect_further(struct pgclient *client);         /* While CONNECTING, when the socket is ready. */
void pgclient_forget_resolution(struct pgclient *client);       /* Its answer is not heard any more. */

/* --- pgclient_query.c --- */

void pgclient_send_next(struct pgclient *client);               /* If there is one, and nothing under way. */
void pgclient_flush(struct pgclient *client);
void pgclient_read_results(struct pgclient *client);
/* Calls back the oldest query, with `error` or the result. False: the callback has freed the client. */
bool pgclient_finish_query(struct pgclient *client, const struct pgclient_result *result, const struct error *error) MUST_USE;
void pgclient_drop_query(struct pgclient *client);              /* The oldest one, which hears nothing. */
void pgclient_drop_result(struct pgclient *client);

#endif
