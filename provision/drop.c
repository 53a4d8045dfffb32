/* The end of a user: nobody logs in any more, what it owns goes to another, what it was granted is revoked, then the role
 * goes, and the secret last. A run that ends in between is gone on with by the next one. */
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/provision.h"
#include "sql.h"
#include "work.h"

static const char sessions_sql[] =
	"SELECT format('a session of %s is open and is ended: process %s, database %s, %s %s', usename, pid, datname,"
	" coalesce(client_addr::text, 'local'), application_name) FROM pg_stat_activity WHERE usename = $1::text ORDER BY pid";

static const char slots_sql[] =
	"SELECT format('replication slot %s is in use by %s and stays: drop it, or it keeps the WAL', s.slot_name, a.usename)"
	" FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid WHERE a.usename = $1::text ORDER BY 1";

static const char databases_sql[] =
	"SELECT DISTINCT d.datname FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid JOIN pg_database d ON d.oid = s.dbid"
	" WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1::text ORDER BY 1";

static const char owned_sql[] =
	"SELECT pg_describe_object(s.classid, s.objid, s.objsubid) FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid"
	" LEFT JOIN pg_database d ON d.oid = s.dbid WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1::text"
	" AND s.deptype = 'o' AND (s.dbid = 0 OR d.datname = current_database()) ORDER BY 1";

struct dropping {
	struct work *work;
	const char *role;
	struct plan *plan;
	struct error *error;
	bool super;
};

static bool ask_names(struct dropping *dropping, struct pgclient_sync *client, const char *sql, struct names *names)
{
	const char *parameters[] = { dropping->role };
	struct pgclient_result *result = pgclient_sync_query(client, sql, parameters, 1, dropping->error);

	for (size_t i = 0; result && i < pgclient_rows(result); i++)
		names_add(names, pgclient_value(result, i, 0));
	bool good = result;

	pgclient_sync_result_free(&result);
	return good;
}

static bool add(struct dropping *dropping, enum step_kind kind, const char *database, char *what, const char *format,
	const char *first, const char *second)
{
	struct buf sql = { 0 };

	if (!sql_append(dropping->work->place.home, &sql, dropping->error, format, first, second)) {
		mem_free(what);
		buf_fini(&sql);
		return false;
	}
	plan_add(dropping->plan, kind, database, what, buf_take_text(&sql));
	return true;
}

/* Ending its sessions, and what it owns, are for its members. */
static bool join(struct dropping *dropping, const char *database, const char *group)
{
	bool sixteen = dropping->work->place.version >= 160000;

	return dropping->super || add(dropping, STEP_MEANS, database, mem_printf("be a member of %s for the time of this transaction",
		group), sixteen ? "GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE" : "GRANT %I TO CURRENT_USER", group, NULL);
}

static bool leave(struct dropping *dropping, const char *database, const char *group)
{
	bool sixteen = dropping->work->place.version >= 160000;

	return dropping->super || add(dropping, STEP_MEANS, database, mem_printf("be no member of %s any more", group),
		sixteen ? "REVOKE %I FROM CURRENT_USER GRANTED BY CURRENT_USER" : "REVOKE %I FROM CURRENT_USER", group, NULL);
}

static bool plan_shutting_out(struct dropping *dropping)
{
	struct pgclient_sync *home = dropping->work->place.home;
	struct names said = { 0 };
	bool good = ask_names(dropping, home, sessions_sql, &said) && ask_names(dropping, home, slots_sql, &said);

	for (size_t i = 0; i < said.count; i++)
		plan_add(dropping->plan, STEP_WARNING, "", mem_strdup(said.items[i]), NULL);
	names_fini(&said);
	const char *role = dropping->role;

	return good && add(dropping, STEP_CHANGE, "", mem_printf("role %s may not log in any more", role), "ALTER ROLE %I NOLOGIN",
		role, NULL) && join(dropping, "", role)
		&& add(dropping, STEP_MEANS, "", mem_printf("its sessions end"),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %L", role, NULL)
		&& leave(dropping, "", role);
}

/* --- What it owns, and what it was granted --- */

static bool plan_owned(struct dropping *dropping, const char *database, const struct names *owned)
{
	const char *to = dropping->work->run->reassign_to, *role = dropping->role;

	for (size_t i = 0; i < owned->count; i++)
		plan_add(dropping->plan, to ? STEP_WARNING : STEP_BLOCKED, database, to ? mem_printf("%s goes to %s", owned->items[i], to)
			: mem_printf("role %s owns %s: say who gets it with --reassign-to", role, owned->items[i]), NULL);
	if (!join(dropping, database, role))
		return false;
	if (to && owned->count && !(join(dropping, database, to) && add(dropping, STEP_CHANGE, database,
		mem_printf("what role %s owns goes to %s", role, to), "REASSIGN OWNED BY %I TO %I", role, to)
		&& leave(dropping, database, to)))
		return false;
	return add(dropping, STEP_CHANGE, database, mem_printf("role %s loses what else it was granted", role), "DROP OWNED BY %I", role,
		NULL) && leave(dropping, database, role);
}

static bool plan_database(struct dropping *dropping, const char *database)
{
	struct pgclient_sync *client = place_connect(&dropping->work->place, database, dropping->error);
	struct names owned = { 0 };
	bool good = client && ask_names(dropping, client, owned_sql, &owned) && plan_owned(dropping, database, &owned);

	names_fini(&owned);
	pgclient_sync_close(&client);
	return good || error_prepend(dropping->error, "database \"%s\"", database);
}

/* Each privilege by its owner first: what a non-superuser drops as owned leaves the grants of others. */
static bool plan_revoking(struct dropping *dropping, const struct names *databases)
{
	struct declaration nothing = { .section = dropping->work->section, .databases = *databases };
	struct plan_request request = { .place = &dropping->work->place, .declaration = &nothing, .role = dropping->role,
		.login = LOGIN_UNKNOWN, .privileges_only = true, .revoke = true };

	return plan_add_role(&request, dropping->plan, dropping->error);
}

static bool plan_role(struct dropping *dropping)
{
	struct names databases = { 0 };
	bool good = plan_shutting_out(dropping) && ask_names(dropping, dropping->work->place.home, databases_sql, &databases)
		&& plan_revoking(dropping, &databases);

	for (size_t i = 0; i < databases.count && good; i++)
		good = plan_database(dropping, databases.items[i]);
	names_fini(&databases);
	return good && add(dropping, STEP_CHANGE, "", mem_printf("role %s goes", dropping->role), "DROP ROLE %I", dropping->role, NULL);
}

static bool plan_if_exists(struct dropping *dropping)
{
	bool exists = false;

	if (!work_role_exists(dropping->work, dropping->role, &exists, dropping->error))
		return false;
	return !exists || plan_role(dropping);
}

/* The clone is a member of the role: it goes first. */
static bool plan_drop(struct work *work, struct plan *plan, struct error *error)
{
	if (!work->role)
		return true;
	char *clone = work_clone_name(work), *super = place_ask(work->place.home,
		"SELECT rolsuper FROM pg_roles WHERE rolname = current_user", error);
	struct dropping dropping = { .work = work, .role = clone, .plan = plan, .error = error, .super = super && super[0] == 't' };
	bool good = super && plan_if_exists(&dropping);

	dropping.role = work->role;
	good = good && plan_if_exists(&dropping);
	mem_free(clone);
	mem_free(super);
	if (good && (work->stored.state == STORED_GOOD || work->stored.state == STORED_EMPTY))
		plan_add(plan, STEP_CHANGE, "", mem_printf("secret %s is deleted, and can be restored for a while",
			store_place(work->store)), NULL);
	return good;
}

static bool is_blocked(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].kind == STEP_BLOCKED)
			return true;
	return false;
}

static bool carry_out(struct work *work, struct plan *plan, struct error *error)
{
	char *until = NULL;
	bool good = work_run(work, plan, error);

	work_crash_point(work, "after-drop");
	if (good && (work->stored.state == STORED_GOOD || work->stored.state == STORED_EMPTY))
		good = store_delete(work->store, &until, error);
	plan_fini(plan);
	if (until)
		plan_add(plan, STEP_WARNING, "", mem_printf("secret %s can be restored %s", store_place(work->store), until), NULL);
	mem_free(until);
	return good;
}

void provision_drop(const struct provision_run *run, const struct config_provision *section, bool sure,
	struct provision_report *report)
{
	struct work work;
	struct error *error = &report->error;
	bool planned = work_open_locked(run, section, report, &work, error) && work_read_secret(&work, error)
		&& plan_drop(&work, &report->plan, error);

	if (planned && is_blocked(&report->plan))
		error_set(error, NULL, "something is in the way; nothing was changed");
	else if (planned && !sure)
		work_succeed(&work, plan_differences(&report->plan) ? PROVISION_DRIFTED : PROVISION_CLEAN);
	else if (planned && carry_out(&work, &report->plan, error))
		work_succeed(&work, PROVISION_CLEAN);
	work_close(&work);
}
