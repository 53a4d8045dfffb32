/* What a worker knows of those of its members that listen through one hub: the members' side. */
#ifndef PGWEIR_HUB_SHARE_H
#define PGWEIR_HUB_SHARE_H

#include "pgweir/hub.h"

/* Of a share, from its first member on. */
struct hub_share {
	struct map channels;            /* By name: struct local_channel. */
	struct list members;
	struct list due;                /* Members that flush() is due for. */
};

struct local_channel {
	char *name;
	struct list memberships;
};

struct hub_membership {
	struct list link;               /* In the channel. */
	struct local_channel *channel;
	struct hub_member *member;
	unsigned number;                /* Of the marker behind which it is the shared connection's to deliver. */
};

struct hub_share *hub_share_get(struct pool_share *share);      /* The share's; made when it is missing. */
void hub_share_free(struct hub_share **listening);              /* NULL is fine. Without members. */

#endif
