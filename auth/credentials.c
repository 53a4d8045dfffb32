#include "pgweir/credentials.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "auth_state.h"
#include "credentials_internal.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"
#include "stored_secret.h"

static pthread_once_t fingerprint_once = PTHREAD_ONCE_INIT;
static unsigned char fingerprint_key[SCRAM_KEY_SIZE];

static void make_fingerprint_key(void)
{
	CHECK(RAND_bytes(fingerprint_key, sizeof(fingerprint_key)) == 1);
}

static void append_field(struct buf *text, const void *bytes, size_t size)
{
	buf_append_u32(text, bytes ? (uint32_t)size : UINT32_MAX);
	if (bytes)
		buf_append(text, bytes, size);
}

static void append_text(struct buf *text, const char *field)
{
	append_field(text, field, field ? strlen(field) : 0);
}

/* Keyed by a number of this process, so that it tells nothing where it is logged. */
static uint64_t fingerprint_of(const void *bytes, size_t size)
{
	unsigned char digest[SCRAM_KEY_SIZE];
	uint64_t fingerprint;

	pthread_once(&fingerprint_once, make_fingerprint_key);
	scram_hmac(fingerprint_key, sizeof(fingerprint_key), bytes, size, digest);
	memcpy(&fingerprint, digest, sizeof(fingerprint));
	return fingerprint;
}

void credentials_note_stored(struct credentials *credentials, const char *stored)
{
	credentials->stored = fingerprint_of(stored, strlen(stored)) | 1;
}

static uint64_t make_fingerprint(const struct credentials *credentials)
{
	struct buf text = { 0 };

	append_text(&text, credentials->user);
	append_text(&text, credentials->password);
	append_text(&text, credentials->md5);
	append_field(&text, credentials->has_scram_keys ? credentials->scram_client_key : NULL, SCRAM_KEY_SIZE);
	append_field(&text, credentials->has_scram_keys ? credentials->scram_server_key : NULL, SCRAM_KEY_SIZE);
	uint64_t fingerprint = fingerprint_of(text.bytes, text.size);

	buf_fini_secret(&text);
	return fingerprint;
}

struct credentials *credentials_make(const char *user, const char *password, const char *md5,
	const struct scram_keys *keys)
{
	struct credentials *credentials = NEW(struct credentials);

	atomic_init(&credentials->references, 1);
	credentials->user = mem_strdup(user);
	credentials->password = mem_secret_dup(password);
	credentials->md5 = mem_secret_dup(md5);
	if (keys) {
		credentials->has_scram_keys = true;
		memcpy(credentials->scram_client_key, keys->client_key, SCRAM_KEY_SIZE);
		memcpy(credentials->scram_server_key, keys->server_key, SCRAM_KEY_SIZE);
	}
	credentials->fingerprint = make_fingerprint(credentials);
	return credentials;
}

struct credentials *credentials_ref(struct credentials *credentials)
{
	atomic_fetch_add_explicit(&credentials->references, 1, memory_order_relaxed);
	return credentials;
}

void credentials_unref(struct credentials **credentials)
{
	struct credentials *gone = *credentials;

	*credentials = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1)
		return;
	mem_free(gone->user);
	mem_free(gone->secret);
	mem_free(gone->role);
	mem_free(gone->acts_as);
	mem_secret_free(gone->password);
	mem_secret_free(gone->md5);
	mem_wipe(gone, sizeof(*gone));
	mem_free(gone);
}

bool credentials_can_prove(const struct credentials *credentials)
{
	return credentials->password || credentials->md5 || credentials->has_scram_keys;
}

/* --- Towards servers --- */

/* Keys that a client proved serve only where they belong to the stored verifier; with none stored (auth_query), the
 * verifier was the server's own. */
static bool keys_fit(const struct credentials *proved, const char *stored)
{
	struct scram_verifier verifier;
	unsigned char stored_key[SCRAM_KEY_SIZE];

	if (!proved->has_scram_keys || !stored || !scram_verifier_parse(stored, &verifier))
		return proved->has_scram_keys;
	scram_stored_key(proved->scram_client_key, stored_key);
	return mem_equal_secret(stored_key, verifier.stored_key, SCRAM_KEY_SIZE);
}

/* `stored` may be NULL, `proved` too. A plain password serves every method; else whatever is there. */
static struct credentials *combine(const char *user, const char *stored, const struct credentials *proved)
{
	enum stored_secret kind = stored && stored[0] ? stored_secret_kind(stored) : STORED_SCRAM;
	struct scram_keys keys;
	const char *md5 = kind == STORED_MD5 ? stored : NULL;

	if (kind == STORED_PLAIN)
		return credentials_make(user, stored, NULL, NULL);
	if (!proved)
		return credentials_make(user, NULL, md5, NULL);
	bool fit = keys_fit(proved, stored);
	if (fit) {
		memcpy(keys.client_key, proved->scram_client_key, SCRAM_KEY_SIZE);
		memcpy(keys.server_key, proved->scram_server_key, SCRAM_KEY_SIZE);
	}
	struct credentials *credentials = credentials_make(user, proved->password, md5 ? md5 : proved->md5,
		fit ? &keys : NULL);
	mem_wipe(&keys, sizeof(keys));
	credentials->stored = proved->stored;
	return credentials;
}

/* --- Of secrets --- */

const char *const secret_stage_words[SECRET_STAGES] = {
	[SECRET_CURRENT] = "current",
	[SECRET_PENDING] = "pending",
	[SECRET_PREVIOUS] = "previous",
};

static const struct lease_value *value_of(const struct lease *lease, enum secret_stage stage)
{
	static const struct lease_value none;

	switch (stage) {
	case SECRET_PENDING:
		return &lease->pending;
	case SECRET_PREVIOUS:
		return lease->revoked ? &none : &lease->previous;
	default:
		return &lease->value;
	}
}

/* Is `name` the login of some value of the secret? */
static bool is_named(const struct lease *lease, const char *name, const char *role)
{
	for (int stage = 0; stage < SECRET_STAGES; stage++) {
		const struct lease_value *value = value_of(lease, (enum secret_stage)stage);

		if (value->password && strcmp(value->username ? value->username : role, name) == 0)
			return true;
	}
	return false;
}

/* Whose stand-in `user` is: where two users take turns one is the other's name with "_clone", as AWS's rotation makes
 * them. A name that only ends so is nobody's: the secret or the configuration must know the original too. NULL: nobody's. */
static char *original_of(const struct lease *lease, const char *user, const char *role)
{
	static const char suffix[] = "_clone";
	size_t size = strlen(user), without = size - strlen(suffix);

	if (size > strlen(suffix) && strcmp(user + without, suffix) == 0) {
		char *original = mem_strndup(user, without);

		if (strcmp(original, role) == 0 || is_named(lease, original, role))
			return original;
		mem_free(original);
	}
	return NULL;
}

static struct credentials *of_value(const struct lease *lease, enum secret_stage stage, const char *role)
{
	const struct lease_value *value = value_of(lease, stage);
	const char *user = value->username ? value->username : role;
	const char *stored = value->password;
	bool hashed = stored && stored_secret_kind(stored) == STORED_MD5;
	struct credentials *credentials = credentials_make(user, hashed ? NULL : stored, hashed ? stored : NULL, NULL);

	credentials->secret = mem_strdup(lease->name);
	credentials->role = mem_strdup(role);
	credentials->acts_as = original_of(lease, user, role);
	credentials->stage = stage;
	credentials->secret_version = lease->version + (stage == SECRET_PENDING) - (stage == SECRET_PREVIOUS);
	credentials->secret_serial = lease->serial;
	credentials->missing = !stored && !lease->on_demand;
	credentials->on_demand = lease->on_demand;
	return credentials;
}

/* NULL: no such secret is published. */
static struct credentials *of_secret(const char *name, const char *role)
{
	struct lease *lease = name ? lease_find(name) : NULL;
	struct credentials *credentials = lease ? of_value(lease, SECRET_CURRENT, role) : NULL;

	lease_unref(&lease);
	return credentials;
}

struct credentials *credentials_for_us(const char *secret, const char *user, const char *password)
{
	struct credentials *credentials = of_secret(secret, user);

	return credentials ? credentials : credentials_make(user, password, NULL, NULL);
}

struct credentials *credentials_of_stage(const struct credentials *credentials, enum secret_stage stage)
{
	struct lease *lease = credentials->secret ? lease_find(credentials->secret) : NULL;
	bool there = lease && value_of(lease, stage)->password;
	struct credentials *found = there ? of_value(lease, stage, credentials->role) : NULL;

	lease_unref(&lease);
	return found;
}

struct credentials *credentials_with_token(const struct credentials *credentials, const char *token)
{
	return credentials_make(credentials->user, token, NULL, NULL);
}

struct credentials *credentials_without_values(const struct credentials *credentials)
{
	struct credentials *bare = credentials_make(credentials->user, NULL, NULL, NULL);

	bare->fingerprint = credentials->fingerprint;
	bare->secret = mem_strdup(credentials->secret);
	bare->role = mem_strdup(credentials->role);
	bare->acts_as = mem_strdup(credentials->acts_as);
	bare->stage = credentials->stage;
	bare->secret_version = credentials->secret_version;
	bare->secret_serial = credentials->secret_serial;
	bare->missing = credentials->missing;
	bare->on_demand = credentials->on_demand;
	return bare;
}

bool credentials_in_force(const struct credentials *credentials)
{
	bool found = false;

	for (int stage = SECRET_CURRENT; stage <= SECRET_PENDING && !found; stage++) {
		struct credentials *now = credentials_of_stage(credentials, (enum secret_stage)stage);

		found = now && now->fingerprint == credentials->fingerprint;
		credentials_unref(&now);
	}
	return found;
}

/* --- Other names of a user --- */

/* The role, or the one that takes turns with it. */
static bool is_role(const char *role, const char *name)
{
	static const char clone[] = "_clone";
	size_t size = role ? strlen(role) : 0, name_size = strlen(name);

	if (!role)
		return false;
	if (size > name_size)
		return strncmp(role, name, name_size) == 0 && strcmp(role + name_size, clone) == 0;
	return strncmp(role, name, size) == 0 && (!name[size] || strcmp(name + size, clone) == 0);
}

/* Before the secret has been read nobody is let in, but who it may be is told to try again. */
static bool may_be_role(const struct config_provision *provision, const char *name)
{
	if (provision && provision->user_prefix)
		return strncmp(provision->user_prefix, name, strlen(provision->user_prefix)) == 0;
	return provision && is_role(provision->user, name);
}

static bool names_role(const struct config *config, const struct config_user *user, const char *name)
{
	struct lease *lease = user->secret ? lease_find(user->secret) : NULL;
	bool named = lease && (is_role(lease->value.username, name) || is_role(lease->previous.username, name));

	if (lease && !lease->value.password)
		named = may_be_role(config_find_provision(config, user->provision), name);
	lease_unref(&lease);
	return named;
}

const struct config_user *credentials_find_user(const struct config *config, const char *name)
{
	const struct config_user *section = config_find_user(config, name);

	for (size_t i = 0; !section && i < config->user_count; i++)
		if (config->users[i].provision && names_role(config, &config->users[i], name))
			section = &config->users[i];
	return section;
}

/* --- The choice --- */

/* [user]'s secret or password, else the entry of auth_file. */
static struct credentials *of_user(const struct config *config, const char *user, const struct credentials *proved)
{
	const struct config_user *section = config_find_user(config, user);
	struct credentials *credentials = section ? of_secret(section->secret, user) : NULL;

	if (credentials)
		return credentials;
	if (section && section->password)
		return combine(user, section->password, proved);
	struct auth_state *state = auth_state_current();

	credentials = combine(user, userlist_find(&state->users, user), proved);
	auth_state_unref(&state);
	return credentials;
}

struct credentials *credentials_of_user(const struct config *config, const char *user)
{
	return of_user(config, user, NULL);
}

struct credentials *credentials_for_server(const struct config *config, const struct config_database *database,
	const char *user, const struct credentials *proved)
{
	const char *name = database->user ? database->user : user;
	const struct credentials *same = proved && strcmp(proved->user, name) == 0 ? proved : NULL;
	struct credentials *credentials = of_secret(database->secret, name);

	if (credentials)
		return credentials;
	if (database->user && database->password)
		return combine(name, database->password, same);
	return of_user(config, name, same);
}
