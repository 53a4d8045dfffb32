/* Planning for a section, and running what was planned.
 *
 * Failure story: a transaction that others got in the way of ("tuple concurrently updated", a deadlock, a lock that takes
 * too long) is tried again, as a whole. Every other error ends the run; what earlier transactions did stays, and the next
 * run goes on from there. */
#include <string.h>

#include "pgweir/mem.h"
#include "sql.h"
#include "work.h"

enum { ATTEMPTS = 10, PAUSE_MS = 100 };

#define TRANSACTION_LOCK "SELECT pg_advisory_xact_lock(1885828965, 2)"

/* --- Planning --- */

bool work_plan_one(struct work *work, const char *role, const char *clone_of, enum login_state login, struct plan *plan,
	struct error *error)
{
	bool is_current = work->current.password && strcmp(work_user_of(work, &work->current), role) == 0;
	struct plan_request request = { .place = &work->place, .declaration = &work->declaration, .role = role,
		.clone_of = clone_of, .login = login, .is_current = is_current,
		.password_since_s = is_current ? work->current_since_s : 0 };

	return plan_add_role(&request, plan, error);
}

bool work_role_exists(struct work *work, const char *role, bool *exists, struct error *error)
{
	const char *parameters[] = { role };
	struct pgclient_result *result = pgclient_sync_query(work->place.home, "SELECT 1 FROM pg_roles WHERE rolname = $1::text", parameters,
		1, error);

	*exists = result && pgclient_rows(result);
	bool good = result;

	pgclient_sync_result_free(&result);
	return good;
}

/* Another's rotation has set its new password, which becomes the current one soon: to set the old one would break that. */
static bool is_theirs(struct work *work, const char *role)
{
	const struct lease_value *pending = &work->pending;
	struct error ignored;

	return work->stored.foreign && pending->password && strcmp(work_user_of(work, pending), role) == 0
		&& work_try_login(work, role, pending->password, &ignored) == LOGIN_GOOD;
}

/* Whether the current version logs in. Anything but a wrong password (a full server, a rule of pg_hba.conf) is only said. */
static enum login_state try_current(struct work *work, const char *role, bool exists, struct plan *plan)
{
	const char *user = work->current.password ? work_user_of(work, &work->current) : NULL;
	struct error error;

	if (!exists || !user || strcmp(user, role) != 0)
		return LOGIN_UNKNOWN;
	enum login_state state = work_try_login(work, user, work->current.password, &error);

	if (state == LOGIN_WRONG_PASSWORD && is_theirs(work, role))
		return LOGIN_GOOD;
	work_judge_verifier(work, state);
	if (state == LOGIN_UNKNOWN)
		plan_add(plan, STEP_WARNING, "", mem_printf("whether the password of %s is right cannot be told: %s", user, error.text),
			NULL);
	return state;
}

/* The clone is made by the first rotation; the one whose turn it is must be there all the same, as a promotion may lose it. */
static bool plan_clone(struct work *work, struct plan *plan, struct error *error)
{
	char *clone = work_clone_name(work);
	bool exists = false, good = work_role_exists(work, clone, &exists, error);
	bool has_its_turn = work->current.password && strcmp(work_user_of(work, &work->current), clone) == 0;

	if (good && (exists || has_its_turn))
		good = work_plan_one(work, clone, work->role, try_current(work, clone, exists, plan), plan, error);
	mem_free(clone);
	return good;
}

static void plan_secret(const struct work *work, struct plan *plan)
{
	const char *place = store_place(work->store);

	if (work->stored.state == STORED_MISSING)
		plan_add(plan, STEP_CHANGE, "", mem_printf("secret %s does not exist: it is created, with a new password", place), NULL);
	if (work->stored.state == STORED_EMPTY)
		plan_add(plan, STEP_CHANGE, "", mem_printf("secret %s has no value: it gets one", place), NULL);
	if (!work_has_shape(work))
		plan_add(plan, STEP_CHANGE, "", mem_printf("secret %s is not as secret_format = %s says", place,
			work->section->secret_format == SECRET_FORMAT_JSON ? "json" : "plain"), NULL);
	if (work->stored.state == STORED_DELETED)
		plan_add(plan, STEP_CHANGE, "", mem_printf("secret %s is scheduled for deletion: it is restored", place), NULL);
	if (work->stored.foreign && work->section->rotate_every_ms)
		plan_add(plan, STEP_BLOCKED, "", mem_printf("secret %s is rotated by %s: rotate_every cannot be kept, and must go",
			place, work->stored.foreign), NULL);
	else if (work->stored.foreign)
		plan_add(plan, STEP_WARNING, "", mem_printf("secret %s is rotated by %s: pgweir does not", place, work->stored.foreign),
			NULL);
	else if (work->pending.password)
		plan_add(plan, STEP_WARNING, "", mem_printf("a rotation of secret %s was left half done: rotate goes on with it", place),
			NULL);
}

bool work_plan(struct work *work, struct plan *plan, struct error *error)
{
	/* A name that is not chosen yet is of no role. */
	char *role = work->role ? mem_strdup(work->role) : mem_printf("%s????????", work->section->user_prefix);
	bool exists = false, good = work_role_exists(work, role, &exists, error);

	if (good) {
		plan_secret(work, plan);
		if (exists && work->stored.state != STORED_GOOD)
			plan_add(plan, STEP_WARNING, "", mem_printf("role %s exists already, and loses the password it has", role), NULL);
		enum login_state login = try_current(work, role, exists, plan);

		if (exists && work->stored.state != STORED_GOOD)
			login = LOGIN_WRONG_PASSWORD;
		good = work_plan_one(work, role, NULL, login, plan, error);
	}
	if (good && work->section->strategy == PROVISION_STRATEGY_ALTERNATING)
		good = plan_clone(work, plan, error);
	mem_free(role);
	return good;
}

/* --- Running --- */

/* The password that a role is to have: that of the newest version which is about it. */
static const char *password_for(const struct work *work, const char *role)
{
	const struct lease_value *const values[] = { work->setting, &work->current, &work->previous, &work->pending };

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (values[i] && values[i]->password && strcmp(work_user_of(work, values[i]), role) == 0)
			return values[i]->password;
	return NULL;
}

/* The step's SQL with a verifier instead of the mask. Freed with mem_secret_free(); NULL: `error`. */
static char *unmask(struct work *work, const struct step *step, struct error *error)
{
	char *clone = work_clone_name(work);
	/* Both names are quoted in the text in the same way: the longer one decides. */
	struct buf quoted = { 0 }, sql = { 0 };
	bool good = sql_append(work->place.home, &quoted, error, "ROLE %I ", clone);

	buf_append_char(&quoted, '\0');
	const char *role = good && strstr(step->sql, quoted.bytes) ? clone : work->role;
	const char *known = password_for(work, role);
	char *password = known ? mem_secret_dup(known) : password_make();
	char *verifier = good ? pgclient_sync_verifier(work->place.home, role, password, work->scram_only, error) : NULL;

	buf_append(&sql, step->sql, step->mask_at);
	good = verifier && pgclient_sync_literal(work->place.home, verifier, &sql, error);
	buf_append_text(&sql, step->sql + step->mask_at + strlen(PLAN_MASK));
	buf_append_char(&sql, '\0');
	char *text = good ? mem_secret_dup(sql.bytes) : NULL;

	buf_fini_secret(&sql);
	buf_fini(&quoted);
	mem_secret_free(verifier);
	mem_secret_free(password);
	mem_free(clone);
	return text;
}

static bool run_step(struct work *work, struct pgclient_sync *client, const struct step *step, struct error *error)
{
	if (!step->mask_at)
		return pgclient_sync_run(client, step->sql, error) || error_prepend(error, "%s", step->what);
	char *sql = unmask(work, step, error);
	bool good = sql && pgclient_sync_run(client, sql, error);

	work->has_set = work->has_set || good;
	mem_secret_free(sql);
	return good || error_prepend(error, "%s", step->what);
}

static bool is_to_run(const struct step *step)
{
	return step->sql && (step->kind == STEP_CHANGE || step->kind == STEP_MEANS);
}

static bool run_transaction(struct work *work, struct pgclient_sync *client, const struct plan *plan, size_t first, size_t end,
	struct error *error)
{
	bool good = pgclient_sync_run(client, "BEGIN", error) && pgclient_sync_run(client, TRANSACTION_LOCK, error);

	for (size_t i = first; i < end && good; i++) {
		good = !is_to_run(&plan->steps[i]) || run_step(work, client, &plan->steps[i], error);
		work_crash_point(work, "in-transaction");
	}
	work_crash_point(work, "before-commit");
	if (good)
		return pgclient_sync_run(client, "COMMIT", error);
	struct error ignored;

	/* A lost connection is rolled back by itself. */
	(void)!pgclient_sync_run(client, "ROLLBACK", &ignored);
	return false;
}

/* What goes away by itself: others were at the same rows. */
static bool is_passing(const struct error *error)
{
	static const char *const states[] = { "40001", "40P01", "55P03", "23505" };

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(error->sqlstate, states[i]) == 0)
			return true;
	return strcmp(error->sqlstate, "XX000") == 0 && strstr(error->text, "tuple concurrently");
}

static bool run_in(struct work *work, struct pgclient_sync *client, const struct plan *plan, size_t first, size_t end,
	struct error *error)
{
	for (unsigned attempt = 1; !run_transaction(work, client, plan, first, end, error); attempt++) {
		if (attempt == ATTEMPTS || !is_passing(error) || !place_pause(&work->place, PAUSE_MS * attempt))
			return false;
		work_note(work, "%s: trying again", error->text);
	}
	return true;
}

static size_t count_changes(const struct plan *plan, size_t first, size_t end)
{
	size_t count = 0;

	for (size_t i = first; i < end; i++)
		count += is_to_run(&plan->steps[i]) && plan->steps[i].kind == STEP_CHANGE;
	return count;
}

static bool run_database(struct work *work, const struct plan *plan, size_t first, size_t end, struct error *error)
{
	const char *database = plan->steps[first].database;
	size_t changes = count_changes(plan, first, end);

	if (!changes)
		return true;
	work_note(work, "%s: %zu changes in %s", work->section->name, changes, *database ? database : "the cluster");
	if (!*database) {
		if (!run_in(work, work->place.home, plan, first, end, error))
			return false;
	} else {
		struct pgclient_sync *client = place_connect(&work->place, database, error);
		bool good = client && run_in(work, client, plan, first, end, error);

		pgclient_sync_close(&client);
		if (!good)
			return error_prepend(error, "database \"%s\"", database);
	}
	work->report->changed += changes;
	work_crash_point(work, *database ? "after-database" : "after-role");
	return true;
}

bool work_run(struct work *work, const struct plan *plan, struct error *error)
{
	for (size_t first = 0, end; first < plan->count; first = end) {
		for (end = first; end < plan->count && strcmp(plan->steps[end].database, plan->steps[first].database) == 0; )
			end++;
		if (!run_database(work, plan, first, end, error))
			return false;
	}
	return true;
}
