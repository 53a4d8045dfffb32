/* What a probe asks a server, by what kind of server it is, and what it takes from the answer. */
#include "probe_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/clock.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "questions.h"

enum { NODES_AGAIN_US = 5 * 1000 * 1000 };

static uint64_t number(const struct pgclient_result *result, enum answer_column column)
{
	const char *text = pgclient_value(result, 0, column);

	return text ? strtoull(text, NULL, 10) : 0;
}

/* Whoever answers with an error is up, whatever it is that it does not know or let us do. True: that was it. */
static bool went_wrong(struct probe *probe, const struct pgclient_result *result, const struct error *error, size_t columns)
{
	struct error strange;

	if (!error && (pgclient_rows(result) == 0 || pgclient_columns(result) != columns)) {
		error_set(&strange, "42P01", "the server does not answer as PostgreSQL does");
		error = &strange;
	}
	if (!error)
		return false;
	/* Lost: connection_changed() (probe.c) comes next. */
	if (pgclient_is_open(probe->client))
		probe_failed(probe, error, true);
	return true;
}

static bool is_true(const struct pgclient_result *result, size_t column)
{
	const char *text = pgclient_value(result, 0, column);

	return text && text[0] == 't';
}

/* --- Streaming replication --- */

static void nodes_answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;
	struct nodes nodes;

	if (error && !pgclient_is_open(probe->client))
		return;
	if (!error)
		questions_read_nodes(result, &nodes);
	probe->nodes_callback(error ? NULL : &nodes, error, probe->arg);
}

/* Behind a look at the primary, now and then. */
static void ask_for_nodes(struct probe *probe)
{
	uint64_t now_us = clock_now_us();
	const char *query = probe->cluster->topology_query ? probe->cluster->topology_query
		: probe->multi_az ? questions_multi_az_nodes : NULL;

	if (!query || (probe->nodes_us && now_us < probe->nodes_us + NODES_AGAIN_US))
		return;
	char *sql = questions_wrap(query);

	probe->nodes_us = now_us;
	pgclient_query(probe->client, sql, NULL, 0, probe_timeout_ms(probe), nodes_answered, probe);
	mem_free(sql);
}

static void answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;

	if (went_wrong(probe, result, error, ANSWER_COLUMNS))
		return;
	struct observation observation = {
		.what = is_true(result, ANSWER_RECOVERING) ? OBSERVED_REPLICA : OBSERVED_PRIMARY,
		.asked_us = probe->asked_us,
		.now_us = clock_now_us(),
		.system_identifier = number(result, ANSWER_SYSTEM),
		.timeline = (uint32_t)number(result, ANSWER_TIMELINE),
		.position = number(result, ANSWER_POSITION),
		.wal = { (uint32_t)number(result, ANSWER_SEGMENT), (uint32_t)number(result, ANSWER_PAGE) },
	};

	probe_tell(probe, &observation);
	if (observation.what == OBSERVED_PRIMARY)
		ask_for_nodes(probe);
}

/* --- Aurora: storage is shared, so that there are neither timelines nor positions --- */

/* A former writer may not have noticed yet: what it says of the others counts. */
static enum observed aurora_role(bool recovering, const struct node *writer, const struct node *self)
{
	return recovering || (writer && self && writer != self) ? OBSERVED_REPLICA : OBSERVED_PRIMARY;
}

static bool is_own_name(const struct node *self, const struct config_host *host)
{
	return !self || !self->host[0] || (strcasecmp(self->host, host->host) == 0 && self->port == host->port);
}

static void aurora_answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;
	struct nodes nodes;

	if (went_wrong(probe, result, error, NODE_COLUMNS))
		return;
	questions_read_nodes(result, &nodes);
	nodes_place(&nodes, probe->host);
	const struct node *self = nodes_self(&nodes);
	struct observation observation = {
		.what = aurora_role(is_true(result, NODE_RECOVERING), nodes_writer(&nodes), self),
		.asked_us = probe->asked_us,
		.now_us = clock_now_us(),
		.tells_lag = self && self->tells_lag,
		.lag_us = self ? self->lag_us + self->age_us : 0,
		.server = self ? map_hash(self->id, strlen(self->id)) : 0,
		.shared_name = !is_own_name(self, probe->host),
	};

	probe_tell(probe, &observation);
	probe->nodes_callback(&nodes, NULL, probe->arg);
}

/* --- Asking --- */

static void kind_answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;

	if (went_wrong(probe, result, error, KIND_COLUMNS))
		return;
	probe->source = is_true(result, KIND_AURORA) ? SOURCE_AURORA : SOURCE_STREAMING;
	probe->multi_az = is_true(result, KIND_MULTI_AZ);
	probe_ask(probe);
}

static void ask_nodes_of_aurora(struct probe *probe)
{
	char *sql = questions_wrap(probe->cluster->topology_query ? probe->cluster->topology_query : questions_aurora_nodes);

	pgclient_query(probe->client, sql, NULL, 0, probe_timeout_ms(probe), aurora_answered, probe);
	mem_free(sql);
}

void probe_ask(struct probe *probe)
{
	probe->state = PROBE_ASKING;
	probe->asked_us = clock_now_us();
	switch (probe->source) {
	case SOURCE_UNKNOWN:
		pgclient_query(probe->client, questions_kind, NULL, 0, probe_timeout_ms(probe), kind_answered, probe);
		break;
	case SOURCE_STREAMING:
		pgclient_query(probe->client, questions_streaming, NULL, 0, probe_timeout_ms(probe), answered, probe);
		break;
	case SOURCE_AURORA:
		ask_nodes_of_aurora(probe);
		break;
	}
}
