/* Failure story: a client that leaves during a tour leaves the job behind, which belongs to the tour until that is over;
 * a job between two tours is freed at once. In both cases `abandoned` runs, on the control thread. */
#include "job.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "pgweir/control.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* All jobs there are, so that one whose tour the end of the process cuts short is still held by somebody. */
static struct list jobs = { &jobs, &jobs };

static void poll_again(void *arg)
{
	struct job *job = arg;

	job_tour(job, job->visit, job->after_tour);
}

struct job *job_new(struct client *client, struct call *call, uint64_t binary)
{
	struct job *job = NEW(struct job);

	job->client = client;
	job->call = *call;
	*call = (struct call){ 0 };
	result_init(&job->result, job->call.command ? job->call.command->table : NULL, binary);
	loop_timer_init(&job->timer, control_loop(), poll_again, job);
	list_push_back(&jobs, &job->link);
	return job;
}

static bool free_sum(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

static void release(struct job *job)
{
	list_remove(&job->link);
	loop_timer_stop(&job->timer);
	map_foreach(&job->sums, free_sum, NULL);
	map_fini(&job->sums);
	call_fini(&job->call);
	result_fini(&job->result);
	buf_fini(&job->notices);
	mem_free(job->detail);
	mem_free(job);
}

void job_free(struct job **job)
{
	struct job *gone = *job;

	*job = NULL;
	if (!gone)
		return;
	gone->client = NULL;
	if (gone->state == JOB_RUNNING && gone->abandoned)
		gone->abandoned(gone);
	if (!gone->touring)
		release(gone);
}

/* Asked at each command, since a reload may have changed the lists. */
static bool may(const struct client *client, enum command_who who)
{
	const struct config *config = control_config();

	if (config_list_has(config->admin_users, client->user))
		return true;
	return who == COMMAND_STATS_USERS && config_list_has(config->stats_users, client->user);
}

/* What changes something is worth knowing later. The value of a SET may be a password, and is not told. */
static void run(struct job *job)
{
	const struct command *command = job->call.command;
	bool named = command->arguments == ARGUMENTS_ONE || command->arguments == ARGUMENTS_MAYBE_ONE;

	if (command->who == COMMAND_ADMIN_USERS)
		log_notable("console command", LOG_TEXT("command", command->words),
			LOG_TEXT("name", named ? call_argument(&job->call, 0) : NULL), LOG_TEXT("user", job->client->user));
	command->run(job);
}

void job_start(struct job *job)
{
	const struct command *command = job->call.command;

	CHECK(job->state == JOB_NEW);
	job->state = JOB_RUNNING;
	job->starting = true;
	if (!command)
		job_done(job, "");
	else if (!may(job->client, command->who))
		job_fail(job, "42501", "permission denied", "The command is for admin_users.");
	else
		run(job);
	job->starting = false;
}

static void end(struct job *job, enum job_state state)
{
	CHECK(job->state == JOB_RUNNING && !job->touring);
	job->state = state;
	if (!job->starting)
		client_job_ended(job->client);
}

void job_done(struct job *job, const char *tag)
{
	snprintf(job->tag, sizeof(job->tag), "%s", tag);
	end(job, JOB_DONE);
}

void job_fail(struct job *job, const char *sqlstate, const char *text, const char *hint)
{
	error_set(&job->error, sqlstate, "%s", text);
	job->hint = hint;
	end(job, JOB_FAILED);
}

static void visit_worker(struct worker *worker, void *arg)
{
	struct job *job = arg;

	worker_now(worker);
	job->visit(job, worker);
}

static void tour_is_over(void *arg)
{
	struct job *job = arg;

	job->touring = false;
	if (job->client)
		job->after_tour(job);
	else
		release(job);
}

void job_tour(struct job *job, job_visit_cb *visit, job_cb *after)
{
	job->visit = visit;
	job->after_tour = after;
	job->touring = true;
	workers_visit(control_loop(), visit_worker, tour_is_over, job);
}

void job_walk(struct job *job, const struct worker_walk *calls, job_cb *after)
{
	job->after_tour = after;
	job->touring = true;
	workers_walk(control_loop(), calls, tour_is_over, job);
}

void job_tour_again(struct job *job)
{
	loop_timer_start(&job->timer, JOB_POLL_MS);
}

void job_notice(struct job *job, const char *text, const char *detail)
{
	wire_put_error(&job->notices, &(struct wire_error){ .severity = "NOTICE", .sqlstate = "00000", .message = text,
		.detail = detail });
}

bool job_wants(const struct job *job, const struct pool_share *share)
{
	return (!job->database || share->pool->database == job->database) && (!job->cluster || share->cluster == job->cluster);
}
