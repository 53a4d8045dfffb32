/* A new password: create, set, test, finish.
 *
 * Failure story: each step leaves something that the next run recognizes.
 *  - The new password is stored as pending before it is set. Its version id follows from the current version's, so that two
 *    who rotate at once mean the same version, and one of them finds the other's.
 *  - A pending password that logs in has been set already. What was not committed is set again.
 *  - Finishing moves the stage away from the version that was current when it began; if another has moved it, that fails.
 * Until then the current version stays what it was. With one user (single) it no longer logs in once the new password is
 * set, and the pending one does; where a later step fails it is set back. With two (alternating) it goes on logging in all
 * the time. */
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "pgweir/provision.h"
#include "sql.h"
#include "work.h"

enum { VERSIONS_TRIED = 10, LOGINS_TRIED = 10, LOGIN_PAUSE_MS = 500, REPLICA_PAUSE_MS = 50 };

/* --- Create --- */

/* Who logs in next. Freed with mem_free(). */
static char *next_user(const struct work *work)
{
	const char *user = work_user_of(work, &work->current);

	if (work->section->strategy == PROVISION_STRATEGY_SINGLE)
		return mem_strdup(user);
	return strcmp(user, work->role) == 0 ? work_clone_name(work) : mem_strdup(work->role);
}

static bool put_pending(struct work *work, const char *text, struct error *error)
{
	for (unsigned attempt = 0; attempt < VERSIONS_TRIED; attempt++) {
		char *version = password_version(work->section->name, "rotation", work->stored.current, attempt);
		bool put = store_put(work->store, version, text, SECRET_PENDING, error);

		mem_free(version);
		if (put)
			return true;
		if (strcmp(error->sqlstate, "42710") != 0 || !work_read_secret(work, error))
			return false;
		/* Somebody else's, at the same moment; or one that was given up, whose id is used up. */
		if (work->pending.password)
			return true;
	}
	return error_set(error, NULL, "secret %s has too many rotations that were given up", store_place(work->store));
}

static bool create_pending(struct work *work, struct error *error)
{
	if (work->pending.password) {
		work_note(work, "%s: going on with a rotation that was left half done", work->section->name);
		return true;
	}
	char *user = next_user(work), *password = password_make(), *text = work_compose(work, user, password);

	work_note(work, "%s: storing a new password for %s as pending", work->section->name, user);
	bool good = put_pending(work, text, error);

	mem_free(user);
	mem_secret_free(password);
	mem_secret_free(text);
	work_crash_point(work, "after-pending");
	return good && work_read_secret(work, error)
		&& (work->pending.password || error_set(error, NULL, "secret %s has no pending version", store_place(work->store)));
}

/* --- Set --- */

static bool plan_password(struct work *work, const char *user, struct plan *plan, struct error *error)
{
	struct buf sql = { 0 };
	char *expiry = work->section->valid_for_ms ? plan_expiry(work->section->valid_for_ms) : mem_strdup("infinity");
	bool good = sql_append(work->place.home, &sql, error, "ALTER ROLE %I PASSWORD ", user);
	size_t mask_at = sql.size;

	good = good && sql_append(work->place.home, &sql, error, PLAN_MASK " VALID UNTIL %L", expiry);
	mem_free(expiry);
	if (!good) {
		buf_fini(&sql);
		return false;
	}
	plan_add(plan, STEP_CHANGE, "", mem_printf("role %s gets another password", user), buf_take_text(&sql));
	plan->steps[plan->count - 1].mask_at = mask_at;
	return true;
}

/* The clone gets all that the role has; the role itself is left as it is. */
static bool plan_set(struct work *work, const char *user, bool password, struct plan *plan, struct error *error)
{
	bool clone = strcmp(user, work->role) != 0, exists = false;

	if (!work_role_exists(work, user, &exists, error))
		return false;
	if (!exists && !clone)
		return error_set(error, NULL, "role %s does not exist: apply creates it", user);
	if (exists && password && !plan_password(work, user, plan, error))
		return false;
	return !clone || work_plan_one(work, user, work->role, LOGIN_UNKNOWN, plan, error);
}

static bool set_once(struct work *work, const struct lease_value *value, bool password, struct error *error)
{
	const char *user = work_user_of(work, value);
	struct plan plan = { 0 };

	work->setting = value;
	bool good = plan_set(work, user, password, &plan, error) && work_run(work, &plan, error);

	work->setting = NULL;
	plan_fini(&plan);
	return good;
}

/* A clone whose password was set may still lack what the run that ended there had not come to. */
static bool set_password(struct work *work, struct error *error)
{
	const char *user = work_user_of(work, &work->pending);

	if (work_try_login(work, user, work->pending.password, error) == LOGIN_GOOD)
		return set_once(work, &work->pending, false, error);
	work_note(work, "%s: setting the password of %s", work->section->name, user);
	if (!set_once(work, &work->pending, true, error))
		return false;
	work_crash_point(work, "after-set");
	work_judge_verifier(work, work_try_login(work, user, work->pending.password, error));
	return !work->scram_only || set_once(work, &work->pending, true, error);
}

/* The rotation has failed, and with one user the server may have the new password already: what everybody reads must log in.
 * Where it cannot be told which version is current everything is left as it is: pgweir's own clients find the right one. */
static void set_back(struct work *work)
{
	struct error error;

	if (work->section->strategy != PROVISION_STRATEGY_SINGLE || !work_read_secret(work, &error) || !work->current.password)
		return;
	if (work_try_login(work, work_user_of(work, &work->current), work->current.password, &error) != LOGIN_WRONG_PASSWORD)
		return;
	work_note(work, "%s: setting the password of the current version again", work->section->name);
	if (!set_once(work, &work->current, true, &error))
		work_note(work, "%s: the current version does not log in: %s", work->section->name, error.text);
}

/* --- Test --- */

static bool test_login(struct work *work, const struct lease_value *value, struct error *error)
{
	const char *user = work_user_of(work, value);

	for (unsigned i = 0; i < LOGINS_TRIED; i++) {
		if (work_try_login(work, user, value->password, error) == LOGIN_GOOD)
			return true;
		if (!place_pause(&work->place, LOGIN_PAUSE_MS))
			break;
	}
	return error_prepend(error, "the new password was set, and does not log in");
}

/* A replica that cannot be asked is not waited for; nor is one that does not replay (Aurora). */
static bool has_replayed(struct work *work, const struct config_host *host, const char *position)
{
	static const char sql[] = "SELECT coalesce(NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= $1::pg_lsn, true)";
	const char *parameters[] = { position };
	struct error error;
	struct pgclient_sync *client = place_connect_to(&work->place, host, &error);
	struct pgclient_result *result = client ? pgclient_sync_query(client, sql, parameters, 1, &error) : NULL;
	bool replayed = !result || pgclient_value(result, 0, 0)[0] == 't';

	pgclient_sync_result_free(&result);
	pgclient_sync_close(&client);
	return replayed;
}

static bool all_have_replayed(struct work *work, const char *position)
{
	for (size_t i = 0; i < work->place.other_count; i++)
		if (!has_replayed(work, work->place.others[i], position))
			return false;
	return true;
}

static bool wait_for_replicas(struct work *work, struct error *error)
{
	uint64_t until_ms = clock_now_ms() + work->section->rotation_replica_wait_ms;
	char *position = place_ask(work->place.home, "SELECT pg_current_wal_insert_lsn()", error);
	bool waiting = false, replayed = false;

	if (!position)
		return false;
	while (!(replayed = all_have_replayed(work, position)) && clock_now_ms() < until_ms) {
		if (!waiting)
			work_note(work, "%s: waiting for replicas to replay the change", work->section->name);
		waiting = true;
		if (!place_pause(&work->place, REPLICA_PAUSE_MS))
			break;
	}
	mem_free(position);
	if (!replayed)
		work_note(work, "%s: a replica has not replayed the change yet: logins there may fail for a while", work->section->name);
	return true;
}

/* --- Finish --- */

static bool is_current(struct work *work, const char *version)
{
	struct error ignored;

	return work_read_secret(work, &ignored) && work->stored.current && strcmp(work->stored.current, version) == 0;
}

/* A call that fails may have been carried out: its answer was lost, or only what comes after the move was refused. */
static bool promote(struct work *work, struct error *error)
{
	char *version = mem_strdup(work->stored.pending);
	bool good = store_promote(work->store, version, work->stored.current, error);

	if (!good && is_current(work, version)) {
		work_note(work, "%s: the new password is the current one all the same: %s", work->section->name, error->text);
		good = true;
	}
	mem_free(version);
	return good;
}

static bool finish(struct work *work, struct error *error)
{
	work_crash_point(work, "before-finish");
	if (!promote(work, error))
		return false;
	work_crash_point(work, "after-finish");
	work->report->rotated = true;
	return work_read_secret(work, error) && test_login(work, &work->current, error);
}

static bool may_rotate(const struct work *work, struct error *error)
{
	if (work->stored.foreign)
		return error_set(error, NULL, "secret %s is rotated by %s: pgweir does not rotate it as well", store_place(work->store),
			work->stored.foreign);
	if (work->stored.state != STORED_GOOD)
		return error_set(error, NULL, "secret %s has no value: apply gives it one", store_place(work->store));
	return true;
}

static bool take_steps(struct work *work, struct error *error)
{
	if (!create_pending(work, error) || !set_password(work, error) || !test_login(work, &work->pending, error))
		return false;
	work_crash_point(work, "after-test");
	return wait_for_replicas(work, error) && finish(work, error);
}

static void give_up(struct work *work, struct error *error)
{
	set_back(work);
	error_prepend(error, "the rotation is not finished, and goes on when it is run again");
}

void provision_rotate(const struct provision_run *run, const struct config_provision *section, struct provision_report *report)
{
	struct work work;
	struct error *error = &report->error;

	bool ready = work_open_locked(run, section, report, &work, error) && work_read_secret(&work, error);

	if (ready && run->if_due && !report->rotation_due) {
		work_succeed(&work, PROVISION_CLEAN);
	} else if (ready && may_rotate(&work, error)) {
		if (take_steps(&work, error))
			work_succeed(&work, PROVISION_CLEAN);
		else
			give_up(&work, error);
	}
	work_close(&work);
}
