/* RELOAD, SET, SHUTDOWN: what the control plane does. */
#include <ctype.h>
#include <stdio.h>

#include "act.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"

/* A worker takes its letters in order: once it is visited, what has been published is in force there. Whoever is answered before
 * may find what was asked for not to be so yet. */
static void in_force(struct job *job, struct worker *worker)
{
	(void)job, (void)worker;
}

/* --- RELOAD --- */

static char *join(char *const *texts, size_t count)
{
	struct buf all = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&all, "%s%s", i ? "\n" : "", texts[i]);
	return buf_take_text(&all);
}

static void reloaded(struct job *job)
{
	job_done(job, "RELOAD");
}

void act_reload(struct job *job)
{
	struct config_problems problems = { 0 };
	bool good = control_reload(&problems);

	for (size_t i = 0; i < problems.warning_count; i++)
		job_notice(job, problems.warnings[i], NULL);
	if (good) {
		job_tour(job, in_force, reloaded);
	} else {
		job->detail = join(problems.texts, problems.count);
		job_fail(job, "F0000", "the configuration has errors; nothing was changed", NULL);
	}
	config_problems_fini(&problems);
}

/* --- SET --- */

static char *key_of(const struct job *job)
{
	char *key = mem_strdup(call_argument(&job->call, 0));

	for (char *at = key; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return key;
}

static void has_been_set(struct job *job)
{
	char *key = key_of(job), tag[JOB_TAG_MAX];

	snprintf(tag, sizeof(tag), "SET %s=%s", key, call_argument(&job->call, 2));
	job_done(job, tag);
	mem_free(key);
}

void act_set(struct job *job)
{
	char *key = key_of(job);
	struct error error = { 0 };

	if (control_set(key, call_argument(&job->call, 2), &error))
		job_tour(job, in_force, has_been_set);
	else
		job_fail(job, error.sqlstate[0] ? error.sqlstate : "22023", error.text, "SHOW CONFIG lists the settings.");
	mem_free(key);
}

/* --- SHUTDOWN --- */

static enum control_shutdown how;
static struct loop_timer timer;
static bool about_to;

static void shut_down(void *unused)
{
	(void)unused;
	about_to = false;
	control_shutdown(how);
}

/* After the answer has gone out: the end may come at once. */
static void answer_and_shut_down(struct job *job, enum control_shutdown wanted)
{
	how = wanted;
	if (!about_to)
		loop_timer_init(&timer, control_loop(), shut_down, NULL);
	about_to = true;
	loop_timer_start(&timer, 0);
	job_done(job, "SHUTDOWN");
}

void act_shutdown(struct job *job) { answer_and_shut_down(job, CONTROL_NOW); }
void act_shutdown_for_servers(struct job *job) { answer_and_shut_down(job, CONTROL_WAIT_FOR_SERVERS); }
void act_shutdown_for_clients(struct job *job) { answer_and_shut_down(job, CONTROL_WAIT_FOR_CLIENTS); }
