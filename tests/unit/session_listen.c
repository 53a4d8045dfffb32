/* Which texts are about channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "listen.h"
#include "pgweir/mem.h"

static bool ask(const char *text)
{
	char *exact = strlen(text) ? mem_dup(text, strlen(text)) : NULL;
	bool answer = listen_text_mentions(exact, strlen(text));

	mem_free(exact);
	return answer;
}

static void whatever_may_listen_mentions_it(void **state)
{
	static const char *const texts[] = {
		"LISTEN a", "listen a", "UNLISTEN a", "UnListen*", "LISTEN\"a\"", "begin;listen\ta", "/* listen */ unlisten *", "LISTEN",
		"NOTIFY a", "select pg_notify('a', 'b')", "Notify", "SELECT pg_listening_channels()", "SELECT PG_Listening_Channels()", "SELECT listeners FROM t; UNLISTEN a",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_true(ask(texts[i]));
}

/* It costs two round trips for a client that listens. */
static void other_words_do_not(void **state)
{
	static const char *const texts[] = { "", "l", "SELECT 1", "SELECT * FROM listeners", "SELECT listen_count", "SELECT notify_url", "liste" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(ask(texts[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_may_listen_mentions_it),
		cmocka_unit_test(other_words_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
