#include "reports.h"

#include <string.h>
#include <strings.h>

#include "pgweir/state.h"

/* By it texts are read. */
static bool is_of_baseline(const char *name)
{
	for (const char *const *each = backend_baseline_settings; *each; each++)
		if (**each == *name && strcmp(*each, name) == 0)
			return true;
	return false;
}

/* Only the first report can be of what was put in force ahead of the borrower's message: before PostgreSQL 14 its own changes
 * follow at once. */
static bool is_due(struct backend *backend, const char *name, const char *value)
{
	const struct state_pair *pairs = state_pairs(backend->reports_of);

	for (uint64_t left = backend->reports_due; left; left &= left - 1) {
		int i = __builtin_ctzll(left);

		if (strcasecmp(pairs[i].name, name) != 0)
			continue;
		backend->reports_due &= ~(UINT64_C(1) << i);
		return strcmp(pairs[i].value, value) == 0;
	}
	return false;
}

bool backend_reported(struct backend *backend, const char *name, const char *value)
{
	if (parameters_set(&backend->server->parameters, name, value))
		backend->reported |= is_of_baseline(name);
	return backend->reports_due && is_due(backend, name, value);
}

void backend_reports_end(struct backend *backend)
{
	state_unref(&backend->reports_of);
	backend->reports_due = 0;
}
