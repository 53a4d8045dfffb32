#include "auth_fixture.h"

#include "credentials_internal.h"
#include "pgweir/authenticator.h"
#include "pgweir/mem.h"

static struct config_database database;

static int set_up(void **state)
{
	(void)state;
	fixture_config = (struct config){ 0 };
	database = (struct config_database){ .name = (char *)"app" };
	fixture_load("\"plain_user\" \"pencil\"\n\"scram_user\" \"" SCRAM_VERIFIER_PENCIL "\"\n\"md5_user\" \"" MD5_OF_SECRET "\"\n",
		NULL, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	auth_stop();
	return 0;
}

static struct scram_keys pencil_keys(void)
{
	struct scram_verifier verifier;
	struct scram_keys keys;

	assert_true(scram_verifier_parse(SCRAM_VERIFIER_PENCIL, &verifier));
	scram_keys_derive("pencil", &verifier.salt, &keys);
	return keys;
}

/* `password`, `md5` NULL: expected not to be there. */
static void assert_for_server(const char *user, const struct credentials *proved, const char *expected_user,
	const char *password, const char *md5, bool keys)
{
	struct credentials *credentials = credentials_for_server(&fixture_config, &database, user, proved);

	assert_string_equal(credentials->user, expected_user);
	assert_int_equal(credentials->has_scram_keys, keys);
	if (password)
		assert_string_equal(credentials->password, password);
	else
		assert_null(credentials->password);
	if (md5)
		assert_string_equal(credentials->md5, md5);
	else
		assert_null(credentials->md5);
	credentials_unref(&credentials);
}

static void a_clients_own_entry_serves_the_server_too(void **state)
{
	(void)state;
	assert_for_server("plain_user", NULL, "plain_user", "pencil", NULL, false);
	assert_for_server("md5_user", NULL, "md5_user", NULL, MD5_OF_SECRET, false);
	assert_for_server("nobody", NULL, "nobody", NULL, NULL, false);
}

static void a_verifier_serves_only_together_with_a_proof(void **state)
{
	struct scram_keys keys = pencil_keys();
	struct credentials *proved = credentials_make("scram_user", NULL, NULL, &keys);
	struct credentials *password = credentials_make("scram_user", "pencil", NULL, NULL);

	(void)state;
	assert_for_server("scram_user", NULL, "scram_user", NULL, NULL, false);
	assert_for_server("scram_user", proved, "scram_user", NULL, NULL, true);
	assert_for_server("scram_user", password, "scram_user", "pencil", NULL, false);
	/* Keys of another verifier would be refused by the server. */
	keys.client_key[0] ^= 1;
	struct credentials *other = credentials_make("scram_user", NULL, NULL, &keys);
	assert_for_server("scram_user", other, "scram_user", NULL, NULL, false);
	credentials_unref(&proved);
	credentials_unref(&password);
	credentials_unref(&other);
}

/* Users that auth_query found stand in no file. */
static void what_a_client_proved_serves_where_nothing_is_stored(void **state)
{
	struct scram_keys keys = pencil_keys();
	struct credentials *proved = credentials_make("nobody", NULL, NULL, &keys);
	struct credentials *hash = credentials_make("nobody", NULL, MD5_OF_SECRET, NULL);

	(void)state;
	assert_for_server("nobody", proved, "nobody", NULL, NULL, true);
	assert_for_server("nobody", hash, "nobody", NULL, MD5_OF_SECRET, false);
	credentials_unref(&proved);
	credentials_unref(&hash);
}

static void a_user_section_wins_over_the_file_and_the_database_over_both(void **state)
{
	struct config_user users[] = { { .name = (char *)"plain_user", .password = (char *)"eraser" } };
	struct scram_keys keys = pencil_keys();
	struct credentials *proved = credentials_make("plain_user", NULL, NULL, &keys);

	(void)state;
	fixture_config.users = users;
	fixture_config.user_count = ARRAY_LEN(users);
	assert_for_server("plain_user", proved, "plain_user", "eraser", NULL, false);
	database.user = (char *)"forced";
	database.password = (char *)"ruler";
	assert_for_server("plain_user", proved, "forced", "ruler", NULL, false);
	/* Without a password of its own, the forced user's entry; never what somebody else proved. */
	database.password = NULL;
	assert_for_server("plain_user", proved, "forced", NULL, NULL, false);
	database.user = (char *)"md5_user";
	assert_for_server("plain_user", proved, "md5_user", NULL, MD5_OF_SECRET, false);
	database.user = (char *)"plain_user";
	assert_for_server("scram_user", NULL, "plain_user", "eraser", NULL, false);
	credentials_unref(&proved);
}

static void fingerprints_are_equal_for_equal_contents_only(void **state)
{
	struct scram_keys keys = pencil_keys();
	struct credentials *all[] = {
		credentials_make("a", NULL, NULL, NULL), credentials_make("b", NULL, NULL, NULL),
		credentials_make("a", "pencil", NULL, NULL), credentials_make("a", NULL, "pencil", NULL),
		credentials_make("a", "", NULL, NULL), credentials_make("a", NULL, NULL, &keys),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct credentials *same = credentials_make(all[i]->user, all[i]->password, all[i]->md5, i == 5 ? &keys : NULL);

		for (size_t j = 0; j < ARRAY_LEN(all); j++)
			assert_int_equal(same->fingerprint == all[j]->fingerprint, i == j);
		credentials_unref(&same);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		credentials_unref(&all[i]);
}

static void references_keep_credentials(void **state)
{
	struct credentials *first = credentials_make("a", "pencil", NULL, NULL);
	struct credentials *second = credentials_ref(first), *none = NULL;

	(void)state;
	credentials_unref(&first);
	assert_null(first);
	assert_string_equal(second->password, "pencil");
	credentials_unref(&second);
	credentials_unref(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_clients_own_entry_serves_the_server_too),
		TEST(a_verifier_serves_only_together_with_a_proof),
		TEST(what_a_client_proved_serves_where_nothing_is_stored),
		TEST(a_user_section_wins_over_the_file_and_the_database_over_both),
		TEST(fingerprints_are_equal_for_equal_contents_only),
		TEST(references_keep_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
