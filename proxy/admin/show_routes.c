/* SHOW ROUTES: where work went, and why. */
#include "pgweir/mem.h"
#include "pgweir/replicas.h"
#include "show.h"

static const struct column route_columns[] = {
	{ "database", COLUMN_TEXT },
	{ "decision", COLUMN_TEXT },
	{ "reason", COLUMN_TEXT },
	{ "count", COLUMN_INT8 },
};
const struct table routes_table = TABLE(route_columns);

struct route_sum {
	uint64_t counts[ROUTE_CAUSES];
};

static void visit_routes(struct pool_share *share, void *arg)
{
	struct job *job = arg;
	struct route_sum *sum = share->replicas ? map_get_text(&job->sums, share->database_name) : NULL;

	if (!share->replicas)
		return;
	if (!sum) {
		sum = NEW(struct route_sum);
		map_put_text(&job->sums, share->database_name, sum);
	}
	for (unsigned i = 0; i < ROUTE_CAUSES; i++)
		sum->counts[i] += share->replicas->decided[i];
}

static bool put_database(const void *key, size_t size, void *value, void *arg)
{
	const struct route_sum *sum = value;
	struct result *result = arg;
	char *name = mem_strndup(key, size);

	for (unsigned i = 0; i < ROUTE_CAUSES; i++) {
		if (!sum->counts[i])
			continue;
		result_begin(result);
		result_text(result, name);
		result_text(result, route_cause_allows_replica(i) ? "replica" : "primary");
		result_text(result, route_cause_word(i));
		result_int(result, (int64_t)sum->counts[i]);
		result_end(result);
	}
	mem_free(name);
	return true;
}

static void put_routes(struct job *job)
{
	map_foreach(&job->sums, put_database, &job->result);
	show_done(job);
}

void show_routes(struct job *job)
{
	static const struct worker_walk walk = { .share = visit_routes };

	job_walk(job, &walk, put_routes);
}
