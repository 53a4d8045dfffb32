/* Pages about a thousand pools are written in parts, so that whoever connects meanwhile need not wait for all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "observed.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "status.h"

enum { POOLS = 1000, MOST = 65536, ALL = 1 << 30 };

static struct observation *seen;
static struct config *config;

struct loop *control_loop(void) { return NULL; }
struct config *control_config(void) { return config; }
uint64_t control_started_us(void) { return 0; }
bool control_is_shutting_down(void) { return false; }

static int start(void **state)
{
	static const char text[] = "[pgweir]\nauth_type = trust\nmetrics_max_pools = 10000\n[database *]\nhost = 127.0.0.1\n";
	struct config_problems problems = { 0 };

	(void)state;
	config = config_load_text("t.ini", text, strlen(text), &problems);
	assert_non_null(config);
	config_problems_fini(&problems);
	seen = observation_ref(NEW(struct observation));
	for (uintptr_t i = 0; i < POOLS; i++) {
		struct observed_pool *pool = NEW(struct observed_pool);

		pool->database = mem_printf("d%zu", (size_t)i);
		pool->user = "app";
		map_put(&seen->found, &i, sizeof(i), pool);
	}
	observed_group(seen, config);
	assert_int_equal(seen->pool_count, POOLS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < seen->pool_count; i++)
		mem_free((void *)(uintptr_t)seen->pools[i].database);
	observation_unref(&seen);
	observed_forget_names();
	config_unref(&config);
	return 0;
}

static size_t count_of(const struct buf *text, const char *what)
{
	size_t count = 0, size = strlen(what);

	for (const char *at = text->bytes; (at = memmem(at, text->size - (size_t)(at - text->bytes), what, size)) != NULL; at += size)
		count++;
	return count;
}

/* Less what differs from one moment to the next. */
static void without_process(struct buf *text)
{
	static const char first_of_all[] = "# HELP pgweir_config_generation";
	char *at = memmem(text->bytes, text->size, first_of_all, sizeof(first_of_all) - 1);

	assert_non_null(at);
	text->size -= (size_t)(at - text->bytes);
	memmove(text->bytes, at, text->size);
}

static void metrics_of_a_thousand_pools_come_in_small_parts(void **state)
{
	struct exposition whole = { .seen = seen }, parts = { .seen = seen };
	size_t before = 0, turns = 1;
	/* A slice of the widest row may come on top. */
	const size_t widest = 64 * 40 * 100;

	(void)state;
	assert_false(metrics_put_some(&whole, ALL));
	for (; metrics_put_some(&parts, MOST); turns++) {
		assert_in_range(parts.out.size - before, 1, MOST + widest);
		before = parts.out.size;
	}
	assert_true(turns > whole.out.size / (MOST + widest));
	assert_int_equal(count_of(&parts.out, "pgweir_queries_total{"), POOLS);
	assert_int_equal(count_of(&parts.out, "# HELP pgweir_query_duration_seconds "), 1);
	without_process(&whole.out);
	without_process(&parts.out);
	assert_int_equal(parts.out.size, whole.out.size);
	assert_memory_equal(parts.out.bytes, whole.out.bytes, whole.out.size);
	buf_fini(&whole.out);
	buf_fini(&parts.out);
}

static void the_status_of_a_thousand_pools_comes_in_small_parts(void **state)
{
	struct status status = { 0 };
	size_t before = 0, turns = 1;

	(void)state;
	for (; status_put_some(&status, seen, MOST); turns++) {
		assert_in_range(status.json.out.size - before, 1, MOST + 4096);
		before = status.json.out.size;
	}
	assert_true(turns > 2);
	assert_int_equal(count_of(&status.json.out, "{\"database\":\"d999\""), 2);
	assert_int_equal(count_of(&status.json.out, "{\"database\":"), 2 * POOLS);
	assert_int_equal(count_of(&status.json.out, "\"events\":["), 1);
	assert_int_equal(status.json.out.bytes[status.json.out.size - 1], '}');
	buf_fini(&status.json.out);
}

/* A page is written in parts: what it shows of other threads may be newer than the observation. */
static void what_has_happened_since_is_new_and_not_ages_old(void **state)
{
	struct exposition whole = { .seen = seen };
	struct status status = { 0 };

	(void)state;
	seen->secrets = NEW(struct observed_secret);
	seen->secret_count = 1;
	seen->secrets[0].name = mem_strdup("s");
	seen->secrets[0].provider = mem_strdup("static");
	assert_true(lease_publish("s", &(struct lease_values){ .current.password = mem_strdup("x") }, NULL));
	seen->secrets[0].lease = lease_find("s");
	seen->at_us = seen->secrets[0].lease->changed_us - 1;
	assert_false(metrics_put_some(&whole, ALL));
	assert_false(status_put_some(&status, seen, ALL));
	assert_int_equal(count_of(&whole.out, "pgweir_secret_age_seconds{secret=\"s\"} 0.000000\n"), 1);
	assert_int_equal(count_of(&whole.out, "pgweir_secret_read_age_seconds{secret=\"s\"} 0.000000\n"), 1);
	assert_int_equal(count_of(&status.json.out, "\"age_s\":0.000,\"read_s\":0.000,"), 1);
	buf_fini(&whole.out);
	buf_fini(&status.json.out);
	lease_forget_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(metrics_of_a_thousand_pools_come_in_small_parts, start, end),
		cmocka_unit_test_setup_teardown(the_status_of_a_thousand_pools_comes_in_small_parts, start, end),
		cmocka_unit_test_setup_teardown(what_has_happened_since_is_new_and_not_ages_old, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
