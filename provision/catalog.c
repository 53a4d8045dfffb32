#include "catalog.h"

#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"

/* How far we reach to what role `o` owns. Before 16 whoever may create roles may join any but superusers; since then it
 * takes the admin option. */
#define REACH \
	"CASE WHEN me.rolsuper OR pg_has_role(me.oid, o.oid, 'USAGE') THEN 1" \
	" WHEN o.rolsuper OR o.rolname = 'pg_database_owner' OR pg_has_role(o.oid, me.oid, 'MEMBER') THEN 0" \
	" WHEN current_setting('server_version_num')::int < 160000 THEN CASE WHEN me.rolcreaterole THEN 2 ELSE 0 END" \
	" WHEN pg_has_role(me.oid, o.oid, 'MEMBER WITH ADMIN OPTION') THEN 2 ELSE 0 END"
#define ME "(SELECT r.* FROM pg_roles r WHERE r.rolname = current_user)"

static const char us_sql[] =
	"SELECT me.rolname, me.rolsuper, me.rolreplication, me.rolcreaterole,"
	" EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication'), current_setting('wal_level') = 'logical',"
	" current_setting('password_encryption') = 'md5'"
	" FROM " ME " me";

static const char role_sql[] =
	"SELECT r.rolcanlogin, r.rolinherit, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls, r.rolreplication,"
	" coalesce(r.rolvaliduntil, 'infinity') <> 'infinity', r.rolconnlimit,"
	" CASE WHEN isfinite(r.rolvaliduntil) THEN floor(extract(epoch FROM r.rolvaliduntil))::bigint END,"
	" shobj_description(r.oid, 'pg_authid')"
	" FROM pg_roles r WHERE r.rolname = $1::text";

static const char memberships_sql[] =
	"SELECT DISTINCT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member"
	" WHERE r.rolname = $1::text ORDER BY 1";

static const char admins_sql[] =
	"SELECT DISTINCT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member"
	" WHERE r.rolname = $1::text AND m.admin_option ORDER BY 1";

/* Since 16. Of several grants of one membership each adds what it allows. */
static const char lame_sql[] =
	"SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member"
	" WHERE r.rolname = $1::text GROUP BY 1 HAVING NOT (bool_or(m.inherit_option) AND bool_or(m.set_option)) ORDER BY 1";

/* What holds in one database only is told apart by its name in front, and is never declared. */
static const char settings_sql[] =
	"SELECT coalesce(d.datname || ': ', '') || c FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole"
	" LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c WHERE r.rolname = $1::text ORDER BY 1";

static const char owners_sql[] =
	"SELECT o.rolname, " REACH " FROM pg_roles o, " ME " me WHERE o.rolname = ANY ($1::text[])";

/* Of databases that are not declared, and of what belongs to no database. */
static const char others_sql[] =
	"SELECT DISTINCT CASE WHEN s.dbid <> 0 THEN 'has privileges or objects in database ' || quote_ident(d.datname)"
	" ELSE 'has privileges on ' || pg_describe_object(s.classid, s.objid, s.objsubid) END"
	" FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid"
	" WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1::text AND s.deptype IN ('a', 'o')"
	" AND s.classid <> 'pg_database'::regclass AND NOT coalesce(d.datname = ANY ($2::text[]), false)"
	" AND (s.dbid <> 0 OR s.deptype = 'a') ORDER BY 1";

/* Databases and the like. */
static const char owned_shared_sql[] =
	"SELECT 'owns ' || pg_describe_object(s.classid, s.objid, 0) FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid"
	" WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1::text AND s.deptype = 'o' AND s.dbid = 0 ORDER BY 1";

static const char owned_sql[] =
	"SELECT 'owns ' || min(pg_describe_object(s.classid, s.objid, 0)) || CASE WHEN count(*) > 1"
	" THEN format(' and %s more', count(*) - 1) ELSE '' END || ' in database ' || current_database()"
	" FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid JOIN pg_database d ON d.oid = s.dbid"
	" WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1::text AND s.deptype = 'o' AND d.datname = current_database()"
	" HAVING count(*) > 0";

#define HELD(who) "(SELECT string_agg(a.privilege_type, ',') FROM aclexplode(x.acl) a WHERE a.grantee = " who ")"
#define OBJECT_COLUMNS \
	"SELECT x.kind, x.schema, x.name, o.rolname, " HELD("r.oid") ", " HELD("0") "," \
	" (SELECT string_agg(a.privilege_type, ',') FROM aclexplode(x.acl) a" \
	"  WHERE a.is_grantable AND a.grantee <> 0 AND pg_has_role(me.oid, a.grantee, 'USAGE')), " REACH ", x.declared," \
	HELD("r.oid AND a.is_grantable")
#define OBJECT_FILTER \
	" JOIN pg_roles o ON o.oid = x.owner LEFT JOIN pg_roles r ON r.rolname = $1::text, " ME " me" \
	" WHERE (x.declared OR EXISTS (SELECT FROM aclexplode(x.acl) a WHERE a.grantee = r.oid))" \
	" ORDER BY x.kind, x.schema, x.name"

static const char databases_sql[] = OBJECT_COLUMNS
	" FROM (SELECT 0 AS kind, ''::name AS schema, d.datname AS name, d.datdba AS owner,"
	"  coalesce(d.datacl, acldefault('d', d.datdba)) AS acl, d.datname = ANY ($2::text[]) AS declared FROM pg_database d) x"
	OBJECT_FILTER;

/* The owner of schema public is pg_database_owner, whose only member is the owner of the database. */
static const char objects_sql[] = OBJECT_COLUMNS
	" FROM (SELECT 1 AS kind, n.nspname AS schema, ''::name AS name, CASE n.nspowner::regrole::text WHEN 'pg_database_owner'"
	"   THEN (SELECT datdba FROM pg_database WHERE datname = current_database()) ELSE n.nspowner END AS owner,"
	"  coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl, n.nspname = ANY ($2::text[]) AS declared FROM pg_namespace n"
	" UNION ALL SELECT CASE c.relkind WHEN 'S' THEN 3 ELSE 2 END, n.nspname, c.relname, c.relowner,"
	"  coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner)),"
	"  n.nspname = ANY ($2::text[]) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	"  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
	" UNION ALL SELECT CASE d.defaclobjtype WHEN 'S' THEN 5 ELSE 4 END, coalesce(n.nspname, ''), '', d.defaclrole,"
	"  d.defaclacl, false FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace"
	"  WHERE d.defaclobjtype IN ('r', 'S')) x"
	OBJECT_FILTER;

static const char details_sql[] =
	"SELECT 'has privileges on columns of ' || s.objid::regclass FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid"
	" JOIN pg_database d ON d.oid = s.dbid WHERE r.rolname = $1::text AND s.refclassid = 'pg_authid'::regclass AND s.deptype = 'a'"
	" AND d.datname = current_database() AND s.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_attribute t,"
	"  aclexplode(t.attacl) a WHERE t.attrelid = s.objid AND a.grantee = r.oid)"
	" UNION SELECT 'has privileges on ' || pg_describe_object(s.classid, s.objid, s.objsubid)"
	" FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid JOIN pg_database d ON d.oid = s.dbid"
	" WHERE r.rolname = $1::text AND s.refclassid = 'pg_authid'::regclass AND s.deptype = 'a' AND d.datname = current_database()"
	" AND s.classid NOT IN ('pg_class'::regclass, 'pg_namespace'::regclass, 'pg_default_acl'::regclass)"
	" UNION SELECT 'has ' || pg_describe_object('pg_default_acl'::regclass, d.oid, 0) FROM pg_default_acl d, pg_roles r"
	" WHERE r.rolname = $1::text AND d.defaclobjtype NOT IN ('r', 'S')"
	" AND EXISTS (SELECT FROM aclexplode(d.defaclacl) a WHERE a.grantee = r.oid) ORDER BY 1";

/* --- Asking --- */

/* {"a","b"}, as the server's text[] reads it. */
static char *array_of(const struct names *names)
{
	struct buf text = { 0 };

	buf_append_char(&text, '{');
	for (size_t i = 0; i < names->count; i++) {
		buf_append_text(&text, i ? ",\"" : "\"");
		for (const char *at = names->items[i]; *at; at++) {
			if (*at == '"' || *at == '\\')
				buf_append_char(&text, '\\');
			buf_append_char(&text, *at);
		}
		buf_append_char(&text, '"');
	}
	buf_append_char(&text, '}');
	return buf_take_text(&text);
}

static bool is_true(const struct pgclient_result *result, size_t row, size_t column)
{
	const char *value = pgclient_value(result, row, column);

	return value && value[0] == 't';
}

static struct pgclient_result *ask(struct pgclient_sync *client, const char *sql, const char *first,
	const struct names *second, struct error *error)
{
	char *array = second ? array_of(second) : NULL;
	const char *parameters[] = { first, array };
	struct pgclient_result *result;

	if (first)
		result = pgclient_sync_query(client, sql, parameters, second ? 2 : 1, error);
	else
		result = pgclient_sync_query(client, sql, &parameters[1], second ? 1 : 0, error);
	mem_free(array);
	return result;
}

static bool read_names(struct pgclient_sync *client, const char *sql, const char *role, const struct names *more,
	struct names *names, struct error *error)
{
	struct pgclient_result *result = ask(client, sql, role, more, error);

	for (size_t i = 0; result && i < pgclient_rows(result); i++)
		if (pgclient_value(result, i, 0))
			names_add(names, pgclient_value(result, i, 0));
	bool good = result;

	pgclient_sync_result_free(&result);
	return good;
}

/* --- The role --- */

static bool read_us(struct pgclient_sync *client, struct catalog *catalog, struct error *error)
{
	struct pgclient_result *result = ask(client, us_sql, NULL, NULL, error);

	if (!result)
		return false;
	catalog->we = mem_strdup(pgclient_value(result, 0, 0));
	catalog->we_are_super = is_true(result, 0, 1);
	catalog->we_replicate = is_true(result, 0, 2);
	catalog->we_create_roles = is_true(result, 0, 3);
	catalog->rds = is_true(result, 0, 4);
	catalog->logical = is_true(result, 0, 5);
	catalog->md5 = is_true(result, 0, 6);
	pgclient_sync_result_free(&result);
	return true;
}

static bool read_attributes(struct pgclient_sync *client, const char *role, struct catalog *catalog, struct error *error)
{
	struct pgclient_result *result = ask(client, role_sql, role, NULL, error);

	if (!result)
		return false;
	catalog->exists = pgclient_rows(result) > 0;
	if (catalog->exists) {
		bool *const flags[] = { &catalog->login, &catalog->inherits, &catalog->super, &catalog->creates_roles,
			&catalog->creates_databases, &catalog->bypasses_rls, &catalog->replicates, &catalog->has_expiry };

		for (size_t i = 0; i < ARRAY_LEN(flags); i++)
			*flags[i] = is_true(result, 0, i);
		catalog->connection_limit = (int)strtol(pgclient_value(result, 0, 8), NULL, 10);
		if (catalog->has_expiry && pgclient_value(result, 0, 9))
			catalog->expires_s = strtoll(pgclient_value(result, 0, 9), NULL, 10);
		catalog->comment = mem_strdup(pgclient_value(result, 0, 10));
	}
	pgclient_sync_result_free(&result);
	return true;
}

static bool read_owners(struct pgclient_sync *client, const struct names *owners, struct catalog *catalog,
	struct error *error)
{
	struct pgclient_result *result = ask(client, owners_sql, NULL, owners, error);

	if (!result)
		return false;
	catalog->owner_count = pgclient_rows(result);
	catalog->owners = NEW_ARRAY(struct catalog_owner, catalog->owner_count);
	for (size_t i = 0; i < catalog->owner_count; i++)
		catalog->owners[i] = (struct catalog_owner){ .name = mem_strdup(pgclient_value(result, i, 0)),
			.reach = (enum reach)strtol(pgclient_value(result, i, 1), NULL, 10), .exists = true };
	pgclient_sync_result_free(&result);
	return true;
}

/* --- Objects --- */

static void take_object(const struct pgclient_result *result, size_t row, const char *database, struct catalog *catalog)
{
	catalog->objects = mem_realloc(catalog->objects, (catalog->object_count + 1) * sizeof(catalog->objects[0]));
	struct catalog_object *object = &catalog->objects[catalog->object_count++];

	*object = (struct catalog_object){
		.kind = (enum object_kind)strtol(pgclient_value(result, row, 0), NULL, 10),
		.schema = mem_strdup(pgclient_value(result, row, 1)),
		.name = mem_strdup(pgclient_value(result, row, 2)),
		.owner = mem_strdup(pgclient_value(result, row, 3)),
		.held = declaration_privileges(pgclient_value(result, row, 4)),
		.public_held = declaration_privileges(pgclient_value(result, row, 5)),
		.mine = declaration_privileges(pgclient_value(result, row, 6)),
		.reach = (enum reach)strtol(pgclient_value(result, row, 7), NULL, 10),
		.declared = is_true(result, row, 8),
		.grantable = declaration_privileges(pgclient_value(result, row, 9)),
	};
	object->database = mem_strdup(object->kind == OBJECT_DATABASE ? object->name : database);
}

static bool read_objects(struct pgclient_sync *client, const char *sql, const char *role, const struct names *declared,
	const char *database, struct catalog *catalog, struct error *error)
{
	struct pgclient_result *result = ask(client, sql, role, declared, error);

	for (size_t i = 0; result && i < pgclient_rows(result); i++)
		take_object(result, i, database, catalog);
	bool good = result;

	pgclient_sync_result_free(&result);
	return good;
}

/* Whoever is declared to be an owner may own what it likes. */
static bool read_owned(struct pgclient_sync *client, const char *sql, const struct declaration *declaration, const char *role,
	struct catalog *catalog, struct error *error)
{
	return declaration->section->profile == PROVISION_PROFILE_OWNER
		|| read_names(client, sql, role, NULL, &catalog->others, error);
}

static bool read_memberships(const struct place *place, const char *role, struct catalog *catalog, struct error *error)
{
	return read_names(place->home, memberships_sql, role, NULL, &catalog->member_of, error)
		&& read_names(place->home, admins_sql, role, NULL, &catalog->admin_of, error)
		&& (place->version < 160000 || read_names(place->home, lame_sql, role, NULL, &catalog->lame_in, error));
}

bool catalog_read_role(const struct place *place, const struct declaration *declaration, const char *role,
	struct catalog *catalog, struct error *error)
{
	struct pgclient_sync *home = place->home;
	static const struct names nothing;

	*catalog = (struct catalog){ 0 };
	bool good = read_us(home, catalog, error) && read_attributes(home, role, catalog, error)
		&& read_memberships(place, role, catalog, error)
		&& read_names(home, settings_sql, role, NULL, &catalog->settings, error)
		&& read_names(home, others_sql, role, &declaration->databases, &catalog->others, error)
		&& read_owned(home, owned_shared_sql, declaration, role, catalog, error)
		&& read_owners(home, declaration->owners.count ? &declaration->owners : &nothing, catalog, error)
		&& read_objects(home, databases_sql, role, &declaration->databases, "", catalog, error);

	catalog->rds_replicates = names_have(&catalog->member_of, "rds_replication");
	return good;
}

bool catalog_read_database(struct pgclient_sync *client, const struct declaration *declaration, const char *role,
	const char *database, struct catalog *catalog, struct error *error)
{
	return read_objects(client, objects_sql, role, &declaration->schemas, database, catalog, error)
		&& read_names(client, details_sql, role, NULL, &catalog->others, error)
		&& read_owned(client, owned_sql, declaration, role, catalog, error);
}

enum reach catalog_reach(const struct catalog *catalog, const char *owner)
{
	for (size_t i = 0; i < catalog->owner_count; i++)
		if (strcmp(catalog->owners[i].name, owner) == 0)
			return catalog->owners[i].reach;
	return REACH_NONE;
}

bool catalog_owner_exists(const struct catalog *catalog, const char *owner)
{
	for (size_t i = 0; i < catalog->owner_count; i++)
		if (strcmp(catalog->owners[i].name, owner) == 0)
			return true;
	return false;
}

void catalog_fini(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->object_count; i++) {
		struct catalog_object *object = &catalog->objects[i];

		mem_free(object->database);
		mem_free(object->schema);
		mem_free(object->name);
		mem_free(object->owner);
	}
	mem_free(catalog->objects);
	for (size_t i = 0; i < catalog->owner_count; i++)
		mem_free(catalog->owners[i].name);
	mem_free(catalog->owners);
	mem_free(catalog->we);
	mem_free(catalog->comment);
	names_fini(&catalog->member_of);
	names_fini(&catalog->admin_of);
	names_fini(&catalog->lame_in);
	names_fini(&catalog->settings);
	names_fini(&catalog->others);
	*catalog = (struct catalog){ 0 };
}
