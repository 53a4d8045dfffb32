#include "auth_state.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "hba.h"
#include "ident.h"
#include "pgweir/authenticator.h"
#include "pgweir/mem.h"

enum { MOCK_DIGITS = 32 };

static struct {
	pthread_mutex_t mutex;
	struct auth_state *state;
} current = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static pthread_once_t mock_once = PTHREAD_ONCE_INIT;
static unsigned char mock_key[SCRAM_KEY_SIZE];

static struct auth_state *state_new(void)
{
	struct auth_state *state = NEW(struct auth_state);

	atomic_init(&state->references, 1);
	return state;
}

struct auth_state *auth_state_current(void)
{
	pthread_mutex_lock(&current.mutex);
	if (!current.state)
		current.state = state_new();
	struct auth_state *state = current.state;

	atomic_fetch_add_explicit(&state->references, 1, memory_order_relaxed);
	pthread_mutex_unlock(&current.mutex);
	return state;
}

void auth_state_unref(struct auth_state **state)
{
	struct auth_state *gone = *state;

	*state = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1)
		return;
	userlist_fini(&gone->users);
	hba_free(&gone->hba);
	ident_free(&gone->ident);
	mem_free(gone);
}

static void publish(struct auth_state *state)
{
	pthread_mutex_lock(&current.mutex);
	struct auth_state *old = current.state;

	current.state = state;
	pthread_mutex_unlock(&current.mutex);
	auth_state_unref(&old);
}

void auth_state_forget(void)
{
	publish(NULL);
}

/* --- Loading --- */

static void load_users(struct auth_state *state, const struct config *config, struct config_problems *problems)
{
	struct buf text = { 0 };

	if (config->auth_file && files_read(problems, config->auth_file, true, &text))
		userlist_parse(&state->users, config->auth_file, text.bytes, text.size, problems);
	buf_fini_secret(&text);
}

static void load_hba(struct auth_state *state, const struct config *config, struct config_problems *problems)
{
	struct buf text = { 0 };

	if (!config->auth_hba_file) {
		if (config->auth_type == AUTH_TYPE_HBA)
			files_problem(problems, config->path ? config->path : "pgweir.ini", 0,
				"auth_type = hba needs auth_hba_file");
		return;
	}
	if (files_read(problems, config->auth_hba_file, false, &text))
		state->hba = hba_parse(config->auth_hba_file, text.bytes, text.size, problems);
	buf_fini(&text);
}

static void load_ident(struct auth_state *state, const struct config *config, struct config_problems *problems)
{
	struct buf text = { 0 };

	if (config->auth_ident_file && files_read(problems, config->auth_ident_file, false, &text))
		state->ident = ident_parse(config->auth_ident_file, text.bytes, text.size, problems);
	buf_fini(&text);
}

static void check_rules(const struct auth_state *state, const struct config *config, struct config_problems *problems)
{
	/* Which maps a file has that could not be read is not known; it has a problem of its own. */
	if (state->hba && (state->ident || !config->auth_ident_file))
		hba_check_maps(state->hba, config->auth_hba_file, state->ident, problems);
	if (state->hba && config->client_tls.sslmode != SSLMODE_DISABLE && !config->client_tls.ca_file)
		hba_refuse_certificates(state->hba, config->auth_hba_file, problems);
}

/* NULL: `problems` has at least one text. */
static struct auth_state *load(const struct config *config, struct config_problems *problems)
{
	struct auth_state *state = state_new();
	size_t before = problems->count;

	load_users(state, config, problems);
	load_hba(state, config, problems);
	load_ident(state, config, problems);
	check_rules(state, config, problems);
	if (problems->count > before)
		auth_state_unref(&state);
	return state;
}

bool auth_check(const struct config *config, struct config_problems *problems)
{
	struct auth_state *state = load(config, problems);
	bool good = state != NULL;

	auth_state_unref(&state);
	return good;
}

bool auth_configure(const struct config *config, struct config_problems *problems)
{
	struct auth_state *state = load(config, problems);

	if (state)
		publish(state);
	return state != NULL;
}

/* --- Users that do not exist --- */

enum stored_secret auth_state_mock_kind(const struct auth_state *state)
{
	const struct userlist *users = &state->users;

	if (users->plain_count > users->scram_count && users->plain_count >= users->md5_count)
		return STORED_PLAIN;
	return users->md5_count > users->scram_count ? STORED_MD5 : STORED_SCRAM;
}

static void make_mock_key(void)
{
	CHECK(RAND_bytes(mock_key, sizeof(mock_key)) == 1);
}

static void mock_bytes(const char *purpose, const char *user, unsigned char out[SCRAM_KEY_SIZE])
{
	struct buf text = { 0 };

	pthread_once(&mock_once, make_mock_key);
	buf_append_cstring(&text, purpose);
	buf_append_text(&text, user);
	scram_hmac(mock_key, sizeof(mock_key), text.bytes, text.size, out);
	buf_fini(&text);
}

void auth_state_salt(const char *user, struct scram_salt *salt)
{
	unsigned char bytes[SCRAM_KEY_SIZE];

	mock_bytes("salt", user, bytes);
	*salt = (struct scram_salt){ .iterations = SCRAM_ITERATIONS, .size = SCRAM_SALT_SIZE };
	memcpy(salt->bytes, bytes, SCRAM_SALT_SIZE);
}

static char *mock_digits(const char *user, size_t count)
{
	unsigned char bytes[SCRAM_KEY_SIZE];
	char digits[2 * SCRAM_KEY_SIZE + 1];

	CHECK(count < sizeof(digits));
	mock_bytes("password", user, bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
	char *text = mem_strndup(digits, count);
	mem_wipe(digits, sizeof(digits));
	return text;
}

static char *mock_plain(const char *user)
{
	return mock_digits(user, MOCK_DIGITS);
}

static char *mock_md5(const char *user)
{
	char *digits = mock_plain(user);
	char *text = mem_printf("md5%s", digits);

	mem_secret_free(digits);
	return text;
}

static char *mock_scram(const char *user)
{
	struct scram_verifier verifier;

	auth_state_salt(user, &verifier.salt);
	mock_bytes("stored key", user, verifier.stored_key);
	mock_bytes("server key", user, verifier.server_key);
	return scram_verifier_format(&verifier);
}

char *auth_state_mock_secret(const char *user, enum stored_secret kind)
{
	static char *(*const makers[])(const char *user) = {
		[STORED_PLAIN] = mock_plain,
		[STORED_MD5] = mock_md5,
		[STORED_SCRAM] = mock_scram,
	};

	return makers[kind](user);
}
