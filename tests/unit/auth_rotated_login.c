/* A login whose secret is rotated before the client answers. */
#include "auth_login_fixture.h"

#include "pgweir/lease.h"
#include "pgweir/mem.h"

static struct config_user rotated = { .name = (char *)"rotated", .secret = (char *)"s" };
static struct config_secret section = { .name = (char *)"s", .rotation_grace_ms = 1000 };

static void publish(const char *password)
{
	struct lease_values values = { .current = { .password = mem_secret_dup(password) } };

	assert_true(lease_publish("s", &values, NULL));
}

/* A login that has begun with the value "one", after `rotations` further ones. */
static struct authenticator *begin_and_rotate(unsigned rotations)
{
	static const char *const values[] = { "two", "three" };
	struct auth_request request = request_of("rotated");

	fixture_config.users = &rotated;
	fixture_config.secrets = &section;
	fixture_config.user_count = fixture_config.secret_count = 1;
	publish("one");
	struct authenticator *login = new_login(&request);

	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	for (unsigned i = 0; i < rotations; i++)
		publish(values[i]);
	return login;
}

static void assert_judged_after(unsigned rotations, const char *password, enum auth_step expected)
{
	struct authenticator *login = begin_and_rotate(rotations);

	assert_int_equal(play_scram(login, password, false), expected);
	authenticator_free(&login);
	lease_forget_all();
}

/* So that a client that hangs in its login has nothing remembered that is retired meanwhile. */
static void what_a_secret_says_counts_when_the_client_answers(void **state)
{
	(void)state;
	assert_judged_after(0, "one", AUTH_GRANTED);
	assert_judged_after(1, "one", AUTH_GRANTED);
	assert_judged_after(1, "two", AUTH_GRANTED);
	assert_judged_after(2, "one", AUTH_DENIED);
	assert_judged_after(2, "three", AUTH_GRANTED);
}

/* The salt that the client was told is that of the former one. */
static void a_verifier_in_a_secret_is_good_for_who_was_told_its_salt(void **state)
{
	struct auth_request request = request_of("rotated");
	struct authenticator *login;

	(void)state;
	fixture_config.users = &rotated;
	fixture_config.secrets = &section;
	fixture_config.user_count = fixture_config.secret_count = 1;
	publish(SCRAM_VERIFIER_PENCIL);
	login = new_login(&request);
	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	publish("two");
	assert_int_equal(play_scram(login, "pencil", false), AUTH_GRANTED);
	authenticator_free(&login);
	lease_forget_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOGIN_TEST(what_a_secret_says_counts_when_the_client_answers),
		LOGIN_TEST(a_verifier_in_a_secret_is_good_for_who_was_told_its_salt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
