/* What calls functions of PostgreSQL's own that leave something behind: views, rules, policies, defaults, constraints, triggers'
 * conditions, operators and casts. The catalog notes no dependency on functions of its own, so that their stored trees are
 * searched for the numbers, which takes no locks; the few that have one are then put back into SQL, which does. */
#include "functions_internal.h"

/* Split, since a pattern takes several times as long, and trees are large. A name with a blank: no call is taken for one. */
static const char question[] =
	" UNION ALL SELECT ' ' || u.used, 'b', u.used,"
	/* What a column of the result is called says nothing. */
	" coalesce(replace(u.text, ' AS set_config', ''), 'SELECT set_config()')"
	" FROM (SELECT array_agg(oid) AS oids, array_agg(oid::text) AS numbers FROM pg_proc"
	" WHERE oid < 16384 AND proname IN ('set_config', 'setseed', 'pg_advisory_lock', 'pg_advisory_lock_shared',"
	" 'pg_try_advisory_lock', 'pg_try_advisory_lock_shared', 'pg_advisory_unlock', 'pg_advisory_unlock_shared',"
	" 'pg_advisory_unlock_all', 'query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema', 'ts_stat', 'ts_rewrite',"
	" 'pg_backup_start', 'pg_start_backup', 'pg_replication_origin_session_setup', 'pg_create_physical_replication_slot',"
	" 'pg_create_logical_replication_slot', 'pg_copy_physical_replication_slot', 'pg_copy_logical_replication_slot')) b"
	" CROSS JOIN LATERAL (SELECT s.used, CASE s.what WHEN 'rule' THEN pg_get_ruledef(s.oid) WHEN 'trigger' THEN pg_get_triggerdef(s.oid)"
	" ELSE 'SELECT ' || pg_get_expr(s.expression, s.relation) END AS text FROM ("
	"SELECT 'r' AS used, 'rule' AS what, oid, 0::oid AS relation, NULL::pg_node_tree AS expression, ev_action::text || ev_qual::text AS tree"
	" FROM pg_rewrite WHERE oid >= 16384"
	" UNION ALL SELECT 'w', 'trigger', oid, 0::oid, NULL, tgqual::text FROM pg_trigger"
	" UNION ALL SELECT 'r', '', oid, polrelid, polqual, polqual::text FROM pg_policy"
	" UNION ALL SELECT 'r', '', oid, polrelid, polwithcheck, polwithcheck::text FROM pg_policy"
	" UNION ALL SELECT 'w', '', oid, adrelid, adbin, adbin::text FROM pg_attrdef"
	" UNION ALL SELECT CASE contypid WHEN 0 THEN 'w' ELSE 'r' END, '', oid, conrelid, conbin, conbin::text FROM pg_constraint"
	" UNION ALL SELECT 'w', '', oid, 0::oid, typdefaultbin, typdefaultbin::text FROM pg_type) s"
	" WHERE EXISTS (SELECT FROM unnest(string_to_array(s.tree, 'funcid ')) x WHERE split_part(x, ' ', 1) = ANY (b.numbers))"
	" UNION ALL SELECT 'r', 'SELECT ' || p.proname || '()' FROM pg_proc p WHERE p.oid = ANY (b.oids)"
	" AND (EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid) OR EXISTS (SELECT FROM pg_cast c WHERE c.castfunc = p.oid))) u";

const char *functions_trees_question(void)
{
	return question;
}
