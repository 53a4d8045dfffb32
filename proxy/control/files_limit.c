#include "files_limit.h"

#include <sys/resource.h>

#include "pgweir/descriptors.h"
#include "pgweir/log.h"
#include "pgweir/login.h"

static bool checked;

void files_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The limit of the process. */
static uint64_t plan(const struct config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return UINT64_MAX;
	descriptors_plan(limit.rlim_cur, config_server_connections(config));
	return limit.rlim_cur;
}

void files_limit_check(const struct config *config)
{
	uint64_t limit = plan(config);
	uint64_t wanted = descriptors_wanted((uint64_t)config->max_client_conn, config_server_connections(config));

	checked = true;
	if (limit < wanted)
		log_warning("the limit of open files is lower than max_client_conn and the pools may need",
			LOG_INT("limit", limit), LOG_INT("wanted", wanted), LOG_INT("clients", login_places(config)));
}

void files_limit_follow(const struct config *config)
{
	if (checked)
		plan(config);
}
