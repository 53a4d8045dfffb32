#include "pgweir/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "control_internal.h"
#include "files_limit.h"
#include "in_force.h"
#include "notify.h"
#include "pgweir/authenticator.h"
#include "pgweir/clock.h"
#include "pgweir/listener.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/reconcile.h"
#include "pgweir/routing.h"
#include "pgweir/session.h"
#include "pgweir/worker.h"
#include "signals.h"
#include "trim.h"

static struct {
	struct loop *loop;
	struct listener *listener;
	uint64_t started_us;
	const struct control_console *console;
	const struct control_pages *pages;
	bool pidfile_is_ours;
} control;

struct loop *control_loop(void)
{
	return control.loop;
}

uint64_t control_started_us(void)
{
	return control.started_us;
}

/* --- Clients --- */

static void give_to_admin(struct loop_letter *letter)
{
	control.console->receive(CONTAINER_OF(letter, struct login_session, letter));
}

/* On a login thread. */
static void receive_session(struct login_session *session)
{
	if (session->database) {
		session_receive(session);
		return;
	}
	session->letter.deliver = give_to_admin;
	loop_post(control.loop, &session->letter);
}

static const struct login_receiver receiver = { .session = receive_session, .cancel = session_receive_cancel };

static void accepted(int fd, const struct sockaddr_storage *peer, void *arg)
{
	(void)arg;
	login_accept(fd, peer);
}

static void stop_listening(void)
{
	listener_close(&control.listener);
}

void control_end(void)
{
	loop_stop(control.loop);
}

/* --- Start and end --- */

static bool write_pidfile(const char *path)
{
	FILE *file = path ? fopen(path, "w") : NULL;

	control.pidfile_is_ours = file != NULL;
	if (!path)
		return true;
	if (!file) {
		log_error("cannot write pidfile", LOG_TEXT("path", path), LOG_TEXT("reason", strerror(errno)));
		return false;
	}
	fprintf(file, "%d\n", (int)getpid());
	fclose(file);
	return true;
}

static void publish_topology(struct topology *topology)
{
	reconcile_publish_topology(topology);
	workers_publish_topology(topology);
}

static bool start(struct config *config)
{
	struct error error = { 0 };

	/* Secrets must not end up in a core file. */
	prctl(PR_SET_DUMPABLE, 0);
	(void)mem_wipe_freed();
	control.loop = loop_new("control");
	signals_watch(control.loop);
	control.started_us = clock_now_us();
	drain_init(control.loop);
	notify_start(control.loop);
	trim_start(control.loop);
	files_limit_raise();
	auth_start(control.loop);
	in_force_start(control.loop);
	reconcile_start(control.loop);
	workers_start(config, &session_worker_hooks);
	login_threads_start(config->login_threads);
	login_start(&receiver);
	routing_start(control.loop, publish_topology);
	if (!in_force_begin(config))
		return false;
	control.listener = listener_open(config, control.loop, accepted, NULL, &error);
	/* Whoever asks whether it is ready hears so once it is. */
	if (!control.listener || !control.pages->open(config, &error)) {
		log_error("cannot listen", LOG_TEXT("reason", error.text));
		return false;
	}
	/* Not sooner: it may be that of the one whose port this is. */
	if (!write_pidfile(config->pidfile))
		return false;
	files_limit_check(config);
	return true;
}

static void stop(void)
{
	stop_listening();
	reconcile_stop();
	login_stop();
	login_threads_stop();
	workers_stop();
	in_force_stop();
	routing_stop();
	auth_stop();
	control.console->stop();
	control.pages->close();
	drain_fini();
	notify_stop();
	trim_stop();
	signals_unwatch();
	if (control.pidfile_is_ours)
		unlink(control_config()->pidfile);
	in_force_drop();
	loop_free(&control.loop);
}

int control_run(struct config *config, const struct control_console *console, const struct control_pages *pages)
{
	control.console = console;
	control.pages = pages;
	bool started = start(config);

	if (started) {
		log_notable("pgweir is ready", LOG_TEXT("version", PGWEIR_VERSION), LOG_TEXT("listen_addr", config->listen_addr),
			LOG_INT("listen_port", config->listen_port), LOG_INT("workers", workers_count()));
		notify_ready();
		loop_run(control.loop);
		log_info("pgweir stops");
	}
	stop();
	config_unref(&config);
	return started ? 0 : 1;
}
