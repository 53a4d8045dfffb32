#include "pgweir/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control_internal.h"
#include "notify.h"
#include "pgweir/authenticator.h"
#include "pgweir/clock.h"
#include "pgweir/config_places.h"
#include "pgweir/descriptors.h"
#include "pgweir/lease.h"
#include "pgweir/listener.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/pool.h"
#include "pgweir/reconcile.h"
#include "pgweir/secrets.h"
#include "pgweir/routing.h"
#include "pgweir/server.h"
#include "pgweir/session.h"
#include "pgweir/settings.h"
#include "pgweir/worker.h"
#include "signals.h"
#include "trim.h"

static struct {
	struct loop *loop;
	struct config *config;
	struct listener *listener;
	uint64_t generation, started_us;
	uint64_t places;                /* The hash of what secrets said about hosts when `config` was read. */
	struct loop_timer move;
	const struct control_console *console;
	const struct control_pages *pages;
	bool pidfile_is_ours;
} control;

struct loop *control_loop(void)
{
	return control.loop;
}

struct config *control_config(void)
{
	return control.config;
}

uint64_t control_started_us(void)
{
	return control.started_us;
}

/* --- The configuration --- */

static void log_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->warning_count; i++)
		log_warning("configuration", LOG_TEXT("warning", problems->warnings[i]));
	for (size_t i = 0; i < problems->count; i++)
		log_error("configuration", LOG_TEXT("problem", problems->texts[i]));
}

static void note_change(const struct config_change *change, void *arg)
{
	const char *key = change->key ? change->key : change->came ? "(new)" : "(gone)";

	(void)arg;
	if (change->needs_restart)
		log_warning("setting changed, takes effect after a restart", LOG_TEXT("section", change->section), LOG_TEXT("key", key));
	else
		log_notable("setting changed", LOG_TEXT("section", change->section), LOG_TEXT("key", key));
}

/* Whoever says RELOAD on the console does not read the log. */
static void note_kept(const struct config_change *change, void *arg)
{
	note_change(change, NULL);
	if (!arg)
		return;
	char *text = mem_printf("[%s] %s changed: takes effect after a restart", change->section, change->key ? change->key : "");

	config_problems_warn(arg, text);
	mem_free(text);
}

static bool use_logging(const struct config *config)
{
	int failed = log_open(config->logfile);

	log_set_format(config->log_format);
	log_set_level(config->log_level);
	if (failed)
		log_error("cannot open logfile", LOG_TEXT("path", config->logfile), LOG_TEXT("reason", strerror(failed)));
	return failed == 0;
}

static void publish_topology(struct topology *topology)
{
	reconcile_publish_topology(topology);
	workers_publish_topology(topology);
}

static void take_back(void)
{
	if (!control.config)
		return;
	use_logging(control.config);
	secrets_configure(control.config);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The limit of the process. */
static uint64_t plan_descriptors(const struct config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return UINT64_MAX;
	descriptors_plan(limit.rlim_cur, config_server_connections(config));
	return limit.rlim_cur;
}

/* Everything that can refuse a snapshot is asked before anything uses it. `kept` gets a warning for each key that takes a restart, if
 * it is not NULL. */
static bool publish(struct config *config, struct config_problems *problems, struct config_problems *kept)
{
	uint64_t places = config_places_hash(config);

	bool users = auth_check(config, problems), clients = login_check(config, problems);

	config->generation = ++control.generation;
	if (!users || !clients)
		return false;
	if (control.config)
		config_keep_running(config, control.config, note_kept, kept);
	use_logging(config);
	/* Before the first login that needs one, and before the keys whose passphrases they hold. */
	secrets_configure(config);
	if (!login_configure(config, problems) || !auth_configure(config, problems)) {
		take_back();
		return false;
	}
	server_tls_reload();
	if (control.config)
		config_changes(control.config, config, note_change, NULL);
	routing_configure(config);
	reconcile_configure(config);
	workers_publish(config);
	if (control.listener)
		plan_descriptors(config);
	config_unref(&control.config);
	control.config = config_ref(config);
	/* Those of the first reading came too late for the snapshot itself. */
	control.places = places;
	return true;
}

/* --- Secrets --- */

static bool find_place(const char *secret, struct config_place *place)
{
	struct lease *lease = lease_find(secret);
	const struct lease_value *value = lease ? &lease->value : NULL;
	bool fits = value && (!value->host || strlen(value->host) < sizeof(place->host))
		&& (!value->dbname || strlen(value->dbname) < sizeof(place->dbname));

	if (fits) {
		memcpy(place->host, value->host ? value->host : "", value->host ? strlen(value->host) + 1 : 1);
		memcpy(place->dbname, value->dbname ? value->dbname : "", value->dbname ? strlen(value->dbname) + 1 : 1);
		place->port = value->port;
	}
	lease_unref(&lease);
	return fits;
}

/* A secret says that a database is somewhere else than the snapshot has it. */
static void move_databases(void *arg)
{
	struct config_problems problems = { 0 };

	(void)arg;
	if (config_places_hash(control.config) == control.places)
		return;
	struct config *config = config_load_again(control.config, &problems);

	if (config && publish(config, &problems, NULL))
		log_info("the hosts or names of databases that secrets say have been taken into use");
	else
		log_error("the host that a secret says is not used, since the configuration has errors");
	log_problems(&problems);
	config_problems_fini(&problems);
	config_unref(&config);
}

static void secrets_changed(void *arg)
{
	(void)arg;
	workers_wake(UINT64_MAX, pool_worker_adopt_secrets, NULL);
	routing_renew();
	auth_secrets_changed();
	login_secrets_changed();
	/* Not from within: it may be a snapshot's secrets that are being read. */
	loop_timer_start(&control.move, 0);
}

bool control_reload(struct config_problems *problems)
{
	struct config_problems kept = { 0 };
	bool stopping = control_is_shutting_down();

	if (!stopping)
		notify_reloading();
	struct config *config = config_load(control.config->path, problems);
	bool good = config && publish(config, problems, &kept);

	log_problems(problems);
	for (size_t i = 0; i < kept.warning_count; i++)
		config_problems_warn(problems, kept.warnings[i]);
	config_problems_fini(&kept);
	if (good)
		log_notable("configuration reloaded", LOG_TEXT("path", config->path));
	else
		log_error("configuration not reloaded, the former one stays", LOG_TEXT("path", control.config->path));
	config_unref(&config);
	if (!stopping)
		notify_ready();
	return good;
}

bool control_set(const char *key, const char *value, struct error *error)
{
	struct config *config = config_set(control.config, key, value, error);
	struct config_problems problems = { 0 };

	if (!config)
		return false;
	bool good = publish(config, &problems, NULL);

	if (!good)
		error_set(error, "22023", "%s", problems.count ? problems.texts[0] : "the value cannot be used");
	config_problems_fini(&problems);
	config_unref(&config);
	return good;
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

/* When all is open that stays open. A limit that is too low is found out now, not at the client too many. */
static void check_descriptors(const struct config *config)
{
	uint64_t limit = plan_descriptors(config);
	uint64_t wanted = descriptors_wanted((uint64_t)config->max_client_conn, config_server_connections(config));

	if (limit < wanted)
		log_warning("the limit of open files is lower than max_client_conn and the pools may need",
			LOG_INT("limit", limit), LOG_INT("wanted", wanted), LOG_INT("clients", login_places(config)));
}

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

static bool start(struct config *config)
{
	struct config_problems problems = { 0 };
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
	raise_descriptors();
	auth_start(control.loop);
	loop_timer_init(&control.move, control.loop, move_databases, NULL);
	config_use_places(find_place);
	secrets_start(control.loop, secrets_changed, NULL);
	reconcile_start(control.loop);
	workers_start(config, &session_worker_hooks);
	login_threads_start(config->login_threads);
	login_start(&receiver);
	routing_start(control.loop, publish_topology);
	bool good = publish(config, &problems, NULL);

	log_problems(&problems);
	config_problems_fini(&problems);
	if (!good)
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
	check_descriptors(config);
	return true;
}

static void stop(void)
{
	stop_listening();
	reconcile_stop();
	login_stop();
	login_threads_stop();
	workers_stop();
	loop_timer_stop(&control.move);
	config_use_places(NULL);
	secrets_stop();
	routing_stop();
	auth_stop();
	control.console->stop();
	control.pages->close();
	drain_fini();
	notify_stop();
	trim_stop();
	signals_unwatch();
	if (control.pidfile_is_ours)
		unlink(control.config->pidfile);
	config_unref(&control.config);
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
