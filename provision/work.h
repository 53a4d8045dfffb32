/* One section at work: the connection to its primary, its secret, and which role it is about. */
#ifndef PGWEIR_PROVISION_WORK_H
#define PGWEIR_PROVISION_WORK_H

#include "password.h"
#include "pgweir/lease.h"
#include "plan.h"
#include "store.h"

#define CLONE_SUFFIX "_clone"

struct work {
	const struct provision_run *run;
	const struct config_provision *section;
	struct provision_report *report;
	struct place place;
	struct declaration declaration;
	struct store *store;
	/* As of the last work_read_secret(). */
	struct stored stored;
	char *role;                     /* The one that the section is about; NULL: its name is not chosen yet. */
	struct lease_value current, pending, previous;  /* Without a password: there is none. */
	int64_t current_since_s;
	const struct lease_value *setting;      /* Whose password is about to be set; NULL: the current one's. */
	unsigned crash_points;                  /* How often the one that is wanted was passed. */
	bool has_set;                           /* This run has set a password. */
	bool scram_only;                        /* What the server is set to store it does not take: see work_judge_verifier(). */
};

/* False: `error`; `work` is to be closed either way. */
bool work_open(const struct provision_run *run, const struct config_provision *section, struct provision_report *report,
	struct work *work, struct error *error) MUST_USE;
/* The same with the cluster's lock; the report says if another has it. */
bool work_open_locked(const struct provision_run *run, const struct config_provision *section,
	struct provision_report *report, struct work *work, struct error *error) MUST_USE;
void work_close(struct work *work);
/* The report of work that was done; what went wrong on the way and was got over is not its error. */
void work_succeed(struct work *work, enum provision_outcome outcome);
/* Describes the secret and reads its versions; finds out which role it is. A secret that is not ours is an error. */
bool work_read_secret(struct work *work, struct error *error) MUST_USE;

/* The text that is stored for this user and password. Freed with mem_secret_free(). */
char *work_compose(const struct work *work, const char *user, const char *password) MUST_USE;
/* Whether the current version is JSON with a name, or a password alone, as declared. What others write is theirs. */
bool work_has_shape(const struct work *work) MUST_USE;
/* Who logs in with a value: what it says, or the role. */
const char *work_user_of(const struct work *work, const struct lease_value *value);
char *work_clone_name(const struct work *work) MUST_USE;
/* A login on the primary, in the first of the databases. */
enum login_state work_try_login(struct work *work, const char *user, const char *password, struct error *error) MUST_USE;
/* A password that this run has set and that is refused was stored as md5, where pg_hba.conf wants SCRAM: the next one is set
 * as that. */
void work_judge_verifier(struct work *work, enum login_state login);
bool work_role_exists(struct work *work, const char *role, bool *exists, struct error *error) MUST_USE;
/* The steps for one role as declared; `clone_of` as in plan.h. */
bool work_plan_one(struct work *work, const char *role, const char *clone_of, enum login_state login, struct plan *plan,
	struct error *error) MUST_USE;
/* The steps for the role, and for its clone if there is one. */
bool work_plan(struct work *work, struct plan *plan, struct error *error) MUST_USE;
/* Runs the changes of a plan, in one transaction for each database. */
bool work_run(struct work *work, const struct plan *plan, struct error *error) MUST_USE;

void work_note(const struct work *work, const char *format, ...) PRINTF_LIKE(2, 3);
/* Tests kill the process here: at "after-write", or the third time that it comes by with "after-write:3". */
void work_crash_point(struct work *work, const char *point);

#endif
