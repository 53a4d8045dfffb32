/* Privileges on databases, schemas, tables and sequences, and default privileges. */
#include <string.h>

#include "pgweir/mem.h"
#include "plan_internal.h"
#include "sql.h"

enum { NAMES_PER_STATEMENT = 50 };

static uint32_t wanted_on(const struct planning *planning, const struct catalog_object *object)
{
	const struct declaration *declaration = planning->request->declaration;
	bool future = object->kind == OBJECT_FUTURE_TABLES || object->kind == OBJECT_FUTURE_SEQUENCES;
	bool declared = future ? names_have(&declaration->owners, object->owner) && names_have(&declaration->schemas, object->schema)
		: object->declared;

	return declared ? declaration->privileges[object->kind] : 0;
}

static char *object_name(const struct catalog_object *object)
{
	if (object->kind == OBJECT_FUTURE_TABLES || object->kind == OBJECT_FUTURE_SEQUENCES)
		return mem_printf("of %s in %s%s", object->owner, *object->schema ? "schema " : "every schema", object->schema);
	if (object->kind == OBJECT_DATABASE)
		return mem_strdup(object->name);
	if (object->kind == OBJECT_SCHEMA)
		return mem_strdup(object->schema);
	return mem_printf("%s.%s", object->schema, object->name);
}

/* --- Borrowing --- */

/* A member of the owner for the time of this transaction. */
static bool borrow(struct planning *planning, const struct catalog_object *object)
{
	if (object->reach != REACH_BORROW || names_have(&planning->borrowed, object->owner))
		return true;
	names_add(&planning->borrowed, object->owner);
	return planning_add(planning, STEP_MEANS, mem_printf("be a member of %s for the time of this transaction", object->owner),
		planning->request->place->version >= 160000 ? "GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE"
		: "GRANT %I TO CURRENT_USER", object->owner);
}

bool planning_return_borrowed(struct planning *planning)
{
	bool good = true;

	for (size_t i = 0; i < planning->borrowed.count && good; i++)
		good = planning_add(planning, STEP_MEANS, mem_printf("be no member of %s any more", planning->borrowed.items[i]),
			planning->request->place->version >= 160000 ? "REVOKE %I FROM CURRENT_USER GRANTED BY CURRENT_USER"
			: "REVOKE %I FROM CURRENT_USER", planning->borrowed.items[i]);
	names_fini(&planning->borrowed);
	return good;
}

/* --- One statement for objects that lack, or have beyond, the same --- */

/* Of privileges: what is missing is given, what is beyond the declaration is taken, or only the right to hand it on. */
enum group_act { GIVE, TAKE, TAKE_OPTION };

static const struct {
	const char *says, *says_at_last, *begins, *ends;
} acts[] = {
	[GIVE] = { "lacks", "", "GRANT ", " TO %I" },
	[TAKE] = { "has", "", "REVOKE ", " FROM %I" },
	[TAKE_OPTION] = { "may grant", " to others", "REVOKE GRANT OPTION FOR ", " FROM %I" },
};

struct group {
	uint32_t privileges;
	enum group_act act;
	const struct catalog_object *members[NAMES_PER_STATEMENT];
	size_t count;
};

static bool append_targets(struct pgclient_sync *client, const struct group *group, struct buf *sql, struct error *error)
{
	static const char *const words[] = { [OBJECT_DATABASE] = "DATABASE ", [OBJECT_SCHEMA] = "SCHEMA ", [OBJECT_TABLE] = "TABLE ",
		[OBJECT_SEQUENCE] = "SEQUENCE " };
	enum object_kind kind = group->members[0]->kind;
	bool good = true;

	buf_append_text(sql, words[kind]);
	for (size_t i = 0; i < group->count && good; i++) {
		const struct catalog_object *object = group->members[i];
		const char *between = i ? ", " : "";

		if (kind == OBJECT_DATABASE)
			good = sql_append(client, sql, error, "%s%I", between, object->name);
		else if (kind == OBJECT_SCHEMA)
			good = sql_append(client, sql, error, "%s%I", between, object->schema);
		else
			good = sql_append(client, sql, error, "%s%I.%I", between, object->schema, object->name);
	}
	return good;
}

/* GRANT … ON … TO …, or ALTER DEFAULT PRIVILEGES … GRANT … */
static bool append_statement(const struct planning *planning, const struct group *group, struct buf *sql)
{
	const struct catalog_object *first = group->members[0];
	struct pgclient_sync *client = planning->request->place->home;
	bool future = first->kind == OBJECT_FUTURE_TABLES || first->kind == OBJECT_FUTURE_SEQUENCES, good = true;

	if (future)
		good = sql_append(client, sql, planning->error, "ALTER DEFAULT PRIVILEGES FOR ROLE %I ", first->owner);
	if (future && *first->schema && good)
		good = sql_append(client, sql, planning->error, "IN SCHEMA %I ", first->schema);
	buf_append_text(sql, acts[group->act].begins);
	declaration_append_privileges(sql, group->privileges);
	buf_append_text(sql, " ON ");
	if (future)
		buf_append_text(sql, first->kind == OBJECT_FUTURE_TABLES ? "TABLES" : "SEQUENCES");
	else
		good = good && append_targets(client, group, sql, planning->error);
	return good && sql_append(client, sql, planning->error, acts[group->act].ends, planning->request->role);
}

static char *describe(const struct planning *planning, const struct group *group, const char *why)
{
	struct buf what = { 0 };

	buf_printf(&what, "role %s %s ", planning->request->role, acts[group->act].says);
	declaration_append_privileges(&what, group->privileges);
	buf_printf(&what, " on %s%s ", declaration_kind_word(group->members[0]->kind),
		group->count > 1 && group->members[0]->kind <= OBJECT_SEQUENCE ? "s" : "");
	for (size_t i = 0; i < group->count; i++) {
		char *name = object_name(group->members[i]);

		buf_printf(&what, "%s%s", i ? ", " : "", name);
		mem_free(name);
	}
	buf_append_text(&what, acts[group->act].says_at_last);
	buf_append_text(&what, why);
	return buf_take_text(&what);
}

static bool may_change(const struct catalog_object *object, const struct group *group)
{
	return object->reach != REACH_NONE || (group->act == GIVE && (group->privileges & ~object->mine) == 0);
}

static bool add_group(struct planning *planning, const struct group *group)
{
	const struct catalog_object *first = group->members[0];
	struct buf sql = { 0 };

	if (!may_change(first, group)) {
		char *why = mem_printf(": %s is neither %s, the owner, nor may it become a member", planning->catalog->we, first->owner);

		plan_add(planning->plan, group->act == GIVE ? STEP_BLOCKED : STEP_EXTRA, planning->database,
			describe(planning, group, why), NULL);
		mem_free(why);
		return true;
	}
	enum step_kind kind = group->act == GIVE ? STEP_CHANGE : planning_extra(planning);

	if ((kind == STEP_CHANGE && !borrow(planning, first)) || !append_statement(planning, group, &sql)) {
		buf_fini(&sql);
		return false;
	}
	plan_add(planning->plan, kind, planning->database, describe(planning, group, ""), buf_take_text(&sql));
	return true;
}

static uint32_t difference(const struct planning *planning, const struct catalog_object *object, enum group_act act)
{
	uint32_t wanted = wanted_on(planning, object);

	/* What it owns it may use anyway. */
	if (strcmp(object->owner, planning->request->role) == 0)
		return 0;
	if (act == TAKE)
		return object->held & ~wanted;
	if (act == TAKE_OPTION)
		return object->grantable & wanted;
	uint32_t missing = wanted & ~object->held;

	/* What cannot be granted to the role is good enough if everybody has it. */
	if (object->reach == REACH_NONE && (missing & ~object->mine))
		missing &= ~object->public_held;
	return missing;
}

static bool alike(const struct catalog_object *a, const struct catalog_object *b)
{
	bool listed = a->kind == OBJECT_TABLE || a->kind == OBJECT_SEQUENCE;

	return listed && a->kind == b->kind && strcmp(a->schema, b->schema) == 0 && strcmp(a->owner, b->owner) == 0
		&& a->reach == b->reach && a->mine == b->mine;
}

static bool add_groups(struct planning *planning, size_t first, size_t end, enum group_act act)
{
	const struct catalog *catalog = planning->catalog;
	bool *done = NEW_ARRAY(bool, end), good = true;

	for (size_t i = first; i < end && good; i++) {
		struct group group = { .privileges = difference(planning, &catalog->objects[i], act), .act = act };

		if (done[i] || !group.privileges)
			continue;
		for (size_t j = i; j < end && group.count < NAMES_PER_STATEMENT; j++) {
			const struct catalog_object *object = &catalog->objects[j];

			if (done[j] || (j > i && (!alike(&catalog->objects[i], object)
			    || difference(planning, object, act) != group.privileges)))
				continue;
			done[j] = true;
			group.members[group.count++] = object;
		}
		good = add_group(planning, &group);
	}
	mem_free(done);
	return good;
}

static bool add_all_groups(struct planning *planning, size_t first, size_t end)
{
	return add_groups(planning, first, end, GIVE) && add_groups(planning, first, end, TAKE)
		&& add_groups(planning, first, end, TAKE_OPTION);
}

bool planning_databases(struct planning *planning)
{
	return add_all_groups(planning, 0, planning->catalog->object_count);
}

/* --- Default privileges that are not there at all --- */

static bool has_future(const struct catalog *catalog, size_t first, enum object_kind kind, const char *owner,
	const char *schema)
{
	for (size_t i = first; i < catalog->object_count; i++) {
		const struct catalog_object *object = &catalog->objects[i];

		if (object->kind == kind && strcmp(object->owner, owner) == 0 && strcmp(object->schema, schema) == 0)
			return true;
	}
	return false;
}

static void add_missing_future(struct planning *planning, size_t first, const char *owner, const char *schema)
{
	static const enum object_kind kinds[] = { OBJECT_FUTURE_TABLES, OBJECT_FUTURE_SEQUENCES };
	struct catalog *catalog = planning->catalog;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!planning->request->declaration->privileges[kinds[i]] || has_future(catalog, first, kinds[i], owner, schema))
			continue;
		catalog->objects = mem_realloc(catalog->objects, (catalog->object_count + 1) * sizeof(catalog->objects[0]));
		catalog->objects[catalog->object_count++] = (struct catalog_object){ .kind = kinds[i],
			.database = mem_strdup(planning->database), .schema = mem_strdup(schema), .name = mem_strdup(""),
			.owner = mem_strdup(owner), .reach = catalog_reach(catalog, owner) };
	}
}

static bool schema_exists(const struct planning *planning, size_t first, const char *schema)
{
	const struct catalog *catalog = planning->catalog;

	for (size_t i = first; i < catalog->object_count; i++)
		if (catalog->objects[i].kind == OBJECT_SCHEMA && strcmp(catalog->objects[i].schema, schema) == 0)
			return true;
	return false;
}

static bool add_schema(struct planning *planning, size_t first, const char *schema)
{
	const struct declaration *declaration = planning->request->declaration;

	if (!schema_exists(planning, first, schema))
		return planning_add(planning, STEP_BLOCKED, mem_printf("schema %s does not exist", schema), NULL);
	for (size_t i = 0; i < declaration->owners.count; i++) {
		const char *owner = declaration->owners.items[i];

		if (strcmp(owner, planning->request->role) == 0)
			continue;
		if (catalog_owner_exists(planning->catalog, owner))
			add_missing_future(planning, first, owner, schema);
		else if (!planning_add(planning, STEP_BLOCKED, mem_printf("owner %s does not exist", owner), NULL))
			return false;
	}
	return true;
}

/* What the declaration does not give may be there all the same. */
static void warn_of_public(struct planning *planning, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		const struct catalog_object *object = &planning->catalog->objects[i];
		uint32_t beyond = object->public_held & ~(wanted_on(planning, object) | object->held);
		struct buf what = { 0 };

		if (!object->declared || !beyond || planning->request->clone_of || planning->request->privileges_only)
			continue;
		char *name = object_name(object);

		buf_append_text(&what, "everybody has ");
		declaration_append_privileges(&what, beyond);
		buf_printf(&what, " on %s %s, and so has role %s", declaration_kind_word(object->kind), name, planning->request->role);
		plan_add(planning->plan, STEP_WARNING, planning->database, buf_take_text(&what), NULL);
		mem_free(name);
	}
}

bool planning_objects(struct planning *planning, size_t first)
{
	const struct declaration *declaration = planning->request->declaration;

	for (size_t i = 0; i < declaration->schemas.count && declaration->privileges[OBJECT_SCHEMA]; i++)
		if (!add_schema(planning, first, declaration->schemas.items[i]))
			return false;
	size_t end = planning->catalog->object_count;

	warn_of_public(planning, first, end);
	return add_all_groups(planning, first, end);
}
