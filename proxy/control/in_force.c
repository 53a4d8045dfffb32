/* The configuration in force: how the next one comes there, whoever asks for it.
 *
 * Failure story: whatever a snapshot names is read before anything uses it. One that is refused leaves the former in force, with its
 * secrets and its log. */
#include "in_force.h"

#include <errno.h>
#include <string.h>

#include "files_limit.h"
#include "notify.h"
#include "pgweir/authenticator.h"
#include "pgweir/config_places.h"
#include "pgweir/control.h"
#include "pgweir/lease.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/pool.h"
#include "pgweir/reconcile.h"
#include "pgweir/routing.h"
#include "pgweir/secrets.h"
#include "pgweir/server.h"
#include "pgweir/settings.h"
#include "pgweir/worker.h"

static struct {
	struct config *config;
	uint64_t generation;
	uint64_t places;                /* The hash of what secrets said about hosts when `config` was read. */
	struct loop_timer move;
} in_force;

struct config *control_config(void)
{
	return in_force.config;
}

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

static void take_back(void)
{
	if (!in_force.config)
		return;
	use_logging(in_force.config);
	secrets_configure(in_force.config);
}

/* Everything that can refuse a snapshot is asked before anything uses it. `kept` gets a warning for each key that takes a restart, if
 * it is not NULL. */
static bool publish(struct config *config, struct config_problems *problems, struct config_problems *kept)
{
	uint64_t places = config_places_hash(config);

	bool users = auth_check(config, problems), clients = login_check(config, problems);

	config->generation = ++in_force.generation;
	if (!users || !clients)
		return false;
	if (in_force.config)
		config_keep_running(config, in_force.config, note_kept, kept);
	use_logging(config);
	/* Before the first login that needs one, and before the keys whose passphrases they hold. */
	secrets_configure(config);
	if (!login_configure(config, problems) || !auth_configure(config, problems)) {
		take_back();
		return false;
	}
	server_tls_reload();
	if (in_force.config)
		config_changes(in_force.config, config, note_change, NULL);
	routing_configure(config);
	reconcile_configure(config);
	workers_publish(config);
	files_limit_follow(config);
	config_unref(&in_force.config);
	in_force.config = config_ref(config);
	/* Those of the first reading came too late for the snapshot itself. */
	in_force.places = places;
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
	if (config_places_hash(in_force.config) == in_force.places)
		return;
	struct config *config = config_load_again(in_force.config, &problems);

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
	loop_timer_start(&in_force.move, 0);
}

bool control_reload(struct config_problems *problems)
{
	struct config_problems kept = { 0 };
	bool stopping = control_is_shutting_down();

	if (!stopping)
		notify_reloading();
	struct config *config = config_load(in_force.config->path, problems);
	bool good = config && publish(config, problems, &kept);

	log_problems(problems);
	for (size_t i = 0; i < kept.warning_count; i++)
		config_problems_warn(problems, kept.warnings[i]);
	config_problems_fini(&kept);
	if (good)
		log_notable("configuration reloaded", LOG_TEXT("path", config->path));
	else
		log_error("configuration not reloaded, the former one stays", LOG_TEXT("path", in_force.config->path));
	config_unref(&config);
	if (!stopping)
		notify_ready();
	return good;
}

bool control_set(const char *key, const char *value, struct error *error)
{
	struct config *config = config_set(in_force.config, key, value, error);
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

/* --- Its life --- */

void in_force_start(struct loop *loop)
{
	loop_timer_init(&in_force.move, loop, move_databases, NULL);
	config_use_places(find_place);
	secrets_start(loop, secrets_changed, NULL);
}

bool in_force_begin(struct config *config)
{
	struct config_problems problems = { 0 };
	bool good = publish(config, &problems, NULL);

	log_problems(&problems);
	config_problems_fini(&problems);
	return good;
}

void in_force_stop(void)
{
	loop_timer_stop(&in_force.move);
	config_use_places(NULL);
	secrets_stop();
}

void in_force_drop(void)
{
	config_unref(&in_force.config);
}
