#include "pgweir/login_counts.h"

#include <stdatomic.h>
#include <string.h>

#include "pgweir/check.h"

static const char *const tls_words[LOGIN_TLS_COUNT] = {
	[LOGIN_TLS_NONE] = "none",
	[LOGIN_TLS_1_2] = "TLSv1.2",
	[LOGIN_TLS_1_3] = "TLSv1.3",
};

static const char *const failure_words[LOGIN_FAILURE_COUNT] = {
	[LOGIN_FAILURE_AUTHENTICATION] = "authentication",
	[LOGIN_FAILURE_TOO_MANY] = "too_many_connections",
	[LOGIN_FAILURE_NO_DATABASE] = "no_such_database",
	[LOGIN_FAILURE_UNAVAILABLE] = "unavailable",
	[LOGIN_FAILURE_PROTOCOL] = "protocol",
	[LOGIN_FAILURE_OTHER] = "other",
};

/* What an SQLSTATE begins with. */
static const struct {
	const char *start;
	enum login_failure failure;
} states[] = {
	{ "28", LOGIN_FAILURE_AUTHENTICATION },
	{ "42501", LOGIN_FAILURE_AUTHENTICATION },
	{ "533", LOGIN_FAILURE_TOO_MANY },
	{ "3D", LOGIN_FAILURE_NO_DATABASE },
	{ "57P", LOGIN_FAILURE_UNAVAILABLE },
	{ "08", LOGIN_FAILURE_PROTOCOL },
	{ "0A", LOGIN_FAILURE_PROTOCOL },
};

static _Atomic uint64_t received, good[LOGIN_TLS_COUNT], failed[LOGIN_FAILURE_COUNT];

static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

const char *login_tls_word(enum login_tls tls)
{
	return tls_words[tls];
}

const char *login_failure_word(enum login_failure failure)
{
	return failure_words[failure];
}

uint64_t login_counts_received(void)
{
	return atomic_load_explicit(&received, memory_order_relaxed);
}

uint64_t login_counts_good(enum login_tls tls)
{
	return atomic_load_explicit(&good[tls], memory_order_relaxed);
}

uint64_t login_counts_failed(enum login_failure failure)
{
	return atomic_load_explicit(&failed[failure], memory_order_relaxed);
}

void login_count_received(void)
{
	count(&received);
}

void login_count_good(const char *tls_version)
{
	enum login_tls tls = LOGIN_TLS_NONE;

	if (tls_version)
		tls = strcmp(tls_version, tls_words[LOGIN_TLS_1_2]) == 0 ? LOGIN_TLS_1_2 : LOGIN_TLS_1_3;
	count(&good[tls]);
}

void login_count_failed(const char *sqlstate)
{
	enum login_failure failure = LOGIN_FAILURE_OTHER;

	for (size_t i = 0; i < ARRAY_LEN(states) && failure == LOGIN_FAILURE_OTHER; i++)
		if (strncmp(sqlstate, states[i].start, strlen(states[i].start)) == 0)
			failure = states[i].failure;
	count(&failed[failure]);
}
