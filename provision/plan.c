#include "plan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "plan_internal.h"
#include "sql.h"

enum { EXPIRY_SLACK_S = 300, EXPIRY_TEXT_MAX = 40 };

/* --- Plans --- */

void plan_add(struct plan *plan, enum step_kind kind, const char *database, char *what, char *sql)
{
	plan->steps = mem_realloc(plan->steps, (plan->count + 1) * sizeof(plan->steps[0]));
	plan->steps[plan->count++] = (struct step){ .kind = kind, .database = mem_strdup(database), .what = what, .sql = sql };
}

/* The last one: what is in front of it may be a name that looks like it, what follows is ours. */
static size_t find_mask(const char *sql)
{
	size_t found = 0;

	for (const char *at = sql; (at = strstr(at, PLAN_MASK)); at++)
		found = (size_t)(at - sql);
	return found;
}

void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		mem_free(plan->steps[i].database);
		mem_free(plan->steps[i].what);
		mem_free(plan->steps[i].sql);
	}
	mem_free(plan->steps);
	*plan = (struct plan){ 0 };
}

size_t plan_differences(const struct plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += plan->steps[i].kind == STEP_CHANGE || plan->steps[i].kind == STEP_BLOCKED;
	return count;
}

static char *expiry_text(long long expires_s)
{
	time_t time_s = (time_t)expires_s;
	char text[EXPIRY_TEXT_MAX];
	struct tm utc;

	CHECK(gmtime_r(&time_s, &utc));
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S+00", &utc);
	return mem_strdup(text);
}

char *plan_expiry(uint64_t valid_for_ms)
{
	return expiry_text(clock_wall_us() / 1000000 + (long long)(valid_for_ms / 1000));
}

bool planning_add(struct planning *planning, enum step_kind kind, char *what, const char *format, ...)
{
	struct buf sql = { 0 };
	va_list args;
	bool good = true;

	va_start(args, format);
	if (format)
		good = sql_append_args(planning->request->place->home, &sql, planning->error, format, args);
	va_end(args);
	if (!good) {
		mem_free(what);
		buf_fini(&sql);
		return false;
	}
	plan_add(planning->plan, kind, planning->database, what, format ? buf_take_text(&sql) : NULL);
	struct step *step = &planning->plan->steps[planning->plan->count - 1];

	if (format && strstr(format, PLAN_MASK))
		step->mask_at = find_mask(step->sql);
	return true;
}

enum step_kind planning_extra(const struct planning *planning)
{
	bool revoke = planning->request->revoke || planning->request->declaration->section->extra == PROVISION_EXTRA_REVOKE;

	return revoke ? STEP_CHANGE : STEP_EXTRA;
}

/* --- The role's attributes --- */

static bool plan_creation(struct planning *planning)
{
	const struct plan_request *request = planning->request;
	const struct config_provision *section = request->declaration->section;
	struct catalog *catalog = planning->catalog;
	char *expiry = section->valid_for_ms ? plan_expiry(section->valid_for_ms) : mem_strdup("infinity");
	bool good = planning_add(planning, STEP_CHANGE, mem_printf("role %s does not exist", request->role),
		"CREATE ROLE %I LOGIN PASSWORD " PLAN_MASK " CONNECTION LIMIT %d VALID UNTIL %L", request->role,
		section->connection_limit, expiry);

	mem_free(expiry);
	catalog->login = catalog->inherits = true;
	catalog->connection_limit = section->connection_limit;
	return good;
}

static bool has_expired(const struct catalog *catalog)
{
	return catalog->has_expiry && catalog->expires_s < clock_wall_us() / 1000000;
}

/* What VALID UNTIL was set to with the current password, at the earliest; 0: not known, or that time is over. */
static long long earliest_expiry_s(const struct plan_request *request)
{
	const struct config_provision *section = request->declaration->section;
	long long slack_s = EXPIRY_SLACK_S + (long long)(section->rotation_replica_wait_ms / 1000);
	long long expires_s = request->password_since_s + (long long)(section->valid_for_ms / 1000) - slack_s;
	bool known = request->is_current && request->password_since_s;

	return known && expires_s > clock_wall_us() / 1000000 ? expires_s : 0;
}

static bool set_expiry(struct planning *planning, const char *how, long long expires_s)
{
	const char *role = planning->request->role;
	char *expiry = expiry_text(expires_s);
	bool good = planning_add(planning, STEP_CHANGE, mem_printf("VALID UNTIL of role %s is %s", role, how),
		"ALTER ROLE %I VALID UNTIL %L", role, expiry);

	mem_free(expiry);
	return good;
}

/* VALID UNTIL moves on when the password changes; otherwise it is only put right where it is not what was ever set. Of two
 * users the one whose turn is over may expire. */
static bool plan_expiry_of(struct planning *planning)
{
	const struct plan_request *request = planning->request;
	const struct catalog *catalog = planning->catalog;
	long long now_s = clock_wall_us() / 1000000, valid_s = (long long)(request->declaration->section->valid_for_ms / 1000);
	long long earliest_s = earliest_expiry_s(request);

	if (!valid_s && !catalog->has_expiry)
		return true;
	if (!valid_s)
		return planning_add(planning, STEP_CHANGE, mem_printf("role %s has a VALID UNTIL", request->role),
			"ALTER ROLE %I VALID UNTIL 'infinity'", request->role);
	if (!catalog->has_expiry)
		return set_expiry(planning, "missing", now_s + valid_s);
	if (catalog->expires_s < earliest_s)
		return set_expiry(planning, "too early", request->password_since_s + valid_s);
	if (has_expired(catalog) && request->is_current)
		return planning_add(planning, STEP_BLOCKED, mem_printf("the password of role %s has expired: rotate it", request->role),
			NULL);
	if (catalog->expires_s - now_s > valid_s + EXPIRY_SLACK_S)
		return set_expiry(planning, "too far ahead", now_s + valid_s);
	return true;
}

static bool plan_attributes(struct planning *planning)
{
	const struct plan_request *request = planning->request;
	const struct config_provision *section = request->declaration->section;
	const struct catalog *catalog = planning->catalog;
	const char *role = request->role;

	if (request->login == LOGIN_WRONG_PASSWORD && !has_expired(catalog) && !planning_add(planning, STEP_CHANGE,
		mem_printf("role %s does not have the password of the secret", role), "ALTER ROLE %I PASSWORD " PLAN_MASK, role))
		return false;
	if (!catalog->login && !planning_add(planning, STEP_CHANGE, mem_printf("role %s may not log in", role),
		"ALTER ROLE %I LOGIN", role))
		return false;
	if (!catalog->inherits && !planning_add(planning, STEP_CHANGE, mem_printf("role %s does not inherit", role),
		"ALTER ROLE %I INHERIT", role))
		return false;
	if (catalog->connection_limit != section->connection_limit && !planning_add(planning, STEP_CHANGE,
		mem_printf("role %s has a connection limit of %d", role, catalog->connection_limit),
		"ALTER ROLE %I CONNECTION LIMIT %d", role, section->connection_limit))
		return false;
	return plan_expiry_of(planning);
}

static bool plan_comment(struct planning *planning)
{
	const char *wanted = planning->request->declaration->section->comment, *role = planning->request->role;
	const char *actual = planning->catalog->comment;

	if (!wanted || (actual && strcmp(wanted, actual) == 0))
		return true;
	return planning_add(planning, STEP_CHANGE, mem_printf("role %s has %s comment", role, actual ? "another" : "no"),
		"COMMENT ON ROLE %I IS %L", role, wanted);
}

/* Attributes that no section can ask for. A non-superuser may not even name most of them. */
static bool plan_powers(struct planning *planning)
{
	const struct catalog *catalog = planning->catalog;
	const struct {
		bool has;
		bool super_only;
		const char *word, *sql;
	} powers[] = {
		{ catalog->super, true, "SUPERUSER", "ALTER ROLE %I NOSUPERUSER" },
		{ catalog->bypasses_rls, true, "BYPASSRLS", "ALTER ROLE %I NOBYPASSRLS" },
		{ catalog->creates_roles, false, "CREATEROLE", "ALTER ROLE %I NOCREATEROLE" },
		{ catalog->creates_databases, false, "CREATEDB", "ALTER ROLE %I NOCREATEDB" },
		{ catalog->replicates && !planning->request->declaration->replication, true, "REPLICATION",
		  "ALTER ROLE %I NOREPLICATION" },
	};

	for (size_t i = 0; i < ARRAY_LEN(powers); i++) {
		bool possible = catalog->we_are_super || !powers[i].super_only;

		if (!powers[i].has)
			continue;
		if (!planning_add(planning, possible ? planning_extra(planning) : STEP_EXTRA,
			mem_printf("role %s has the attribute %s", planning->request->role, powers[i].word),
			possible ? powers[i].sql : NULL, planning->request->role))
			return false;
	}
	return true;
}

/* --- All of it --- */

static bool plan_at_home(struct planning *planning)
{
	const struct catalog *catalog = planning->catalog;

	planning->database = "";
	if (planning->request->privileges_only)
		return planning_databases(planning) && planning_return_borrowed(planning);
	if (!(catalog->exists ? plan_attributes(planning) : plan_creation(planning)))
		return false;
	return plan_powers(planning) && plan_comment(planning) && planning_memberships(planning) && planning_replication(planning)
		&& planning_settings(planning) && planning_databases(planning) && planning_return_borrowed(planning);
}

static bool plan_in_database(struct planning *planning, const char *database)
{
	const struct plan_request *request = planning->request;
	struct pgclient_sync *client = place_connect(request->place, database, planning->error);
	size_t first = planning->catalog->object_count;

	planning->database = database;
	if (!client && strcmp(planning->error->sqlstate, "3D000") == 0)
		return planning_add(planning, STEP_BLOCKED, mem_printf("database %s does not exist", database), NULL);
	bool good = client && catalog_read_database(client, request->declaration, request->role, database, planning->catalog,
		planning->error) && planning_objects(planning, first) && planning_return_borrowed(planning);

	pgclient_sync_close(&client);
	return good || error_prepend(planning->error, "database \"%s\"", database);
}

static void add_warnings(const struct planning *planning)
{
	const struct declaration *declaration = planning->request->declaration;
	const struct config_provision *section = declaration->section;

	for (size_t i = 0; i < planning->catalog->others.count; i++)
		plan_add(planning->plan, STEP_EXTRA, "", mem_printf("role %s %s", planning->request->role,
			planning->catalog->others.items[i]), NULL);
	if (declaration->privileges[OBJECT_TABLE] && !declaration->owners.count)
		plan_add(planning->plan, STEP_WARNING, "", mem_printf("no owners are named: what they create later is not granted to %s "
			"until the next apply", planning->request->role), NULL);
	if (planning->catalog->md5)
		plan_add(planning->plan, STEP_WARNING, "", mem_printf("password_encryption is md5: who can read what the server stores of "
			"role %s can log in with it; scram-sha-256 is better", planning->request->role), NULL);
	if (section->valid_for_ms && (!section->rotate_every_ms || section->rotate_every_ms >= section->valid_for_ms))
		plan_add(planning->plan, STEP_WARNING, "", mem_printf("the password of %s expires before it is rotated: rotate_every must "
			"be less than valid_for", planning->request->role), NULL);
}

bool plan_add_role(const struct plan_request *request, struct plan *plan, struct error *error)
{
	struct catalog catalog;
	struct planning planning = { .request = request, .catalog = &catalog, .plan = plan, .error = error };
	bool good = catalog_read_role(request->place, request->declaration, request->role, &catalog, error)
		&& plan_at_home(&planning);

	for (size_t i = 0; i < request->declaration->databases.count && good; i++)
		good = plan_in_database(&planning, request->declaration->databases.items[i]);
	if (good && !request->clone_of && !request->privileges_only)
		add_warnings(&planning);
	names_fini(&planning.borrowed);
	catalog_fini(&catalog);
	return good;
}
