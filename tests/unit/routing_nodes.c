/* What clusters say of their nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "nodes.h"

static struct nodes nodes;

static int set_up(void **unused)
{
	(void)unused;
	nodes = (struct nodes){ 0 };
	return 0;
}

static void add(const char *id, const char *session_id, const char *lag_ms, const char *age_ms)
{
	nodes_add(&nodes, &(struct node_texts){ .id = id, .session_id = session_id, .lag_ms = lag_ms, .age_ms = age_ms });
}

static void of_two_that_claim_to_be_the_writer_the_one_heard_of_last_is(void **unused)
{
	(void)unused;
	add("a", "MASTER_SESSION_ID", NULL, "4000.5");
	add("b", "MASTER_SESSION_ID", NULL, "200");
	add("c", "0d9b4b5e-4a3c", "17.5", "100");
	assert_string_equal(nodes_writer(&nodes)->id, "b");
	assert_true(nodes.all[2].tells_lag);
	assert_int_equal(nodes.all[2].lag_us, 17500);
	assert_int_equal(nodes.all[2].age_us, 100000);
}

static void without_a_claim_there_is_no_writer(void **unused)
{
	(void)unused;
	add("c", "0d9b4b5e-4a3c", "17", NULL);
	assert_null(nodes_writer(&nodes));
	assert_null(nodes_self(&nodes));
}

/* Whoever has answered has no time of its last update. A clock that is ahead of ours makes it negative. */
static void an_age_that_is_not_told_or_cannot_be_is_none(void **unused)
{
	(void)unused;
	add("a", NULL, "NaN", NULL);
	add("b", NULL, "-3", "-70");
	add("c", NULL, "1e30", "x");
	for (size_t i = 0; i < 3; i++) {
		assert_false(nodes.all[i].tells_lag);
		assert_int_equal(nodes.all[i].age_us, 0);
	}
}

static void endpoints_of_instances_are_told_from_those_of_the_cluster(void **unused)
{
	static const char *const known[] = {
		"shop.cluster-abc123.eu-west-1.rds.amazonaws.com",
		"shop.cluster-ro-abc123.eu-west-1.rds.amazonaws.com",
		"some-instance.abc123.eu-west-1.rds.amazonaws.com",
	};

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		nodes.count = 0;
		add("shop-1", NULL, NULL, NULL);
		nodes_place(&nodes, &(struct config_host){ .host = (char *)known[i], .port = 5433 });
		assert_string_equal(nodes.all[0].host, "shop-1.abc123.eu-west-1.rds.amazonaws.com");
		assert_int_equal(nodes.all[0].port, 5433);
	}
}

static void elsewhere_only_what_is_told_is_an_endpoint(void **unused)
{
	const struct config_host known = { .host = (char *)"db1.example.com", .port = 5432 };

	(void)unused;
	add("shop-1", NULL, NULL, NULL);
	nodes_add(&nodes, &(struct node_texts){ .host = "db2.example.com" });
	nodes_add(&nodes, &(struct node_texts){ .host = "db3.example.com", .port = "6000", .self = "true" });
	nodes_place(&nodes, &known);
	assert_string_equal(nodes.all[0].host, "");
	assert_int_equal(nodes.all[1].port, 5432);
	assert_int_equal(nodes.all[2].port, 6000);
	assert_ptr_equal(nodes_self(&nodes), &nodes.all[2]);
}

static void what_does_not_fit_is_left_out(void **unused)
{
	char long_name[NODE_HOST_MAX + 1];

	(void)unused;
	memset(long_name, 'x', NODE_HOST_MAX);
	long_name[NODE_HOST_MAX] = '\0';
	add(long_name, NULL, NULL, NULL);
	assert_string_equal(nodes.all[0].id, "");
	add(NULL, NULL, NULL, NULL);
	assert_int_equal(nodes.count, 1);
	for (size_t i = 0; i < 2 * NODES_MAX; i++)
		add("a", NULL, NULL, NULL);
	assert_int_equal(nodes.count, NODES_MAX);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_two_that_claim_to_be_the_writer_the_one_heard_of_last_is),
		TEST(without_a_claim_there_is_no_writer),
		TEST(an_age_that_is_not_told_or_cannot_be_is_none),
		TEST(endpoints_of_instances_are_told_from_those_of_the_cluster),
		TEST(elsewhere_only_what_is_told_is_an_endpoint),
		TEST(what_does_not_fit_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
