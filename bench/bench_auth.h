/* The client's half of PostgreSQL's password methods: cleartext, md5, SCRAM-SHA-256 (RFC 5802, RFC 7677; no channel
 * binding, no SASLprep: bench passwords are ASCII). */
#ifndef BENCH_AUTH_H
#define BENCH_AUTH_H

#include "bench_wire.h"

#define AUTH_KEY_BYTES 32
#define AUTH_SALT_BYTES_MAX 64
#define AUTH_NONCE_CHARS 24
#define AUTH_FIRST_CHARS_MAX 256

/* The salted password for one (salt, iterations): PBKDF2 would else take most of a login's CPU. Belongs to one
 * thread; proxies that keep SCRAM secrets send the same salt every time. */
struct auth_cache {
	uint8_t salt[AUTH_SALT_BYTES_MAX];
	size_t salt_length;
	uint32_t iterations;
	uint8_t salted_password[AUTH_KEY_BYTES];
};

struct auth {
	const char *user;
	const char *password;
	struct auth_cache *cache;
	char nonce[AUTH_NONCE_CHARS + 1];
	uint8_t server_signature[AUTH_KEY_BYTES];
};

enum auth_outcome {
	AUTH_DONE,              /* AuthenticationOk */
	AUTH_CONTINUES,         /* The answer, if any, is in `out`. */
	AUTH_FAILED,            /* A method that is not known, or a server that cannot prove itself. */
};

/* Answers one Authentication message. */
enum auth_outcome auth_answer(struct auth *auth, const struct wire_message *message, struct bytes *out);

#endif
