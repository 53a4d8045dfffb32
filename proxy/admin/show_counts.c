/* SHOW LISTS, MEM, USERS: how many there are of what. */
#include <string.h>

#include "client.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "pgweir/session.h"
#include "show.h"

struct counts {
	int64_t shares, sessions, servers_at_work, servers_idle;
};

static const char counts_name[] = "";

static struct counts *counts_of(struct job *job)
{
	struct counts *counts = map_get_text(&job->sums, counts_name);

	if (!counts) {
		counts = NEW(struct counts);
		map_put_text(&job->sums, counts_name, counts);
	}
	return counts;
}

static void count_share(struct pool_share *share, void *arg)
{
	struct job *job = arg;
	struct counts *counts = counts_of(job);

	if (!map_get_text(&job->sums, share->key))
		map_put_text(&job->sums, share->key, mem_strdup(share->key));
	counts->shares++;
	counts->sessions += share->session_count;
	counts->servers_at_work += share->lent_count + share->cleaning_count;
	counts->servers_idle += share->idle_count;
}

static const struct worker_walk counting = { .share = count_share };

static int64_t console_count(void)
{
	int64_t count = 0;

	LIST_FOREACH(link, next, admin_clients())
		count++;
	return count;
}

/* --- SHOW LISTS --- */

static const struct column list_columns[] = {
	{ "list", COLUMN_TEXT },
	{ "items", COLUMN_INT8 },
};
const struct table lists_table = TABLE(list_columns);

/* Each pool has its name among the sums, beside the counts. Nothing is kept for clients and servers that have gone, so
 * that there are no free ones. */
static void put_lists(struct job *job)
{
	const struct config *config = control_config();
	const struct counts *counts = counts_of(job);
	const struct { const char *name; int64_t items; } rows[] = {
		{ "databases", (int64_t)config->database_count },
		{ "users", (int64_t)config->user_count },
		{ "peers", (int64_t)config->peer_count },
		{ "pools", (int64_t)job->sums.size - 1 },
		{ "peer_pools", 0 },
		{ "free_clients", 0 },
		{ "used_clients", counts->sessions + console_count() },
		{ "login_clients", login_count() },
		{ "free_servers", 0 },
		{ "used_servers", counts->servers_at_work + counts->servers_idle },
		{ "dns_names", 0 },
		{ "dns_zones", 0 },
		{ "dns_queries", 0 },
		{ "dns_pending", 0 },
		{ "idle_servers", counts->servers_idle },
		{ "threads", workers_count() },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		result_begin(&job->result);
		result_text(&job->result, rows[i].name);
		result_int(&job->result, rows[i].items);
		result_end(&job->result);
	}
	show_done(job);
}

void show_lists(struct job *job)
{
	job_walk(job, &counting, put_lists);
}

/* --- SHOW MEM --- */

static const struct column mem_columns[] = {
	{ "name", COLUMN_TEXT },
	{ "size", COLUMN_INT8 },
	{ "used", COLUMN_INT8 },
	{ "free", COLUMN_INT8 },
	{ "memtotal", COLUMN_INT8 },
};
const struct table mem_table = TABLE(mem_columns);

static void put_memory(struct result *result, const char *name, int64_t size, int64_t used)
{
	result_begin(result);
	result_text(result, name);
	result_int(result, size);
	result_int(result, used);
	result_int(result, 0);
	result_int(result, size * used);
	result_end(result);
}

/* The sizes are those of the structures themselves; buffers exist only where something could not be sent at once. */
static void put_mem(struct job *job)
{
	const struct config *config = control_config();
	const struct counts *counts = counts_of(job);
	struct result *result = &job->result;

	put_memory(result, "user_cache", sizeof(struct config_user), (int64_t)config->user_count);
	put_memory(result, "db_cache", sizeof(struct config_database), (int64_t)config->database_count);
	put_memory(result, "pool_cache", sizeof(struct pool_share), counts->shares);
	put_memory(result, "server_cache", sizeof(struct backend) + sizeof(struct server),
		counts->servers_at_work + counts->servers_idle);
	put_memory(result, "client_cache", sizeof(struct session), counts->sessions);
	put_memory(result, "iobuf_cache", WORKER_RECEIVE_SIZE, workers_count());
	put_memory(result, "process", (int64_t)mem_resident_bytes(), 1);
	show_done(job);
}

void show_mem(struct job *job)
{
	job_walk(job, &counting, put_mem);
}

/* --- SHOW USERS --- */

static const struct column user_columns[] = {
	{ "name", COLUMN_TEXT },
	{ "pool_mode", COLUMN_TEXT },
};
const struct table users_table = TABLE(user_columns);

static void note_user(struct job *job, const char *name)
{
	if (!map_get_text(&job->sums, name))
		map_put_text(&job->sums, name, mem_strdup(name));
}

static bool visit_guest(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size;
	note_user(arg, ((const struct pool_guest *)value)->name);
	return true;
}

static void visit_users(struct pool_share *share, void *arg)
{
	note_user(arg, share->user_name);
	map_foreach(&share->guests, visit_guest, arg);
}

static void put_user(struct result *result, const char *name, int pool_mode)
{
	result_begin(result);
	result_text(result, name);
	result_text(result, pool_mode == CONFIG_INHERIT ? NULL : show_pool_mode((enum pool_mode)pool_mode));
	result_end(result);
}

static bool put_other_user(const void *key, size_t size, void *value, void *arg)
{
	struct job *job = arg;

	(void)key, (void)size;
	put_user(&job->result, value, CONFIG_INHERIT);
	return true;
}

static void put_users(struct job *job)
{
	const struct config *config = control_config();

	for (size_t i = 0; i < config->user_count; i++) {
		put_user(&job->result, config->users[i].name, config->users[i].pool_mode);
		mem_free(map_take_text(&job->sums, config->users[i].name));
	}
	map_foreach(&job->sums, put_other_user, job);
	show_done(job);
}

void show_users(struct job *job)
{
	static const struct worker_walk walk = { .share = visit_users };

	job_walk(job, &walk, put_users);
}
