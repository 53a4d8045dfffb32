/* SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides (RFC 5802, 7677, 5929), as PostgreSQL speaks them: the user name
 * in the exchange is ignored, the startup packet's counts; no authorization identity; no extensions. */
#ifndef PGWEIR_SCRAM_H
#define PGWEIR_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/credentials.h"
#include "pgweir/error.h"

#define SCRAM_PLAIN_MECHANISM "SCRAM-SHA-256"
#define SCRAM_PLUS_MECHANISM "SCRAM-SHA-256-PLUS"

enum {
	SCRAM_SALT_SIZE = 16,                   /* Of salts made here, as PostgreSQL makes them. */
	SCRAM_SALT_MAX = 128,
	SCRAM_ITERATIONS = 4096,                /* PostgreSQL's default of scram_iterations. */
	SCRAM_ITERATIONS_MAX = 10 * 1000 * 1000,
	SCRAM_NONCE_MAX = 512,                  /* Of one side's part, as text. */
	SCRAM_BINDING_MAX = 64,
};

/* --- Keys and verifiers --- */

struct scram_salt {
	uint32_t iterations;
	size_t size;
	unsigned char bytes[SCRAM_SALT_MAX];
};

struct scram_keys {
	unsigned char client_key[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
};

struct scram_verifier {
	struct scram_salt salt;
	unsigned char stored_key[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
};

/* The text of pg_authid.rolpassword: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey. */
bool scram_verifier_parse(const char *text, struct scram_verifier *verifier) MUST_USE;
char *scram_verifier_format(const struct scram_verifier *verifier) MUST_USE;

bool scram_salt_equal(const struct scram_salt *a, const struct scram_salt *b) MUST_USE;
void scram_keys_derive(const char *password, const struct scram_salt *salt, struct scram_keys *keys);
void scram_verifier_from_keys(const struct scram_salt *salt, const struct scram_keys *keys,
	struct scram_verifier *verifier);
void scram_stored_key(const unsigned char client_key[SCRAM_KEY_SIZE], unsigned char stored_key[SCRAM_KEY_SIZE]);

void scram_hmac(const void *key, size_t key_size, const void *bytes, size_t size, unsigned char out[SCRAM_KEY_SIZE]);

/* Derived keys are remembered (any thread, bounded), so that 4096 rounds are paid once per password and salt. */
void scram_cached_keys(const char *password, const struct scram_salt *salt, struct scram_keys *keys);
void scram_cache_wipe(void);

/* --- The server's side, towards clients --- */

struct scram_server {
	unsigned char binding[SCRAM_BINDING_MAX];
	size_t binding_size;            /* 0: -PLUS is not offered. */
	const char *fixed_nonce;        /* Tests only; NULL: a random one. */
	bool plus;
	char binding_flag;              /* 'n', 'y' or 'p': what the client said. */
	struct scram_salt salt;         /* What the client was told. */
	struct buf nonce;               /* Both parts. */
	struct buf auth_message;        /* RFC 5802, section 3: AuthMessage, growing. */
	unsigned char proof[SCRAM_KEY_SIZE];
};

void scram_server_fini(struct scram_server *server);
void scram_server_mechanisms(const struct scram_server *server, struct buf *body);
/* client-first-message to server-first-message. */
bool scram_server_first(struct scram_server *server, const char *mechanism, const char *message, size_t size,
	const struct scram_salt *salt, struct buf *reply, struct error *error) MUST_USE;
/* Takes client-final-message apart and checks all of it but the proof. */
bool scram_server_final(struct scram_server *server, const char *message, size_t size, struct error *error) MUST_USE;
/* Does the proof match? Then the keys are filled, and `reply` is the server-final-message. */
bool scram_server_verify(const struct scram_server *server, const struct scram_verifier *verifier,
	struct scram_keys *keys, struct buf *reply) MUST_USE;

/* --- The client's side, towards servers --- */

struct scram_client {
	const char *password;           /* Borrowed; NULL: `keys` count. */
	struct scram_keys keys;
	unsigned char binding[SCRAM_BINDING_MAX];
	size_t binding_size;
	const char *fixed_nonce;        /* Tests only. */
	char binding_flag;
	struct buf nonce;
	struct buf auth_message;
};

void scram_client_fini(struct scram_client *client);
/* `plus_offered`: the server's list has -PLUS. Yields the name of the mechanism to use, and client-first-message. */
const char *scram_client_first(struct scram_client *client, bool plus_offered, struct buf *message);
/* server-first-message to client-final-message. */
bool scram_client_final(struct scram_client *client, const char *message, size_t size, struct buf *reply,
	struct error *error) MUST_USE;
/* server-final-message: is the server the one that holds our verifier? */
bool scram_client_verify(const struct scram_client *client, const char *message, size_t size,
	struct error *error) MUST_USE;

#endif
