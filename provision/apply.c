/* plan and apply.
 *
 * Failure story: the secret comes first, because a password that was set and not stored is lost. A crash after that leaves a
 * secret that says whose it is and which role is to be made; the next run makes it, with that password. A crash within a
 * transaction leaves nothing of it. The plan is made anew each time, from what is there. */
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/provision.h"
#include "work.h"

enum { ROUNDS = 3 };

/* --- The secret --- */

/* The tags of an empty secret come first: a crash after that leaves one that says whose it is, which the next run fills. */
static bool store_first(struct work *work, const char *version, const char *text, struct error *error)
{
	const char *name = work->section->name;

	if (work->stored.state == STORED_MISSING)
		return store_create(work->store, version, text, name, work->role, error);
	if (!store_tag(work->store, name, work->role, error))
		return false;
	work_crash_point(work, "after-tag");
	return store_put(work->store, version, text, SECRET_CURRENT, error);
}

static bool make_password(struct work *work, struct error *error)
{
	const char *name = work->section->name;

	if (!work->role)
		work->role = password_name(work->section->user_prefix);
	char *version = password_version(name, "first", work->role, 0), *password = password_make();
	char *text = work_compose(work, work->role, password);

	work_note(work, "%s: storing a new password for %s at %s", name, work->role, store_place(work->store));
	work_crash_point(work, "before-store");
	bool good = store_first(work, version, text, error);

	work_crash_point(work, "after-store");
	mem_free(version);
	mem_secret_free(password);
	mem_secret_free(text);
	return good;
}

/* The same password, as it is to be stored. */
static bool change_shape(struct work *work, struct error *error)
{
	const char *name = work->section->name;
	char *version = password_version(name, "shape", work->stored.current, 0);
	char *text = work_compose(work, work_user_of(work, &work->current), work->current.password);

	work_note(work, "%s: storing the password as secret_format says", name);
	bool good = store_put(work->store, version, text, SECRET_CURRENT, error);

	work_crash_point(work, "after-shape");
	mem_free(version);
	mem_secret_free(text);
	work->report->changed += good;
	return good && work_read_secret(work, error);
}

static bool ensure_secret(struct work *work, struct error *error)
{
	if (!work_read_secret(work, error))
		return false;
	switch (work->stored.state) {
	case STORED_GOOD:
		return work_has_shape(work) || change_shape(work, error);
	case STORED_DELETED:
		work_note(work, "%s: restoring %s", work->section->name, store_place(work->store));
		if (!store_restore(work->store, error))
			return false;
		break;
	case STORED_MISSING:
	case STORED_EMPTY:
		if (!make_password(work, error))
			return false;
		break;
	}
	if (!work_read_secret(work, error))
		return false;
	return work->stored.state == STORED_GOOD || error_set(error, NULL, "secret %s still has no value", store_place(work->store));
}

/* --- Applying --- */

/* Until nothing is left that could be done: a change may uncover another. */
static bool apply_rounds(struct work *work, struct plan *plan, struct error *error)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t before = work->report->changed;

		plan_fini(plan);
		if (!work_plan(work, plan, error))
			return false;
		if (!work_run(work, plan, error))
			return false;
		if (work->report->changed == before)
			return true;
	}
	return true;
}

static enum provision_outcome outcome_of(const struct plan *plan)
{
	return plan_differences(plan) ? PROVISION_DRIFTED : PROVISION_CLEAN;
}

void provision_plan(const struct provision_run *run, const struct config_provision *section, struct provision_report *report)
{
	struct work work;
	struct error *error = &report->error;

	if (work_open(run, section, report, &work, error) && work_read_secret(&work, error)
	    && work_plan(&work, &report->plan, error))
		work_succeed(&work, outcome_of(&report->plan));
	work_close(&work);
}

void provision_apply(const struct provision_run *run, const struct config_provision *section, struct provision_report *report)
{
	struct work work;
	struct error *error = &report->error;

	if (work_open_locked(run, section, report, &work, error) && ensure_secret(&work, error) && apply_rounds(&work, &report->plan, error))
		work_succeed(&work, outcome_of(&report->plan));
	work_close(&work);
}

/* --- Reports --- */

void provision_report_fini(struct provision_report *report)
{
	mem_free(report->role);
	mem_free(report->user);
	mem_free(report->place);
	plan_fini(&report->plan);
	*report = (struct provision_report){ 0 };
}

const char *provision_step_word(enum step_kind kind)
{
	static const char *const words[] = { [STEP_CHANGE] = "change", [STEP_MEANS] = "means", [STEP_BLOCKED] = "blocked",
		[STEP_EXTRA] = "extra", [STEP_WARNING] = "warning" };

	return words[kind];
}

const char *provision_outcome_word(enum provision_outcome outcome)
{
	static const char *const words[] = { [PROVISION_CLEAN] = "clean", [PROVISION_DRIFTED] = "drifted",
		[PROVISION_FAILED] = "failed", [PROVISION_BUSY] = "busy" };

	return words[outcome];
}
