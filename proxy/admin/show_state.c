/* SHOW HELP, VERSION, STATE, and those that have nothing to show. */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "pgweir/clock.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "show.h"

enum { TIME_TEXT_SIZE = 32 };

void show_done(struct job *job)
{
	job_done(job, "SHOW");
}

const char *show_pool_mode(enum pool_mode mode)
{
	static const char *const names[] = {
		[POOL_MODE_SESSION] = "session",
		[POOL_MODE_TRANSACTION] = "transaction",
		[POOL_MODE_STATEMENT] = "statement",
	};

	return names[mode];
}

void show_time(struct result *result, uint64_t now_us, uint64_t at_us)
{
	time_t seconds = (time_t)((clock_wall_us() - (int64_t)(now_us - at_us)) / 1000000);
	char text[TIME_TEXT_SIZE];
	struct tm parts;

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
	result_text(result, text);
}

static void put_pair(struct result *result, const char *key, const char *value)
{
	result_begin(result);
	result_text(result, key);
	result_text(result, value);
	result_end(result);
}

/* --- SHOW HELP --- */

static const struct column help_columns[] = {
	{ "command", COLUMN_TEXT },
	{ "who", COLUMN_TEXT },
	{ "help", COLUMN_TEXT },
};
const struct table help_table = TABLE(help_columns);

struct help {
	struct job *job;
	struct buf text;
};

static void put_command(const struct command *command, void *arg)
{
	struct help *help = arg;
	struct result *result = &help->job->result;
	const char *usage = command->usage ? command->usage : "";

	buf_printf(&help->text, "\n\t%s%s%s", command->words, *usage ? " " : "", usage);
	result_begin(result);
	result_printf(result, "%s%s%s", command->words, *usage ? " " : "", usage);
	result_text(result, command->who == COMMAND_ADMIN_USERS ? "admin_users" : "stats_users");
	result_text(result, command->help);
	result_end(result);
}

void show_help(struct job *job)
{
	struct help help = { .job = job };

	commands_foreach(put_command, &help);
	char *text = buf_take_text(&help.text);

	job_notice(job, "Console usage", text);
	mem_free(text);
	show_done(job);
}

/* --- SHOW VERSION --- */

static const struct column version_columns[] = {
	{ "version", COLUMN_TEXT },
};
const struct table version_table = TABLE(version_columns);

void show_version(struct job *job)
{
	result_begin(&job->result);
	result_text(&job->result, "pgweir " PGWEIR_VERSION);
	result_end(&job->result);
	show_done(job);
}

/* --- SHOW STATE --- */

static const struct column state_columns[] = {
	{ "key", COLUMN_TEXT },
	{ "value", COLUMN_TEXT },
};
const struct table state_table = TABLE(state_columns);

void show_state(struct job *job)
{
	bool paused = pool_all_paused();

	put_pair(&job->result, "active", paused ? "no" : "yes");
	put_pair(&job->result, "paused", paused ? "yes" : "no");
	put_pair(&job->result, "suspended", "no");
	put_pair(&job->result, "shutting_down", control_is_shutting_down() ? "yes" : "no");
	show_done(job);
}

/* --- Nothing to show --- */

static const struct column dns_host_columns[] = {
	{ "hostname", COLUMN_TEXT },
	{ "ttl", COLUMN_INT8 },
	{ "addrs", COLUMN_TEXT },
};
const struct table dns_hosts_table = TABLE(dns_host_columns);

static const struct column dns_zone_columns[] = {
	{ "zonename", COLUMN_TEXT },
	{ "serial", COLUMN_INT8 },
	{ "count", COLUMN_INT8 },
};
const struct table dns_zones_table = TABLE(dns_zone_columns);

static const struct column peer_pool_columns[] = {
	{ "peer_id", COLUMN_INT8 },
	{ "cl_active_cancel_req", COLUMN_INT8 },
	{ "cl_waiting_cancel_req", COLUMN_INT8 },
	{ "sv_active_cancel", COLUMN_INT8 },
	{ "sv_login", COLUMN_INT8 },
};
const struct table peer_pools_table = TABLE(peer_pool_columns);

void show_peer_pools(struct job *job) { show_done(job); }
void show_dns_hosts(struct job *job) { show_done(job); }
void show_dns_zones(struct job *job) { show_done(job); }
