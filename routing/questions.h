/* What hosts are asked. Sessions have the search_path `pg_catalog` alone. */
#ifndef PGWEIR_QUESTIONS_H
#define PGWEIR_QUESTIONS_H

#include "nodes.h"
#include "pgweir/pgclient.h"

/* How a host tells what it is and how far it is behind. */
enum source { SOURCE_UNKNOWN, SOURCE_STREAMING, SOURCE_AURORA };

enum answer_column { ANSWER_RECOVERING, ANSWER_TIMELINE, ANSWER_SYSTEM, ANSWER_POSITION, ANSWER_SEGMENT, ANSWER_PAGE, ANSWER_COLUMNS };
extern const char questions_streaming[];

enum kind_column { KIND_AURORA, KIND_MULTI_AZ, KIND_COLUMNS };
extern const char questions_kind[];

extern const char questions_aurora_nodes[], questions_multi_az_nodes[];   /* For questions_wrap(). */

/* One row per node, at least one, whatever of these columns `query` has. To be freed. */
enum node_column { NODE_RECOVERING, NODE_ID, NODE_SESSION, NODE_LAG, NODE_AGE, NODE_SELF, NODE_HOST, NODE_PORT, NODE_COLUMNS };
char *questions_wrap(const char *query) MUST_USE;
void questions_read_nodes(const struct pgclient_result *result, struct nodes *nodes);

#endif
