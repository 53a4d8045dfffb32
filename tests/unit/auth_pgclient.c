#include "auth_fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "auth_fake_server.h"
#include "pgweir/loop.h"
#include "pgweir/pgclient.h"

/* What has been called back, in one line. */
struct story {
	struct loop *loop;
	struct pgclient *client;
	char text[512];
	unsigned awaited;       /* Callbacks until the loop stops. */
	bool free_in_callback, ask_in_callback;
};

static int set_up(void **state)
{
	static struct story story;

	fake_server_start();
	story = (struct story){ .loop = loop_new("test") };
	*state = &story;
	alarm(240);
	return 0;
}

static int tear_down(void **state)
{
	struct story *story = *state;

	pgclient_free(&story->client);
	loop_free(&story->loop);
	fake_server_stop();
	alarm(0);
	return 0;
}

static void tell(struct story *story, const char *what, const struct error *error)
{
	size_t used = strlen(story->text);

	snprintf(story->text + used, sizeof(story->text) - used, "%s%s%s|", what, error ? " " : "", error ? error->sqlstate : "");
	if (--story->awaited == 0)
		loop_stop(story->loop);
}

static void answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct story *story = arg;
	const char *value = result && pgclient_rows(result) ? pgclient_value(result, 0, 1) : NULL;

	if (story->ask_in_callback) {
		const char *parameters[] = { "bob" };

		story->ask_in_callback = false;
		pgclient_query(story->client, "SELECT", parameters, 1, 0, answered, story);
	}
	tell(story, value ? value : result ? "nothing" : "failed", error);
	if (story->free_in_callback)
		pgclient_free(&story->client);
}

static void changed(struct pgclient *client, const struct error *error, void *arg)
{
	struct story *story = arg;

	assert_ptr_equal(client, story->client);
	assert_int_equal(pgclient_is_open(client), !error);
	tell(story, error ? "lost" : "open", error);
}

static void open_at(struct story *story, const char *host, uint16_t port, uint64_t timeout_ms)
{
	struct pgclient_options options = { .host = host, .port = port, .dbname = "postgres", .user = "lookup",
		.connect_timeout_ms = timeout_ms };

	story->client = pgclient_new(story->loop, &options, changed, story);
	assert_string_equal(story->text, "");
}

static void open_client(struct story *story)
{
	open_at(story, fake_server_host(), fake_server_port(), 60000);
}

static void ask(struct story *story, const char *user, uint64_t timeout_ms)
{
	const char *parameters[] = { user };

	pgclient_query(story->client, "SELECT usename, passwd FROM pg_shadow WHERE usename = $1", parameters, 1, timeout_ms,
		answered, story);
}

static void await(struct story *story, unsigned callbacks, const char *expected)
{
	story->text[0] = '\0';
	story->awaited = callbacks;
	loop_run(story->loop);
	assert_string_equal(story->text, expected);
}

static void queries_are_answered_in_order(void **state)
{
	struct story *story = *state;

	fake_server_set("alice", "a");
	fake_server_set("bob", "b");
	open_client(story);
	ask(story, "alice", 0);
	ask(story, "nobody", 0);
	ask(story, "bob", 0);
	await(story, 4, "open|a|nothing|b|");
	assert_int_equal(pgclient_server_version(story->client), 150000);
}

static void an_error_of_a_query_leaves_the_connection_open(void **state)
{
	struct story *story = *state;

	fake_server_set("bob", "b");
	open_client(story);
	ask(story, "error", 0);
	ask(story, "bob", 0);
	await(story, 3, "open|failed 42501|b|");
}

static void a_query_may_be_asked_from_within_a_callback(void **state)
{
	struct story *story = *state;

	fake_server_set("alice", "a");
	fake_server_set("bob", "b");
	story->ask_in_callback = true;
	open_client(story);
	ask(story, "alice", 0);
	await(story, 3, "open|a|b|");
}

static void a_lost_connection_fails_what_is_under_way_and_then_tells_its_owner(void **state)
{
	struct story *story = *state;

	open_client(story);
	ask(story, "drop", 0);
	ask(story, "bob", 0);
	await(story, 4, "open|failed 08006|failed 08006|lost 08006|");
}

static void an_idle_connection_that_is_closed_is_noticed(void **state)
{
	struct story *story = *state;

	open_client(story);
	await(story, 1, "open|");
	fake_server_drop_connections();
	await(story, 1, "lost 08006|");
}

static void a_query_without_an_answer_is_given_up(void **state)
{
	struct story *story = *state;

	open_client(story);
	ask(story, "hang", 50);
	await(story, 3, "open|failed 57014|lost 57014|");
}

static void a_refused_login_and_an_unreachable_host_are_told(void **state)
{
	struct story *story = *state;

	fake_server_refuse_logins(true);
	open_client(story);
	await(story, 1, "lost 28P01|");
	pgclient_free(&story->client);
	story->text[0] = '\0';
	open_at(story, "@nowhere", 1, 0);
	await(story, 1, "lost 08006|");
	pgclient_free(&story->client);
	story->text[0] = '\0';
	open_at(story, "127.0.0.1", 1, 0);
	await(story, 1, "lost 08006|");
}

static void a_client_may_be_freed_at_any_time(void **state)
{
	struct story *story = *state;

	fake_server_set("alice", "a");
	/* From within a callback, with more queries waiting. */
	story->free_in_callback = true;
	open_client(story);
	ask(story, "alice", 0);
	ask(story, "bob", 0);
	await(story, 2, "open|a|");
	assert_null(story->client);
	/* From within the failure of one, with others to fail. */
	story->text[0] = '\0';
	open_client(story);
	ask(story, "drop", 0);
	ask(story, "bob", 0);
	await(story, 2, "open|failed 08006|");
	assert_null(story->client);
	/* While connecting, and while a name is looked up. */
	story->text[0] = '\0';
	open_client(story);
	pgclient_free(&story->client);
	open_at(story, "127.0.0.1", 1, 0);
	pgclient_free(&story->client);
	open_client(story);
	story->awaited = 1;
	await(story, 1, "open|");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(queries_are_answered_in_order),
		TEST(an_error_of_a_query_leaves_the_connection_open),
		TEST(a_query_may_be_asked_from_within_a_callback),
		TEST(a_lost_connection_fails_what_is_under_way_and_then_tells_its_owner),
		TEST(an_idle_connection_that_is_closed_is_noticed),
		TEST(a_query_without_an_answer_is_given_up),
		TEST(a_refused_login_and_an_unreachable_host_are_told),
		TEST(a_client_may_be_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
