/* What the files of the probe share: when it looks, over which connection (probe.c), and what it asks (probe_ask.c). */
#ifndef PGWEIR_PROBE_INTERNAL_H
#define PGWEIR_PROBE_INTERNAL_H

#include "names.h"
#include "pgweir/pgclient.h"
#include "pgweir/secret_login.h"
#include "probe.h"
#include "questions.h"

enum probe_state { PROBE_WAITING, PROBE_CONNECTING, PROBE_ASKING };

struct probe {
	enum probe_state state;
	struct loop *loop;
	struct config *config;          /* A reference. */
	const struct config_cluster *cluster;
	const struct config_host *host;
	probe_cb *callback;
	probe_nodes_cb *nodes_callback;
	void *arg;
	struct pgclient *client;        /* NULL: not connected. */
	struct secret_login *login;
	struct names *names;            /* NULL: the host is no name, or names are not resolved again. */
	struct loop_timer timer;
	enum source source;             /* Of this connection's server. */
	bool multi_az;                  /* It is a node of an RDS Multi-AZ cluster. */
	uint64_t nodes_us;              /* When it was asked for nodes; 0: not yet. */
	uint64_t asked_us;
	unsigned failures;              /* In a row. */
	bool blind;                     /* The last one was a refusal. */
	bool hasty;
};

void probe_ask(struct probe *probe);                    /* The connection is open. */
uint64_t probe_timeout_ms(const struct probe *probe);

/* The look is over, with an answer or without; the next one follows by itself. */
void probe_tell(struct probe *probe, const struct observation *observation);
/* `refused`: the server is there, and has something against us. */
void probe_failed(struct probe *probe, const struct error *error, bool refused);

#endif
