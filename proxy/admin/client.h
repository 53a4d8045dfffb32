/* A client of the console. */
#ifndef PGWEIR_ADMIN_CLIENT_H
#define PGWEIR_ADMIN_CLIENT_H

#include <stdbool.h>

#include "job.h"
#include "pgweir/close_reason.h"
#include "pgweir/conn.h"
#include "pgweir/login.h"

enum { CLIENT_MESSAGE_MAX = 65536, CLIENT_NAMES_MAX = 1000 };

struct client {
	struct list link;
	uint64_t id;                    /* As a session has one. */
	struct conn conn;
	struct client_slot *slot;
	char *user, *database_name, *application_name;
	struct sockaddr_storage address;
	bool tls;
	uint64_t connected_us, request_us;
	struct buf in, out;
	char status;                    /* Of ReadyForQuery: 'I', or 'T' after BEGIN. Nothing is rolled back. */
	bool closing;                   /* After what is in `out`. */
	enum close_reason why;          /* It is closing. */
	bool skipping;                  /* To the next Sync, after an error. */
	/* What is at work: a simple query's statements one after another, or a portal's. */
	struct job *job;
	char *script;                   /* The simple query's text, or NULL. */
	size_t script_at;
	bool script_is_empty;           /* Of commands, as far as it has been read. */
	uint32_t most_rows;             /* Of Execute. */
	struct map statements;          /* By name, the unnamed one too: texts. */
	struct map portals;             /* struct job. */
};

/* client_protocol.c */
/* Goes on with what the client has sent, as far as that goes: until a message is not complete, a job is still at work,
 * or the client is to be closed. */
void client_advance(struct client *client);
void client_protocol_fini(struct client *client);

/* client_extended.c: bodies of messages. */
void client_parse(struct client *client, const char *body, size_t size);
void client_bind(struct client *client, const char *body, size_t size);
void client_describe(struct client *client, const char *body, size_t size);
void client_execute(struct client *client, const char *body, size_t size);
void client_close_name(struct client *client, const char *body, size_t size);
void client_close_portals(struct client *client);
void client_close_statements(struct client *client);

void client_say_error(struct client *client, const struct error *error, const char *detail, const char *hint);
void client_broke_protocol(struct client *client, const char *text);

/* admin.c */
void client_job_ended(struct client *client);   /* Goes on, and sends. */
/* Ends it by an administrator's wish. One that is not `at_work` on just that is gone at once. */
void client_kill(struct client *client, bool at_work);
/* The clients there are. */
struct list *admin_clients(void);

#endif
