/* Failure story: a host that does not let us in gives way to the next one; when all have failed, every question gets the
 * last reason, and so does every question of the next second, so that a broken server is not besieged. A connection that
 * is lost with questions under way is made anew, and each of them is asked once more. One that has logged in with a value
 * that its secret does not have any more is made anew too, so that nothing in it remembers that. */
#include "lookup_source.h"

#include <string.h>

#include "auth_state.h"
#include "credentials_internal.h"
#include "pgweir/clock.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/list.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/pgclient.h"
#include "pgweir/secret_login.h"

enum { CONNECT_TIMEOUT_MS = 5000, QUERY_TIMEOUT_MS = 5000, FAILURE_HOLDS_MS = 1000, BUSY_MS = 1000, TRIES_MAX = 2, SECRET_MAX = 8192 };

/* An expired password lets nobody in, as on the server. */
static const char default_query[] = "SELECT usename, CASE WHEN valuntil IS NULL OR valuntil > now() THEN passwd END "
	"FROM pg_catalog.pg_shadow WHERE usename = $1";

struct question {
	struct list link;
	struct lookup_source *source;
	char *user;
	unsigned tries;
	lookup_source_cb *callback;
	void *arg;
};

enum source_state { SOURCE_CLOSED, SOURCE_CONNECTING, SOURCE_OPEN };

struct lookup_source {
	enum source_state state;
	struct loop *control;
	struct config *config;
	const struct config_database *database;
	char *dbname;
	struct pgclient *client;
	struct secret_login *login;
	size_t host;                    /* Of the cluster: in use, or being tried. */
	struct list questions;          /* All that have no answer. */
	struct error failure;           /* Of the last round of hosts. */
	uint64_t failed_until_ms;
	struct loop_timer timer;        /* Answers all questions with `failure`. */
	struct loop_timer busy;         /* Until it is seen again whether the password is retired. */
};

static void answer(struct question *question, enum lookup_outcome outcome, const char *secret, const struct error *error)
{
	lookup_source_cb *callback = question->callback;
	void *arg = question->arg;

	list_remove(&question->link);
	mem_free(question->user);
	mem_free(question);
	callback(outcome, secret, error, arg);
}

static void fail_all(void *arg)
{
	struct lookup_source *source = arg;
	struct error failure = source->failure;

	while (!list_empty(&source->questions))
		answer(LIST_MEMBER(list_first(&source->questions), struct question, link), LOOKUP_FAILED, NULL, &failure);
}

/* --- Asking --- */

/* Which of several rows the user means is not for us to guess: the first may be somebody else's. */
static bool find_secret(const struct pgclient_result *result, const char **secret, struct error *error)
{
	size_t rows = pgclient_rows(result);

	if (pgclient_columns(result) < 2)
		return error_set(error, "58000", "auth_query must return two columns: user and password");
	if (rows > 1)
		return error_set(error, "58000", "auth_query returned %zu rows for one user", rows);
	*secret = rows ? pgclient_value(result, 0, 1) : NULL;
	if (*secret && strlen(*secret) > SECRET_MAX)
		return error_set(error, "58000", "auth_query returned a password of more than %d bytes", SECRET_MAX);
	return true;
}

static void take_rows(struct question *question, const struct pgclient_result *result)
{
	struct error error;
	const char *secret;

	if (!find_secret(result, &secret, &error)) {
		answer(question, LOOKUP_FAILED, NULL, &error);
		return;
	}
	answer(question, secret && secret[0] ? LOOKUP_FOUND : LOOKUP_UNKNOWN, secret, NULL);
}

static void question_done(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct question *question = arg;

	if (result) {
		take_rows(question, result);
		return;
	}
	/* The connection may have been closed for having been idle: the next one answers. What takes too long would do so again. */
	bool again = strcmp(error->sqlstate, "57014") != 0 && question->tries < TRIES_MAX;

	if (!pgclient_is_open(question->source->client) && again)
		return;
	struct error failure = *error;

	memcpy(failure.sqlstate, "58000", sizeof(failure.sqlstate));
	error_prepend(&failure, "auth_query");
	answer(question, LOOKUP_FAILED, NULL, &failure);
}

static void send_question(struct question *question)
{
	const struct config_database *database = question->source->database;
	const char *parameters[] = { question->user };

	question->tries++;
	pgclient_query(question->source->client, database->auth_query ? database->auth_query : default_query, parameters, 1,
		QUERY_TIMEOUT_MS, question_done, question);
}

/* --- The connection --- */

static void connection_changed(struct pgclient *client, const struct error *error, void *arg);

static const struct config_host *host_of(const struct lookup_source *source)
{
	return &source->database->cluster->hosts[source->host];
}

static void host_failed(struct lookup_source *source, const struct error *error);

static void connect_with(const struct credentials *credentials, const struct error *error, void *arg)
{
	struct lookup_source *source = arg;
	const struct config_database *database = source->database;
	const struct config_host *host = host_of(source);

	if (error) {
		source->state = SOURCE_CLOSED;
		host_failed(source, error);
		return;
	}
	char *passphrase = key_passphrase_find(&database->server_tls);
	struct pgclient_options options = {
		.host = host->host,
		.port = host->port,
		.dbname = source->dbname,
		.user = credentials->user,
		/* The password itself: libpq has no use for a hash or a verifier. */
		.password = credentials->password,
		.sslmode = config_sslmode_word(database->server_tls.sslmode),
		.ssl_ca_file = database->server_tls.ca_file,
		.ssl_cert_file = database->server_tls.cert_file,
		.ssl_key_file = database->server_tls.key_file,
		.ssl_key_passphrase = passphrase,
		.application_name = source->config->application_name,
		/* Nothing that a role or database has set may decide which functions and tables the query sees. */
		.options = "-c search_path=pg_catalog",
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
	};

	source->client = pgclient_new(source->control, &options, connection_changed, source);
	mem_secret_free(passphrase);
}

static void connect_to_host(struct lookup_source *source)
{
	const struct config_host *host = host_of(source);

	source->state = SOURCE_CONNECTING;
	secret_login_begin(source->login, credentials_of_user(source->config, source->database->auth_user), host->host, host->port);
}

static void connect_from_first(struct lookup_source *source)
{
	source->host = 0;
	if (source->database->cluster && source->database->cluster->host_count) {
		connect_to_host(source);
		return;
	}
	error_set(&source->failure, "58000", "the database has no host");
	loop_timer_start(&source->timer, 0);
}

static void host_failed(struct lookup_source *source, const struct error *error)
{
	const struct config_cluster *cluster = source->database->cluster;
	const struct config_host *host = &cluster->hosts[source->host];

	log_warning("auth_query cannot connect", LOG_TEXT("host", host->host), LOG_INT("port", host->port),
		LOG_TEXT("database", source->dbname), LOG_TEXT("user", source->database->auth_user), LOG_TEXT("reason", error->text));
	source->failure = *error;
	/* It is not the client's login that the server has refused. */
	memcpy(source->failure.sqlstate, "08006", sizeof(source->failure.sqlstate));
	if (++source->host < cluster->host_count) {
		connect_to_host(source);
		return;
	}
	source->failed_until_ms = clock_now_ms() + FAILURE_HOLDS_MS;
	fail_all(source);
}

static void connection_changed(struct pgclient *client, const struct error *error, void *arg)
{
	struct lookup_source *source = arg;
	bool was_open = source->state == SOURCE_OPEN;

	if (!error) {
		source->state = SOURCE_OPEN;
		secret_login_worked(source->login);
		LIST_FOREACH(at, following, &source->questions)
			send_question(LIST_MEMBER(at, struct question, link));
		return;
	}
	struct error reason = *error;

	source->client = NULL;
	pgclient_free(&client);
	if (!was_open && secret_login_try_other(source->login, &reason))
		return;
	source->state = SOURCE_CLOSED;
	if (!was_open)
		host_failed(source, &reason);
	else if (!list_empty(&source->questions))
		connect_from_first(source);
}

/* libpq remembers the password for as long as the connection lives. */
static void forget_what_is_retired(void *arg)
{
	struct lookup_source *source = arg;

	if (source->state == SOURCE_CLOSED || !secret_login_is_retired(source->login))
		return;
	if (source->state == SOURCE_CONNECTING || !list_empty(&source->questions)) {
		loop_timer_start(&source->busy, BUSY_MS);
		return;
	}
	source->state = SOURCE_CLOSED;
	pgclient_free(&source->client);
}

/* --- For the cache --- */

struct lookup_source *lookup_source_new(struct loop *control, struct config *config,
	const struct config_database *database, const char *dbname)
{
	struct lookup_source *source = NEW(struct lookup_source);

	source->control = control;
	source->config = config_ref(config);
	source->database = database;
	source->dbname = mem_strdup(dbname);
	list_init(&source->questions);
	source->login = secret_login_new(control, connect_with, source);
	loop_timer_init(&source->timer, control, fail_all, source);
	loop_timer_init(&source->busy, control, forget_what_is_retired, source);
	return source;
}

void lookup_source_free(struct lookup_source **source)
{
	struct lookup_source *gone = *source;

	*source = NULL;
	if (!gone)
		return;
	pgclient_free(&gone->client);
	secret_login_free(&gone->login);
	loop_timer_stop(&gone->timer);
	loop_timer_stop(&gone->busy);
	LIST_FOREACH(at, following, &gone->questions) {
		struct question *question = LIST_MEMBER(at, struct question, link);

		mem_free(question->user);
		mem_free(question);
	}
	mem_free(gone->dbname);
	config_unref(&gone->config);
	mem_free(gone);
}

void lookup_source_secrets_changed(struct lookup_source *source)
{
	forget_what_is_retired(source);
}

void lookup_source_ask(struct lookup_source *source, const char *user, lookup_source_cb *callback, void *arg)
{
	struct question *question = NEW(struct question);

	question->source = source;
	question->user = mem_strdup(user);
	question->callback = callback;
	question->arg = arg;
	list_push_back(&source->questions, &question->link);
	if (source->state == SOURCE_OPEN && pgclient_is_open(source->client))
		send_question(question);
	else if (source->state == SOURCE_CLOSED && clock_now_ms() < source->failed_until_ms)
		loop_timer_start(&source->timer, 0);
	else if (source->state == SOURCE_CLOSED)
		connect_from_first(source);
}
