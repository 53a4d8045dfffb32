/* Lookups on a thread that waits, with a name server that answers when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <netdb.h>
#include <semaphore.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/pgclient_sync.h"
#include "pgweir/resolver.h"

enum { LONG_MS = 60 * 1000 };

static sem_t may_answer, has_answered;
static atomic_bool stop;

/* In the place of libc's. */
int getaddrinfo(const char *restrict host, const char *restrict port, const struct addrinfo *restrict hints,
	struct addrinfo **restrict found)
{
	(void)host;
	(void)port;
	(void)hints;
	*found = NULL;
	sem_wait(&may_answer);
	sem_post(&has_answered);
	return EAI_NONAME;
}

static int begin(void **state)
{
	(void)state;
	return sem_init(&may_answer, 0, 0) || sem_init(&has_answered, 0, 0);
}

/* A lookup that nobody waits for any more comes to its end. */
static void let_it_answer(void)
{
	sem_post(&may_answer);
	sem_wait(&has_answered);
}

/* Numbers need no name server. */
static void an_address_is_there_at_once(void **state)
{
	struct resolver_answer answer;

	(void)state;
	assert_true(resolver_wait("192.0.2.7", 5432, NULL, clock_now_ms() + LONG_MS, &answer));
	assert_int_equal(answer.count, 1);
	assert_true(resolver_answer_has(&answer, "192.0.2.7"));
}

static void an_answer_ends_the_waiting(void **state)
{
	struct resolver_answer answer;

	(void)state;
	sem_post(&may_answer);
	assert_true(resolver_wait("db.example", 5432, NULL, clock_now_ms() + LONG_MS, &answer));
	assert_int_equal(answer.count, 0);
	assert_true(answer.error_text[0]);
	sem_wait(&has_answered);
}

static void the_time_ends_the_waiting(void **state)
{
	struct resolver_answer answer;

	(void)state;
	assert_false(resolver_wait("db.example", 5432, NULL, clock_now_ms(), &answer));
	let_it_answer();
}

static void stopping_ends_the_waiting(void **state)
{
	struct resolver_answer answer;

	(void)state;
	atomic_store(&stop, true);
	assert_false(resolver_wait("db.example", 5432, &stop, clock_now_ms() + LONG_MS, &answer));
	atomic_store(&stop, false);
	let_it_answer();
}

/* libpq would look the name up by itself, and nothing could end that. */
static void a_client_that_waits_for_a_name_server_gives_up(void **state)
{
	struct pgclient_options options = { .host = "db.example", .port = 5432, .dbname = "app", .user = "app" };
	struct error error;

	(void)state;
	atomic_store(&stop, true);
	assert_null(pgclient_sync_open(&options, &stop, &error));
	assert_non_null(strstr(error.text, "interrupted"));
	atomic_store(&stop, false);
	let_it_answer();
	options.connect_timeout_ms = 1;
	assert_null(pgclient_sync_open(&options, &stop, &error));
	assert_non_null(strstr(error.text, "took too long"));
	let_it_answer();
	sem_post(&may_answer);
	options.connect_timeout_ms = LONG_MS;
	assert_null(pgclient_sync_open(&options, &stop, &error));
	assert_non_null(strstr(error.text, "could not resolve \"db.example\""));
	assert_string_equal(error.sqlstate, "08006");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_there_at_once),
		cmocka_unit_test(an_answer_ends_the_waiting),
		cmocka_unit_test(the_time_ends_the_waiting),
		cmocka_unit_test(stopping_ends_the_waiting),
		cmocka_unit_test(a_client_that_waits_for_a_name_server_gives_up),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
