/* What SHOW shows: for each subject its columns and what fills them in. */
#ifndef PGWEIR_ADMIN_SHOW_H
#define PGWEIR_ADMIN_SHOW_H

#include "job.h"

#define TABLE(columns_) { .columns = (columns_), .count = ARRAY_LEN(columns_) }
#define SHOW(subject) \
	extern const struct table subject##_table; \
	void show_##subject(struct job *job)

SHOW(databases);
SHOW(pools);
SHOW(routes);
SHOW(clients);
SHOW(clusters);
SHOW(servers);
SHOW(sockets);
SHOW(active_sockets);
SHOW(events);
SHOW(users);
SHOW(stats);
SHOW(stats_totals);
SHOW(stats_averages);
SHOW(totals);
SHOW(config);
SHOW(lists);
SHOW(listeners);
SHOW(mem);
SHOW(version);
SHOW(help);
SHOW(state);
SHOW(hosts);
SHOW(peers);
SHOW(peer_pools);
SHOW(dns_hosts);
SHOW(dns_zones);
SHOW(pins);
SHOW(provision);
SHOW(secrets);
SHOW(threads);

/* explain_route.c */
extern const struct table explain_route_table;
job_cb explain_route;

/* The answer of a SHOW whose rows are complete. */
void show_done(struct job *job);
/* A time of the past, as PgBouncer writes it. */
void show_time(struct result *result, uint64_t now_us, uint64_t at_us);
const char *show_pool_mode(enum pool_mode mode);

#endif
