/* Which roles it is a member of, and whether it may replicate. */
#include <string.h>

#include "pgweir/mem.h"
#include "plan_internal.h"

static bool may_grant(const struct catalog *catalog, const struct place *place, const char *group, struct error *error)
{
	const char *parameters[] = { group };

	if (catalog->we_are_super || (place->version < 160000 && catalog->we_create_roles))
		return true;
	struct pgclient_result *result = pgclient_sync_query(place->home,
		"SELECT 1 FROM pg_roles WHERE rolname = $1::text AND pg_has_role(oid, 'MEMBER WITH ADMIN OPTION')", parameters, 1, error);
	bool may = result && pgclient_rows(result);

	pgclient_sync_result_free(&result);
	return may;
}

static bool role_exists(const struct place *place, const char *name, bool *exists, struct error *error)
{
	const char *parameters[] = { name };
	struct pgclient_result *result = pgclient_sync_query(place->home, "SELECT 1 FROM pg_roles WHERE rolname = $1::text", parameters, 1,
		error);

	*exists = result && pgclient_rows(result);
	bool good = result;

	pgclient_sync_result_free(&result);
	return good;
}

/* Since 16 a member may be one in name only, and its attribute INHERIT no longer decides. */
static bool plan_options(struct planning *planning, const char *group)
{
	const struct plan_request *request = planning->request;
	char *what = mem_printf("role %s is a member of %s that does not inherit, or may not SET ROLE", request->role, group);

	if (may_grant(planning->catalog, request->place, group, planning->error))
		return planning_add(planning, STEP_CHANGE, what, "GRANT %I TO %I WITH INHERIT TRUE, SET TRUE", group, request->role);
	return planning_add(planning, STEP_BLOCKED, what, NULL);
}

static bool plan_membership(struct planning *planning, const char *group)
{
	const struct plan_request *request = planning->request;
	bool exists;

	if (names_have(&planning->catalog->lame_in, group))
		return plan_options(planning, group);
	if (names_have(&planning->catalog->member_of, group))
		return true;
	if (!role_exists(request->place, group, &exists, planning->error))
		return false;
	/* What this very plan creates is there by then, and we may grant what we create. */
	bool coming = request->clone_of && strcmp(group, request->clone_of) == 0;

	if (!exists && !coming)
		return planning_add(planning, STEP_BLOCKED, mem_printf("role %s, of which %s is to be a member, does not exist", group,
			request->role), NULL);
	if (!coming && !may_grant(planning->catalog, request->place, group, planning->error))
		return planning_add(planning, STEP_BLOCKED, mem_printf("role %s is not a member of %s, and %s may not grant that",
			request->role, group, planning->catalog->we), NULL);
	return planning_add(planning, STEP_CHANGE, mem_printf("role %s is not a member of %s", request->role, group),
		"GRANT %I TO %I", group, request->role);
}

bool planning_memberships(struct planning *planning)
{
	const struct declaration *declaration = planning->request->declaration;
	const struct names *actual = &planning->catalog->member_of;
	const char *clone_of = planning->request->clone_of, *role = planning->request->role;

	for (size_t i = 0; i < declaration->member_of.count; i++)
		if (!plan_membership(planning, declaration->member_of.items[i]))
			return false;
	if (clone_of && !plan_membership(planning, clone_of))
		return false;
	for (size_t i = 0; i < actual->count; i++) {
		const char *group = actual->items[i];
		bool wanted = names_have(&declaration->member_of, group) || (clone_of && strcmp(group, clone_of) == 0)
			|| (declaration->replication && strcmp(group, "rds_replication") == 0);

		if (!wanted && !planning_add(planning, planning_extra(planning), mem_printf("role %s is a member of %s", role, group),
			"REVOKE %I FROM %I", group, role))
			return false;
		if (wanted && names_have(&planning->catalog->admin_of, group) && !planning_add(planning, planning_extra(planning),
			mem_printf("role %s may make others members of %s", role, group), "REVOKE ADMIN OPTION FOR %I FROM %I", group, role))
			return false;
	}
	return true;
}

bool planning_replication(struct planning *planning)
{
	const struct plan_request *request = planning->request;
	const struct catalog *catalog = planning->catalog;

	if (!request->declaration->replication)
		return true;
	if (!catalog->logical)
		plan_add(planning->plan, STEP_WARNING, "",
			mem_printf("wal_level is not logical%s: role %s cannot start logical replication",
			catalog->rds ? " (rds.logical_replication = 1 in the parameter group)" : "", request->role), NULL);
	plan_add(planning->plan, STEP_WARNING, "", mem_printf("with replication role %s can read every table of a database that it "
		"may connect to, and with physical replication the whole cluster, whatever is granted to it", request->role), NULL);
	if (catalog->exists && (catalog->replicates || catalog->rds_replicates))
		return true;
	char *what = mem_printf("role %s may not replicate", request->role);

	if (catalog->rds && !catalog->we_are_super)
		return planning_add(planning, STEP_CHANGE, what, "GRANT rds_replication TO %I", request->role);
	if (catalog->we_are_super || (request->place->version >= 160000 && catalog->we_replicate))
		return planning_add(planning, STEP_CHANGE, what, "ALTER ROLE %I REPLICATION", request->role);
	mem_free(what);
	return planning_add(planning, STEP_BLOCKED, mem_printf("role %s may not replicate, and only a superuser may change that",
		request->role), NULL);
}
