/* What the choice of a server needs to know of a database's names (pgweir/route_names.h): the part of the question that asks
 * for it, and the rows of its answer.
 *
 * Functions: the catalog's volatility, but for PostgreSQL's own that are volatile and do no harm, and for those that are
 * stable and answer differently on a replica. Names that unsafe functions stand behind: views, tables with policies, whatever
 * uses those, domains, operators; as stored trees name what they call by number, they are searched for the numbers, which takes
 * no locks. Foreign tables are unsafe by themselves, and so are sequences, which are a bit ahead on a replica.
 *
 * Failure story: if the server refuses or is too slow, there are no names, and the primary serves. */
#include <string.h>

#include "functions_internal.h"

static const char question[] =
	/* The list of functions is complete; what fails from here on costs the names only. */
	"; SELECT '', 'e', '', ''; WITH RECURSIVE f AS MATERIALIZED ("
	" SELECT p.oid, p.proname, p.pronargs > 0 AND p.pronargs - p.pronargdefaults < 2 AS one,"
	" CASE WHEN p.oid < 16384 AND p.proname IN ('clock_timestamp', 'gen_random_uuid', 'pg_database_size', 'pg_indexes_size',"
	" 'pg_partition_ancestors', 'pg_partition_tree', 'pg_relation_size', 'pg_sleep', 'pg_sleep_for', 'pg_sleep_until',"
	" 'pg_table_size', 'pg_tablespace_size', 'pg_total_relation_size', 'random', 'random_normal', 'timeofday', 'uuidv4', 'uuidv7')"
	" THEN false"
	" WHEN p.oid < 16384 AND (p.proname LIKE 'pg\\_stat\\_%' OR p.proname IN ('current_setting', 'inet_server_addr',"
	/* Those that take the name of a table, a type or a schema as a string might as well run SQL. */
	" 'inet_server_port', 'table_to_xml', 'table_to_xml_and_xmlschema', 'schema_to_xml', 'schema_to_xml_and_xmlschema',"
	" 'database_to_xml', 'database_to_xml_and_xmlschema', 'pg_input_is_valid', 'pg_input_error_info', 'pg_conf_load_time', 'pg_config', 'pg_current_snapshot', 'pg_current_xact_id',"
	" 'pg_current_xact_id_if_assigned', 'pg_cursor', 'pg_get_replication_slots', 'pg_is_other_temp_schema',"
	" 'pg_listening_channels', 'pg_my_temp_schema', 'pg_postmaster_start_time', 'pg_prepared_statement', 'pg_show_all_settings',"
	" 'pg_trigger_depth', 'pg_walfile_name', 'pg_walfile_name_offset', 'txid_current', 'txid_current_if_assigned',"
	" 'txid_current_snapshot')) THEN true"
	" WHEN p.prokind = 'a' AND p.oid >= 16384 THEN EXISTS (SELECT FROM pg_aggregate a JOIN pg_proc q ON q.oid IN (a.aggtransfn,"
	" a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn) WHERE a.aggfnoid = p.oid AND q.provolatile = 'v')"
	" WHEN p.provolatile = 'v' THEN NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid"
	" WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'"
	" AND x.extname IN ('pgcrypto', 'uuid-ossp'))"
	" ELSE false END AS unsafe FROM pg_proc p WHERE p.prokind <> 'p'),"
	/* Settings follow the session, so that a policy or view that asks for one gets the same answer. */
	" u AS MATERIALIZED (SELECT oid FROM f WHERE unsafe AND proname <> 'current_setting'),"
	" o AS MATERIALIZED (SELECT p.oid, p.oprname FROM pg_operator p WHERE p.oid >= 16384 AND (p.oprcode IN (SELECT oid FROM u)"
	" OR EXISTS (SELECT FROM pg_operator q WHERE q.oid IN (p.oprcom, p.oprnegate) AND q.oprcode IN (SELECT oid FROM u)))),"
	" t AS (SELECT c.oid, w.ev_action::text AS tree FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class"
	" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND w.ev_type = '1' AND n.nspname <> 'information_schema'"
	" UNION ALL SELECT polrelid, polqual::text FROM pg_policy),"
	" m AS MATERIALIZED (SELECT t.oid, x[1] AS what, x[2]::oid AS target FROM t,"
	" regexp_matches(t.tree, ':(relid|opno|funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') x),"
	" uses AS MATERIALIZED (SELECT m.oid, m.target FROM m WHERE m.what = 'relid' UNION SELECT inhparent, inhrelid FROM pg_inherits),"
	" bad AS (SELECT m.oid FROM m WHERE CASE m.what WHEN 'relid' THEN false WHEN 'opno' THEN m.target IN (SELECT oid FROM o)"
	" ELSE m.target IN (SELECT oid FROM u) END UNION SELECT oid FROM pg_class WHERE relkind IN ('f', 'S')"
	" UNION SELECT uses.oid FROM bad JOIN uses ON uses.target = bad.oid),"
	" names AS (SELECT proname, bool_or(unsafe) AS unsafe FROM f GROUP BY proname)"
	" SELECT '', 's', '', coalesce(string_agg(proname, E'\\n'), '') FROM names WHERE NOT unsafe AND strpos(proname, E'\\n') = 0"
	" UNION ALL SELECT '', 'u', '', coalesce(string_agg(proname, E'\\n'), '') FROM names WHERE unsafe AND strpos(proname, E'\\n') = 0"
	" UNION ALL SELECT c.relname, 'm', '', '' FROM pg_class c WHERE c.oid IN (SELECT oid FROM bad)"
	/* SELECT (1).f, SELECT t.f FROM t */
	" UNION ALL SELECT proname, 'm', '', '' FROM f WHERE unsafe AND one"
	" UNION ALL SELECT y.typname, 'm', '', '' FROM pg_type y WHERE y.oid >= 16384 AND (y.typinput IN (SELECT oid FROM u)"
	" OR EXISTS (SELECT FROM pg_constraint k, regexp_matches(k.conbin::text, ':(funcid|opfuncid) ([1-9][0-9]*)', 'g') x"
	" WHERE k.contypid = y.oid AND x[2]::oid IN (SELECT oid FROM u)))"
	" UNION ALL SELECT oprname, 'o', '', '' FROM o"
	" UNION ALL SELECT '', 'x', '', '' WHERE EXISTS (SELECT FROM pg_cast WHERE castfunc IN (SELECT oid FROM u))"
	" OR EXISTS (SELECT FROM pg_amproc WHERE amproc IN (SELECT oid FROM u))"
	" OR EXISTS (SELECT FROM pg_amop WHERE amopopr IN (SELECT oid FROM o))"
	" OR EXISTS (SELECT FROM pg_range WHERE rngcanonical IN (SELECT oid FROM u))";

const char *functions_names_question(void)
{
	return question;
}

static void add_unsafe(struct route_names *names, const char *name, size_t size)
{
	route_names_add_function(names, name, size, false);
	/* The scanner tells no calls of those that it knows. */
	if (scan_knows_function(name, size))
		route_names_add_relation(names, name, size);
}

static void add_functions(struct route_names *names, const char *list, bool safe)
{
	while (*list) {
		size_t size = strcspn(list, "\n");

		if (safe)
			route_names_add_function(names, list, size, true);
		else
			add_unsafe(names, list, size);
		list += size + (list[size] == '\n');
	}
}

bool functions_names_row(struct route_names **names, const char *name, char kind, const char *list)
{
	if (!strchr("esumox", kind) || (!*names && kind != 'e'))
		return false;
	if (kind == 'e' && !*names)
		*names = route_names_new();
	else if (kind == 's' || kind == 'u')
		add_functions(*names, list, kind == 's');
	else if (kind == 'm')
		route_names_add_relation(*names, name, strlen(name));
	else if (kind == 'o')
		route_names_add_operator(*names, name, strlen(name));
	else if (kind == 'x')
		route_names_set_unsafe_everywhere(*names);
	return true;
}

void functions_names_add_mark(struct route_names *names, const char *name, size_t size, uint32_t flags)
{
	/* A stable function whose body is seen to set something or to lock. */
	if (flags & FUNCTIONS_LEAVE && !(flags & FUNCTIONS_HIDE))
		add_unsafe(names, name, size);
}
