/* Leases, and what logins make of them on either side. */
#include "auth_fixture.h"

#include "auth_state.h"
#include "client_secrets.h"
#include "credentials_internal.h"
#include "pgweir/authenticator.h"
#include "pgweir/clock.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"
#include "pgweir/secret_uses.h"

enum { NOW_US = 1000 * 1000, GRACE_MS = 60 * 1000 };

static struct config_user users[1];
static struct config_secret secrets[1];
static struct config_database database;

static int set_up(void **state)
{
	(void)state;
	users[0] = (struct config_user){ .name = (char *)"app", .secret = (char *)"s" };
	secrets[0] = (struct config_secret){ .name = (char *)"s", .rotation_grace_ms = GRACE_MS };
	database = (struct config_database){ .name = (char *)"app" };
	fixture_config = (struct config){ .users = users, .user_count = 1, .secrets = secrets, .secret_count = 1 };
	fixture_load("\"app\" \"in the file\"\n", NULL, NULL);
	clock_fake(NOW_US);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_fake(0);
	lease_forget_all();
	auth_stop();
	return 0;
}

/* True: another login. `password` NULL: the reading brought nothing. */
static bool publish(const char *username, const char *password)
{
	struct lease_values values = {
		.current = { .username = mem_secret_dup(username), .password = mem_secret_dup(password) },
	};

	return lease_publish("s", &values, password ? NULL : mem_strdup("why"));
}

static void a_changed_value_keeps_the_former_as_previous(void **state)
{
	(void)state;
	assert_true(publish(NULL, "one"));
	assert_true(publish(NULL, "two"));
	struct lease *lease = lease_find("s");

	assert_string_equal(lease->value.password, "two");
	assert_string_equal(lease->previous.password, "one");
	assert_int_equal(lease->version, 2);
	assert_string_equal(lease->stage, "current");
	lease_unref(&lease);
}

static void the_same_value_again_changes_nothing(void **state)
{
	(void)state;
	assert_true(publish("u", "one"));
	clock_fake(2 * NOW_US);
	assert_false(publish("u", "one"));
	struct lease *lease = lease_find("s");

	assert_int_equal(lease->version, 1);
	assert_null(lease->previous.password);
	assert_int_equal(lease->changed_us, NOW_US);
	assert_int_equal(lease->fetched_us, 2 * NOW_US);
	lease_unref(&lease);
}

static void a_failed_reading_leaves_the_value_in_force(void **state)
{
	(void)state;
	assert_false(publish(NULL, NULL));
	struct lease *none = lease_find("s");

	assert_null(none->value.password);
	assert_string_equal(none->problem, "why");
	assert_true(publish(NULL, "one"));
	assert_false(publish(NULL, NULL));
	struct lease *lease = lease_find("s");

	assert_string_equal(lease->value.password, "one");
	assert_string_equal(lease->problem, "why");
	assert_null(none->value.password);      /* Who held the former one still sees that. */
	lease_unref(&none);
	lease_unref(&lease);
}

static void servers_get_the_secrets_value_and_its_user(void **state)
{
	(void)state;
	assert_true(publish("other", "one"));
	assert_true(publish("other", "two"));
	struct credentials *now = credentials_for_server(&fixture_config, &database, "app", NULL);
	struct credentials *before = credentials_of_stage(now, SECRET_PREVIOUS);

	assert_string_equal(now->user, "other");
	assert_string_equal(now->password, "two");
	assert_string_equal(before->password, "one");
	assert_true(publish(NULL, "three"));
	struct credentials *renewed = credentials_of_stage(now, SECRET_CURRENT);

	assert_string_equal(renewed->user, "app");
	assert_string_equal(renewed->password, "three");
	assert_true(renewed->secret_serial > now->secret_serial);
	credentials_unref(&now);
	credentials_unref(&before);
	credentials_unref(&renewed);
}

static void stages_that_the_source_knows_are_taken_as_they_are(void **state)
{
	(void)state;
	assert_true(publish(NULL, "one"));
	struct lease_values values = {
		.current = { .password = mem_secret_dup("two"), .version_id = mem_strdup("v2") },
		.pending = { .password = mem_secret_dup("three") },
		.previous = { .password = mem_secret_dup("nought") },
	};

	assert_true(lease_publish("s", &values, NULL));
	struct lease *lease = lease_find("s");

	assert_string_equal(lease->value.version_id, "v2");
	assert_string_equal(lease->pending.password, "three");
	assert_string_equal(lease->previous.password, "nought");
	lease_unref(&lease);
	/* A reading that failed leaves all of it. */
	assert_false(publish(NULL, NULL));
	lease = lease_find("s");
	assert_string_equal(lease->pending.password, "three");
	lease_unref(&lease);
	/* The rotation has ended, and the source no longer says what was before. */
	assert_true(publish(NULL, "three"));
	lease = lease_find("s");
	assert_null(lease->pending.password);
	assert_string_equal(lease->previous.password, "two");
	lease_unref(&lease);
}

static void a_databases_secret_wins_over_the_users(void **state)
{
	(void)state;
	struct lease_values values = { .current = { .password = mem_secret_dup("of the database") } };

	database.user = (char *)"forced";
	database.secret = (char *)"d";
	assert_true(publish(NULL, "one"));
	assert_true(lease_publish("d", &values, NULL));
	struct credentials *credentials = credentials_for_server(&fixture_config, &database, "app", NULL);

	assert_string_equal(credentials->user, "forced");
	assert_string_equal(credentials->password, "of the database");
	credentials_unref(&credentials);
}

static void without_a_value_there_is_nothing_to_log_in_with(void **state)
{
	(void)state;
	assert_false(publish(NULL, NULL));
	struct credentials *credentials = credentials_for_server(&fixture_config, &database, "app", NULL);

	assert_true(credentials->missing);
	assert_false(credentials_can_prove(credentials));
	assert_null(credentials_of_stage(credentials, SECRET_PREVIOUS));
	credentials_unref(&credentials);
}

static void a_secret_without_effect_is_as_none(void **state)
{
	(void)state;
	struct credentials *credentials = credentials_for_server(&fixture_config, &database, "app", NULL);

	assert_string_equal(credentials->password, "in the file");
	assert_null(credentials->secret);
	assert_null(credentials_of_stage(credentials, SECRET_CURRENT));
	credentials_unref(&credentials);
}

/* What a client may know, in order; `expected` ends with NULL. */
static void assert_clients_may_know(const char *const *expected)
{
	struct auth_state *auth = auth_state_current();
	struct client_secrets found = { 0 };

	assert_int_equal(client_secrets_find(&found, auth, &fixture_config, "app"), expected[0] != NULL);
	for (size_t i = 0; i < found.count; i++) {
		assert_non_null(expected[i]);
		assert_string_equal(found.texts[i], expected[i]);
	}
	assert_null(expected[found.count]);
	client_secrets_fini(&found);
	auth_state_unref(&auth);
}

static void clients_may_know_the_previous_value_within_the_grace(void **state)
{
	(void)state;
	assert_true(publish(NULL, "one"));
	assert_clients_may_know((const char *[]){ "one", NULL });
	assert_true(publish(NULL, "two"));
	assert_clients_may_know((const char *[]){ "two", "one", NULL });
	clock_fake(NOW_US + GRACE_MS * UINT64_C(1000) - 1);
	assert_clients_may_know((const char *[]){ "two", "one", NULL });
	clock_fake(NOW_US + GRACE_MS * UINT64_C(1000));
	assert_clients_may_know((const char *[]){ "two", NULL });
}

static void clients_may_know_the_pending_value(void **state)
{
	struct lease_values values = {
		.current = { .password = mem_secret_dup("two") },
		.pending = { .password = mem_secret_dup("three") },
	};

	(void)state;
	assert_true(publish(NULL, "one"));
	assert_true(lease_publish("s", &values, NULL));
	assert_clients_may_know((const char *[]){ "two", "one", "three", NULL });
	/* A rotation that has ended may leave the label where the current one is. */
	values = (struct lease_values){
		.current = { .password = mem_secret_dup("three") },
		.pending = { .password = mem_secret_dup("three") },
	};
	assert_true(lease_publish("s", &values, NULL));
	assert_clients_may_know((const char *[]){ "three", "two", NULL });
}

static void a_revoked_value_is_good_for_nobody(void **state)
{
	(void)state;
	assert_false(lease_revoke("s"));
	assert_true(publish(NULL, "one"));
	struct credentials *first = credentials_for_server(&fixture_config, &database, "app", NULL);

	assert_true(publish(NULL, "two"));
	assert_true(lease_revoke("s"));
	assert_clients_may_know((const char *[]){ "two", NULL });
	assert_null(credentials_of_stage(first, SECRET_PREVIOUS));
	assert_false(credentials_in_force(first));
	/* The next rotation has a grace of its own. */
	assert_true(publish(NULL, "three"));
	assert_clients_may_know((const char *[]){ "three", "two", NULL });
	credentials_unref(&first);
}

static void logins_are_counted_by_user_and_version(void **state)
{
	struct buf text = { 0 };

	(void)state;
	secret_uses_count("s", "app", 1);
	secret_uses_count("s", "app", 2);
	secret_uses_count("s", "app", 2);
	secret_uses_count("s", "other", 2);
	secret_uses_describe("s", &text);
	char *described = buf_take_text(&text);

	assert_string_equal(described, "app: 1 with version 1; app: 2 with version 2; other: 1 with version 2");
	mem_free(described);
	/* However many there are, some are kept. */
	for (unsigned i = 0; i < 1000; i++)
		secret_uses_count("s", "app", i);
	secret_uses_describe("s", &text);
	assert_in_range(text.size, 100, 2000);
	buf_fini(&text);
}

static void what_is_said_for_clients_wins(void **state)
{
	(void)state;
	assert_true(publish(NULL, "one"));
	users[0].client_password = (char *)"theirs";
	assert_clients_may_know((const char *[]){ "theirs", NULL });
}

static void clients_of_a_missing_value_know_nothing(void **state)
{
	(void)state;
	assert_false(publish(NULL, NULL));
	assert_clients_may_know((const char *[]){ NULL });
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_changed_value_keeps_the_former_as_previous),
		TEST(the_same_value_again_changes_nothing),
		TEST(stages_that_the_source_knows_are_taken_as_they_are),
		TEST(a_failed_reading_leaves_the_value_in_force),
		TEST(servers_get_the_secrets_value_and_its_user),
		TEST(a_databases_secret_wins_over_the_users),
		TEST(without_a_value_there_is_nothing_to_log_in_with),
		TEST(a_secret_without_effect_is_as_none),
		TEST(clients_may_know_the_previous_value_within_the_grace),
		TEST(clients_may_know_the_pending_value),
		TEST(a_revoked_value_is_good_for_nobody),
		TEST(logins_are_counted_by_user_and_version),
		TEST(what_is_said_for_clients_wins),
		TEST(clients_of_a_missing_value_know_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
