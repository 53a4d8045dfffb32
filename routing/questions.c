#include "questions.h"

#include "pgweir/mem.h"

/* On a replica the control file knows of a new timeline only with the next restartpoint; whoever sends it WAL says so at
 * once, if we may see it (pg_monitor). */
const char questions_streaming[] =
	"SELECT r.recovering, "
	"CASE WHEN r.recovering THEN greatest((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver), "
	"(SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()), "
	"(SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery())) "
	"ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END, "
	"(SELECT system_identifier FROM pg_catalog.pg_control_system()), "
	"CASE WHEN r.recovering THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0'::pg_lsn, "
	"i.bytes_per_wal_segment, i.wal_block_size "
	"FROM (SELECT pg_catalog.pg_is_in_recovery() AS recovering OFFSET 0) r, pg_catalog.pg_control_init() i";

const char questions_kind[] =
	"SELECT to_regprocedure('pg_catalog.aurora_replica_status()') IS NOT NULL, "
	"to_regprocedure('rds_tools.show_topology(text)') IS NOT NULL";

/* Nodes that are gone stay in the list for a while. */
const char questions_aurora_nodes[] =
	"SELECT s.*, s.server_id = pg_catalog.aurora_db_instance_identifier() AS self FROM pg_catalog.aurora_replica_status() s "
	"WHERE s.session_id = 'MASTER_SESSION_ID' OR s.last_update_timestamp IS NULL "
	"OR s.last_update_timestamp > now() - interval '5 minutes'";

const char questions_multi_az_nodes[] = "SELECT id AS server_id, endpoint, port FROM rds_tools.show_topology('driver')";

/* By way of jsonb a column that is not there is NULL. The query may end in a comment. */
char *questions_wrap(const char *query)
{
	return mem_printf("SELECT pg_is_in_recovery(), n.j ->> 'server_id', n.j ->> 'session_id', n.j ->> 'replica_lag_in_msec', "
		"extract(epoch FROM clock_timestamp() - (n.j ->> 'last_update_timestamp')::timestamptz) * 1000, "
		"n.j ->> 'self', n.j ->> 'endpoint', n.j ->> 'port' "
		"FROM (SELECT 1) one LEFT JOIN (SELECT to_jsonb(q) AS j FROM (\n%s\n) q) n ON true", query);
}

void questions_read_nodes(const struct pgclient_result *result, struct nodes *nodes)
{
	nodes->count = 0;
	for (size_t row = 0; row < pgclient_rows(result); row++)
		nodes_add(nodes, &(struct node_texts){
			.id = pgclient_value(result, row, NODE_ID),
			.session_id = pgclient_value(result, row, NODE_SESSION),
			.lag_ms = pgclient_value(result, row, NODE_LAG),
			.age_ms = pgclient_value(result, row, NODE_AGE),
			.self = pgclient_value(result, row, NODE_SELF),
			.host = pgclient_value(result, row, NODE_HOST),
			.port = pgclient_value(result, row, NODE_PORT),
		});
}
