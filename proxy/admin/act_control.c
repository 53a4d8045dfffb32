/* RELOAD, SET, SHUTDOWN: what the control plane does. */
#include <ctype.h>
#include <stdio.h>

#include "act.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"

/* --- RELOAD --- */

static char *join(char *const *texts, size_t count)
{
	struct buf all = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&all, "%s%s", i ? "\n" : "", texts[i]);
	return buf_take_text(&all);
}

void act_reload(struct job *job)
{
	struct config_problems problems = { 0 };
	bool good = control_reload(&problems);

	for (size_t i = 0; i < problems.warning_count; i++)
		job_notice(job, problems.warnings[i], NULL);
	if (good) {
		job_done(job, "RELOAD");
	} else {
		job->detail = join(problems.texts, problems.count);
		job_fail(job, "F0000", "the configuration has errors; nothing was changed", NULL);
	}
	config_problems_fini(&problems);
}

/* --- SET --- */

void act_set(struct job *job)
{
	char *key = mem_strdup(call_argument(&job->call, 0));
	const char *value = call_argument(&job->call, 2);
	char tag[JOB_TAG_MAX];
	struct error error = { 0 };

	for (char *at = key; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	if (control_set(key, value, &error)) {
		snprintf(tag, sizeof(tag), "SET %s=%s", key, value);
		job_done(job, tag);
	} else {
		job_fail(job, error.sqlstate[0] ? error.sqlstate : "22023", error.text, "SHOW CONFIG lists the settings.");
	}
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
