#include "signals.h"

#include <pthread.h>
#include <signal.h>

#include "pgweir/control.h"
#include "pgweir/log.h"
#include "pgweir/pool.h"
#include "pgweir/pool_table.h"

static void reload_on_signal(void)
{
	struct config_problems problems = { 0 };

	if (!control_reload(&problems))
		log_debug("reload refused");
	config_problems_fini(&problems);
}

static void drain_on_signal(void)
{
	control_shutdown(CONTROL_DRAIN);
}

static void wait_on_signal(void)
{
	control_shutdown(CONTROL_WAIT_FOR_SERVERS);
}

static void end_on_signal(void)
{
	control_shutdown(CONTROL_NOW);
}

static void let_go(struct worker *worker, void *arg)
{
	(void)arg;
	worker_now(worker);
	pool_worker_close_idle(worker, NULL, NULL);
}

/* As PAUSE and RESUME on the console, for scripts that were written for PgBouncer. */
static void pause_on_signal(void)
{
	log_notable("paused by a signal");
	pool_pause_all(true);
	pool_reconnect(NULL);
	workers_wake(UINT64_MAX, let_go, NULL);
}

static void resume_on_signal(void)
{
	log_notable("resumed by a signal");
	pool_pause_all(false);
	pool_cluster_resume_all();
	workers_wake(UINT64_MAX, pool_worker_retry, NULL);
}

static const struct {
	int number;
	void (*act)(void);
} signal_acts[] = {
	{ SIGHUP, reload_on_signal },
	{ SIGTERM, drain_on_signal },
	{ SIGINT, wait_on_signal },
	{ SIGQUIT, end_on_signal },
	{ SIGUSR1, pause_on_signal },
	{ SIGUSR2, resume_on_signal },
};

static struct event *events[ARRAY_LEN(signal_acts)];

static void signalled(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(signal_acts); i++)
		if (signal_acts[i].number == (int)number)
			signal_acts[i].act();
}

static void come_too_late(int number)
{
	(void)number;
}

/* From the first moment, so that whoever finds the pidfile or the port may send one; it is acted on once the loop runs. And
 * to the last: libevent puts back what it found, and a second SIGTERM at the very end must not spoil the exit status. */
void signals_watch(struct loop *loop)
{
	sigset_t all, before;

	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	for (size_t i = 0; i < ARRAY_LEN(signal_acts); i++) {
		signal(signal_acts[i].number, come_too_late);
		events[i] = evsignal_new(loop_base(loop), signal_acts[i].number, signalled, NULL);
		event_add(events[i], NULL);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void signals_unwatch(void)
{
	for (size_t i = 0; i < ARRAY_LEN(signal_acts); i++)
		event_free(events[i]);
}
