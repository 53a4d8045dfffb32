/* What the parts of planning share: plan.c (the role itself), plan_members.c (what it is a member of), plan_settings.c (its
 * settings) and plan_objects.c (what it may do where). */
#ifndef PGWEIR_PROVISION_PLAN_INTERNAL_H
#define PGWEIR_PROVISION_PLAN_INTERNAL_H

#include "plan.h"

struct planning {
	const struct plan_request *request;
	struct catalog *catalog;
	struct plan *plan;
	struct error *error;
	struct names borrowed;          /* Owners that we are a member of for the transaction under way. */
	const char *database;           /* Of that transaction; "": at home. */
};

/* A difference and its SQL (sql_append()'s format), or one that is blocked where `format` is NULL. Takes `what`. */
bool planning_add(struct planning *planning, enum step_kind kind, char *what, const char *format, ...) MUST_USE;
/* Something beyond the declaration: to be revoked with this SQL, or only said. */
enum step_kind planning_extra(const struct planning *planning);

bool planning_memberships(struct planning *planning) MUST_USE;
bool planning_replication(struct planning *planning) MUST_USE;
bool planning_settings(struct planning *planning) MUST_USE;            /* ALTER ROLE … SET. */
bool planning_databases(struct planning *planning) MUST_USE;           /* Privileges on databases themselves. */
bool planning_objects(struct planning *planning, size_t first) MUST_USE;        /* Of the catalog's objects from here on. */
bool planning_return_borrowed(struct planning *planning) MUST_USE;

#endif
