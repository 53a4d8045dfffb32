/* What must be done to one role, and what can only be said about it: wanted less actual, as SQL.
 *
 * A plan of no changes and nothing blocked means that the server is as declared. Texts hold no password: where one belongs
 * the SQL has PLAN_MASK, which whoever runs it replaces. */
#ifndef PGWEIR_PROVISION_PLAN_H
#define PGWEIR_PROVISION_PLAN_H

#include "catalog.h"
#include "pgweir/provision.h"

#define PLAN_MASK "'********'"

/* What is known of the role's login. */
enum login_state { LOGIN_GOOD, LOGIN_WRONG_PASSWORD, LOGIN_UNKNOWN };

struct plan_request {
	struct place *place;
	const struct declaration *declaration;
	const char *role;
	const char *clone_of;           /* NULL: it is the role itself. */
	enum login_state login;
	bool is_current;                /* It is the one who logs in with the current version of the secret … */
	long long password_since_s;     /* … which is so old; 0: not known. */
	bool privileges_only;           /* Nothing about the role itself. */
	bool revoke;                    /* What is beyond the declaration goes, whatever the section says. */
};

/* Adds to `plan`. */
bool plan_add_role(const struct plan_request *request, struct plan *plan, struct error *error) MUST_USE;
void plan_add(struct plan *plan, enum step_kind kind, const char *database, char *what, char *sql);     /* Takes the texts. */
void plan_fini(struct plan *plan);
/* Steps that are differences. */
size_t plan_differences(const struct plan *plan);

/* "2026-01-02 03:04:05+00" that much from now. */
char *plan_expiry(uint64_t valid_for_ms) MUST_USE;

#endif
