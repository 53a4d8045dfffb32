/* Stands in for authentication, settings, the configuration's lookups and the login threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "login_fixture.h"
#include "pgweir/mem.h"
#include "pgweir/server.h"
#include "pgweir/thread.h"

/* --- Configuration --- */

static _Atomic unsigned config_references;

unsigned fake_config_references(void)
{
	return atomic_load(&config_references);
}

struct config *config_ref(struct config *config)
{
	atomic_fetch_add(&config_references, 1);
	return config;
}

void config_unref(struct config **config)
{
	if (*config)
		atomic_fetch_sub(&config_references, 1);
	*config = NULL;
}

const struct config_database *config_find_database(const struct config *config, const char *name)
{
	const struct config_database *fallback = NULL;

	for (size_t i = 0; i < config->database_count; i++) {
		if (strcmp(config->databases[i].name, name) == 0)
			return &config->databases[i];
		if (strcmp(config->databases[i].name, "*") == 0)
			fallback = &config->databases[i];
	}
	return fallback;
}

const struct config_user *config_find_user(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->user_count; i++)
		if (strcmp(config->users[i].name, name) == 0)
			return &config->users[i];
	return NULL;
}

bool config_list_has(const char *list, const char *user)
{
	return list && strcmp(list, user) == 0;
}

/* --- Settings --- */

struct state {
	_Atomic unsigned references;
	struct state_builder pairs;
};

void state_builder_set(struct state_builder *builder, const char *name, const char *value)
{
	state_builder_unset(builder, name);
	builder->pairs = mem_realloc(builder->pairs, (builder->count + 1) * sizeof(*builder->pairs));
	builder->pairs[builder->count++] = (struct state_pair){ .name = mem_strdup(name), .value = mem_strdup(value) };
}

void state_builder_unset(struct state_builder *builder, const char *name)
{
	for (size_t i = 0; i < builder->count; i++) {
		if (strcmp(builder->pairs[i].name, name) != 0)
			continue;
		mem_free(builder->pairs[i].name);
		mem_free(builder->pairs[i].value);
		builder->pairs[i] = builder->pairs[--builder->count];
		return;
	}
}

struct state *state_builder_finish(struct state_builder *builder)
{
	if (!builder->count) {
		mem_free(builder->pairs);
		*builder = (struct state_builder){ 0 };
		return NULL;
	}
	struct state *state = NEW(struct state);

	state->references = 1;
	state->pairs = *builder;
	*builder = (struct state_builder){ 0 };
	return state;
}

void state_unref(struct state **state)
{
	struct state *gone = *state;

	*state = NULL;
	if (!gone || atomic_fetch_sub(&gone->references, 1) != 1)
		return;
	while (gone->pairs.count)
		state_builder_unset(&gone->pairs, gone->pairs.pairs[0].name);
	mem_free(gone->pairs.pairs);
	mem_free(gone);
}

const char *state_get(const struct state *state, const char *name)
{
	for (size_t i = 0; state && i < state->pairs.count; i++)
		if (strcmp(state->pairs.pairs[i].name, name) == 0)
			return state->pairs.pairs[i].value;
	return NULL;
}

size_t state_count(const struct state *state)
{
	return state ? state->pairs.count : 0;
}

bool state_text_is_ascii(const char *text)
{
	while (*text > 0)
		text++;
	return !*text;
}

bool state_is_startup_only(const char *name)
{
	return strcmp(name, "log_connections") == 0;
}

/* --- Credentials --- */

const struct config_user *credentials_find_user(const struct config *config, const char *name)
{
	return config_find_user(config, name);
}

struct credentials *credentials_for_server(const struct config *config, const struct config_database *database,
	const char *user, const struct credentials *proved)
{
	struct credentials *credentials = NEW(struct credentials);

	(void)config;
	(void)database;
	credentials->references = 1;
	credentials->user = mem_strdup(user);
	credentials->password = mem_strdup(proved ? proved->password : NULL);
	return credentials;
}

void credentials_unref(struct credentials **credentials)
{
	struct credentials *gone = *credentials;

	*credentials = NULL;
	if (!gone || atomic_fetch_sub(&gone->references, 1) != 1)
		return;
	mem_free(gone->user);
	mem_free(gone->password);
	mem_free(gone);
}

/* --- Login threads --- */

static struct thread *threads[2];
static _Atomic unsigned turn;

void login_threads_start(int count)
{
	CHECK(count == ARRAY_LEN(threads));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		threads[i] = thread_start("login", NULL, NULL, NULL);
}

void login_threads_stop(void)
{
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		thread_stop(&threads[i]);
}

struct loop *login_threads_next(void)
{
	return thread_loop(threads[atomic_fetch_add(&turn, 1) % ARRAY_LEN(threads)]);
}

/* --- The authenticator --- */

_Atomic enum fake_auth fake_auth;
const char *const fake_auth_password = "secret";

struct authenticator {
	struct loop *loop;
	authenticator_cb *callback;
	void *arg;
	enum fake_auth kind;
	uint32_t code;
	unsigned round;
	struct buf body;
	struct error error;
	bool proved;
	struct loop_letter release;
};

static struct {
	pthread_mutex_t mutex;
	struct fake_auth_seen seen;
	struct authenticator *waiting;
	unsigned alive;
} fake = { .mutex = PTHREAD_MUTEX_INITIALIZER };

struct fake_auth_seen fake_auth_seen(void)
{
	pthread_mutex_lock(&fake.mutex);
	struct fake_auth_seen seen = fake.seen;

	pthread_mutex_unlock(&fake.mutex);
	return seen;
}

unsigned fake_auth_alive(void)
{
	pthread_mutex_lock(&fake.mutex);
	unsigned alive = fake.alive;

	pthread_mutex_unlock(&fake.mutex);
	return alive;
}

struct authenticator *authenticator_new(const struct auth_request *request, struct loop *loop, authenticator_cb *callback,
	void *arg)
{
	struct authenticator *authenticator = NEW(struct authenticator);
	struct fake_auth_seen seen = { .tls = request->tls, .binding_size = request->binding_size, .peer_uid = request->peer_uid };

	*authenticator = (struct authenticator){ .loop = loop, .callback = callback, .arg = arg, .kind = fake_auth };
	snprintf(seen.database_section, sizeof(seen.database_section), "%s", request->database ? request->database->name : "console");
	snprintf(seen.user, sizeof(seen.user), "%s", request->user);
	snprintf(seen.common_name, sizeof(seen.common_name), "%s", request->common_name ? request->common_name : "");
	pthread_mutex_lock(&fake.mutex);
	fake.seen = seen;
	fake.alive++;
	pthread_mutex_unlock(&fake.mutex);
	return authenticator;
}

void authenticator_free(struct authenticator **authenticator)
{
	struct authenticator *gone = *authenticator;

	*authenticator = NULL;
	if (!gone)
		return;
	pthread_mutex_lock(&fake.mutex);
	fake.alive--;
	if (fake.waiting == gone)
		fake.waiting = NULL;
	pthread_mutex_unlock(&fake.mutex);
	buf_fini(&gone->body);
	mem_free(gone);
}

static enum auth_step ask(struct authenticator *authenticator, uint32_t code, const char *body)
{
	authenticator->code = code;
	authenticator->body.size = 0;
	buf_append_text(&authenticator->body, body);
	return code == 12 ? AUTH_GRANTED : AUTH_CHALLENGE;
}

enum auth_step authenticator_start(struct authenticator *authenticator)
{
	switch (authenticator->kind) {
	case FAKE_AUTH_TRUST:
		return AUTH_GRANTED;
	case FAKE_AUTH_PASSWORD:
		return ask(authenticator, 3, "");
	case FAKE_AUTH_SASL:
		return ask(authenticator, 10, "mechanisms");
	case FAKE_AUTH_LATER:
		pthread_mutex_lock(&fake.mutex);
		fake.waiting = authenticator;
		pthread_mutex_unlock(&fake.mutex);
		return AUTH_WAITING;
	case FAKE_AUTH_DENY:
		break;
	}
	error_set(&authenticator->error, "28000", "not you");
	return AUTH_DENIED;
}

enum auth_step authenticator_answer(struct authenticator *authenticator, const void *body, size_t size)
{
	authenticator->round++;
	if (authenticator->kind == FAKE_AUTH_SASL)
		return authenticator->round == 1 ? ask(authenticator, 11, "continue") : ask(authenticator, 12, "final");
	authenticator->code = 0;
	if (size == strlen(fake_auth_password) + 1 && memcmp(body, fake_auth_password, size) == 0) {
		authenticator->proved = true;
		return AUTH_GRANTED;
	}
	error_set(&authenticator->error, "28P01", "password authentication failed");
	return AUTH_DENIED;
}

static void released(struct loop_letter *letter)
{
	struct authenticator *authenticator = CONTAINER_OF(letter, struct authenticator, release);

	authenticator->callback(AUTH_GRANTED, authenticator->arg);
}

bool fake_auth_waits(void)
{
	pthread_mutex_lock(&fake.mutex);
	bool waits = fake.waiting != NULL;

	pthread_mutex_unlock(&fake.mutex);
	return waits;
}

void fake_auth_release(void)
{
	pthread_mutex_lock(&fake.mutex);
	struct authenticator *authenticator = fake.waiting;

	assert_non_null(authenticator);
	fake.waiting = NULL;
	pthread_mutex_unlock(&fake.mutex);
	authenticator->release.deliver = released;
	loop_post(authenticator->loop, &authenticator->release);
}

uint32_t authenticator_code(const struct authenticator *authenticator)
{
	return authenticator->code;
}

const struct buf *authenticator_body(const struct authenticator *authenticator)
{
	return &authenticator->body;
}

const struct error *authenticator_error(const struct authenticator *authenticator)
{
	return &authenticator->error;
}

const char *authenticator_method(const struct authenticator *authenticator)
{
	(void)authenticator;
	return "fake";
}

const char *authenticator_refusal(const struct authenticator *authenticator)
{
	(void)authenticator;
	return NULL;
}

struct credentials *authenticator_take_proved(struct authenticator *authenticator)
{
	struct credentials *credentials;

	if (!authenticator->proved)
		return NULL;
	credentials = NEW(struct credentials);
	credentials->references = 1;
	credentials->password = mem_strdup(fake_auth_password);
	return credentials;
}
