/* How logins went, since the process began. Any thread. */
#ifndef PGWEIR_LOGIN_COUNTS_H
#define PGWEIR_LOGIN_COUNTS_H

#include <stdint.h>

/* How a client came in. */
enum login_tls { LOGIN_TLS_NONE, LOGIN_TLS_1_2, LOGIN_TLS_1_3, LOGIN_TLS_COUNT };
/* Why one did not. */
enum login_failure {
	LOGIN_FAILURE_AUTHENTICATION,
	LOGIN_FAILURE_TOO_MANY,
	LOGIN_FAILURE_NO_DATABASE,
	LOGIN_FAILURE_UNAVAILABLE,      /* Shutting down, or a secret without a value. */
	LOGIN_FAILURE_PROTOCOL,
	LOGIN_FAILURE_OTHER,
	LOGIN_FAILURE_COUNT,
};

const char *login_tls_word(enum login_tls tls);
const char *login_failure_word(enum login_failure failure);

uint64_t login_counts_received(void);                   /* Connections, cancel requests among them. */
uint64_t login_counts_good(enum login_tls tls);
uint64_t login_counts_failed(enum login_failure failure);

/* --- For the login library --- */

void login_count_received(void);
void login_count_good(const char *tls_version);         /* NULL: without TLS. */
void login_count_failed(const char *sqlstate);

#endif
