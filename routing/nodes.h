/* The nodes that a cluster says it has: the rows of aurora_replica_status(), of rds_tools.show_topology(), or of
 * `topology_query`. No clock, no sockets. */
#ifndef PGWEIR_NODES_H
#define PGWEIR_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/config.h"

enum { NODES_MAX = 64, NODE_ID_MAX = 64, NODE_HOST_MAX = 256 };

struct node {
	char id[NODE_ID_MAX];           /* "": not told. */
	char host[NODE_HOST_MAX];       /* "": not told, or not known yet: nodes_place(). */
	uint16_t port;                  /* 0: as above. */
	bool writer, self;              /* It claims to be the primary; it is who has answered. */
	bool tells_lag;
	uint64_t lag_us;
	uint64_t age_us;                /* Since it was last heard of; 0 for whoever has answered. */
};

struct nodes {
	struct node all[NODES_MAX];
	size_t count;
};

/* As the server's texts have it, NULL is NULL. Names and numbers that cannot be are left out. */
struct node_texts {
	const char *id, *session_id, *lag_ms, *age_ms, *self, *host, *port;
};
void nodes_add(struct nodes *nodes, const struct node_texts *texts);

/* Just after a failover two may claim to be the primary: then it is the one that was heard of last. NULL: nobody does. */
const struct node *nodes_writer(const struct nodes *nodes);
const struct node *nodes_self(const struct nodes *nodes);

/* Gives each node without an address the one it has by its id, where `known` is an endpoint of Amazon's that tells the
 * domain: `id.xyz.region.rds.amazonaws.com`. */
void nodes_place(struct nodes *nodes, const struct config_host *known);

#endif
