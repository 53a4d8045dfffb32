/* Who is asked for what, and who is let in besides: certificates, rules, sections, the console, the throttle. */
#include "auth_login_fixture.h"

#include <unistd.h>

#include "pgweir/clock.h"
#include "throttle.h"

/* --- cert --- */

static enum auth_step log_in_by_cert(const char *user, const char *common_name, const char *error)
{
	struct auth_request request = request_of(user);

	request.tls = true;
	request.common_name = common_name;
	struct authenticator *login = new_login(&request);
	enum auth_step step = authenticator_start(login);
	if (error)
		assert_denied(login, step, "28000", error);
	authenticator_free(&login);
	return step;
}

static void a_certificate_speaks_for_its_name_and_for_those_of_the_map(void **state)
{
	(void)state;
	fixture_config.auth_type = AUTH_TYPE_CERT;
	assert_int_equal(log_in_by_cert("alice", "alice", NULL), AUTH_GRANTED);
	log_in_by_cert("alice", NULL, "connection requires a valid client certificate");
	log_in_by_cert("alice", "Alice", "certificate authentication failed for user \"alice\"");
	fixture_load(USERLIST, NULL, "cert /^(.*)@example\\.com$ \\1\n");
	assert_int_equal(log_in_by_cert("alice", "alice@example.com", NULL), AUTH_GRANTED);
	assert_int_equal(log_in_by_cert("alice", "alice", NULL), AUTH_GRANTED);
	log_in_by_cert("alice", "bob@example.com", "certificate authentication failed for user \"alice\"");
}

/* --- hba --- */

static enum auth_step start_by_rules(const char *rules, const char *from, bool tls, const char *user, uint32_t code,
	const char *error)
{
	fixture_config.auth_type = AUTH_TYPE_HBA;
	fixture_load(USERLIST, rules, NULL);
	login_address = fixture_address(from);

	struct auth_request request = request_of(user);
	request.tls = tls;
	struct authenticator *login = new_login(&request);
	enum auth_step step = authenticator_start(login);

	if (error)
		assert_denied(login, step, "28000", error);
	else
		assert_int_equal(authenticator_code(login), code);
	authenticator_free(&login);
	return step;
}

static void rules_choose_the_method(void **state)
{
	static const char rules[] =
		"local   all all               trust\n"
		"hostssl all all 10.0.0.0/8    password\n"
		"host    all all 10.0.0.0/8    md5\n"
		"host    all all 192.0.2.66/32 reject\n"
		"host    app all 192.0.2.0/24  scram-sha-256\n";

	(void)state;
	assert_int_equal(start_by_rules(rules, NULL, false, "x", 0, NULL), AUTH_GRANTED);
	assert_int_equal(start_by_rules(rules, "10.1.2.3", true, "x", 3, NULL), AUTH_CHALLENGE);
	assert_int_equal(start_by_rules(rules, "10.1.2.3", false, "md5_user", 5, NULL), AUTH_CHALLENGE);
	assert_int_equal(start_by_rules(rules, "192.0.2.1", false, "x", 10, NULL), AUTH_CHALLENGE);
	assert_int_equal(start_by_rules(rules, "::ffff:192.0.2.1", false, "x", 10, NULL), AUTH_CHALLENGE);
	start_by_rules(rules, "192.0.2.66", false, "x", 0,
		"pg_hba.conf rejects connection for host \"192.0.2.66\", user \"x\", database \"app\", no encryption");
	start_by_rules(rules, "::1", true, "x", 0,
		"no pg_hba.conf entry for host \"::1\", user \"x\", database \"app\", SSL encryption");
	start_by_rules("hostssl all all all trust\n", NULL, false, "x", 0,
		"no pg_hba.conf entry for host \"[local]\", user \"x\", database \"app\", no encryption");
}

static void a_rule_may_ask_for_a_certificate_besides(void **state)
{
	static char ca_file[] = "ca.crt";

	(void)state;
	fixture_config.client_tls.ca_file = ca_file;
	start_by_rules("hostssl all all all trust clientcert=verify-ca\n", "192.0.2.1", true, "x", 0,
		"connection requires a valid client certificate");
}

static void peer_asks_the_operating_system(void **state)
{
	struct auth_request request = request_of("root");

	(void)state;
	fixture_config.auth_type = AUTH_TYPE_HBA;
	fixture_load(USERLIST, "local all mapped peer map=m\nlocal all all peer\n", "m root mapped\n");
	login_address = fixture_address(NULL);
	request.peer_uid = 0;
	struct authenticator *same = new_login(&request);
	assert_int_equal(authenticator_start(same), AUTH_GRANTED);

	request.user = "other";
	struct authenticator *other = new_login(&request);
	assert_denied(other, authenticator_start(other), "28000", "peer authentication failed for user \"other\"");

	request.user = "mapped";
	struct authenticator *mapped = new_login(&request);
	assert_int_equal(authenticator_start(mapped), AUTH_GRANTED);
	authenticator_free(&same);
	authenticator_free(&other);
	authenticator_free(&mapped);
}

/* --- [user], the console, the throttle --- */

static void a_user_section_wins_over_the_file(void **state)
{
	struct config_user users[] = {
		{ .name = (char *)"plain_user", .password = (char *)"towards the server", .client_password = (char *)"eraser" },
		{ .name = (char *)"section_user", .password = (char *)"ruler" },
	};

	(void)state;
	fixture_config.users = users;
	fixture_config.user_count = ARRAY_LEN(users);
	assert_int_equal(log_in_by_scram("plain_user", "eraser"), AUTH_GRANTED);
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_DENIED);
	assert_int_equal(log_in_by_scram("plain_user", "towards the server"), AUTH_DENIED);
	assert_int_equal(log_in_by_scram("section_user", "ruler"), AUTH_GRANTED);
}

static enum auth_step start_console(const char *user, uid_t uid, bool local)
{
	struct auth_request request = request_of(user);

	login_address = fixture_address(local ? NULL : "127.0.0.1");
	request.database = NULL;
	request.database_name = "pgweir";
	request.peer_uid = uid;
	struct authenticator *login = new_login(&request);
	enum auth_step step = authenticator_start(login);
	authenticator_free(&login);
	return step;
}

static void who_runs_as_we_do_may_use_the_console(void **state)
{
	(void)state;
	assert_int_equal(start_console("pgweir", geteuid(), true), AUTH_GRANTED);
	assert_int_equal(start_console("pgbouncer", geteuid(), true), AUTH_GRANTED);
	assert_int_equal(start_console("pgweir", geteuid() + 1, true), AUTH_CHALLENGE);
	assert_int_equal(start_console("pgweir", (uid_t)-1, true), AUTH_CHALLENGE);
	assert_int_equal(start_console("pgweir", geteuid(), false), AUTH_CHALLENGE);
	assert_int_equal(start_console("plain_user", geteuid(), true), AUTH_CHALLENGE);
}

static void too_many_failures_close_the_door_for_that_address_only(void **state)
{
	struct auth_request request = request_of("plain_user");

	(void)state;
	for (int i = 0; i < THROTTLE_BURST; i++)
		assert_int_equal(log_in_by_scram("plain_user", "wrong"), AUTH_DENIED);
	struct authenticator *login = new_login(&request);
	assert_denied(login, authenticator_start(login), "28000", "too many failed logins from this address");
	authenticator_free(&login);

	login_address = fixture_address("192.0.2.2");
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_GRANTED);
	login_address = fixture_address("192.0.2.1");
	clock_fake(1000000 + 1000000);
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_GRANTED);
}

/* Many logins that began before the first one failed are not judged beyond the limit. */
static void logins_side_by_side_do_not_get_around_the_limit(void **state)
{
	enum { LOGINS = THROTTLE_BURST + 5 };
	struct auth_request request = request_of("plain_user");
	struct authenticator *logins[LOGINS];

	(void)state;
	fixture_config.auth_type = AUTH_TYPE_PLAIN;
	fixture_config.auth_plain_without_tls = true;
	for (int i = 0; i < LOGINS; i++) {
		logins[i] = new_login(&request);
		assert_int_equal(authenticator_start(logins[i]), AUTH_CHALLENGE);
	}
	for (int i = 0; i < LOGINS; i++) {
		assert_int_equal(answer_text(logins[i], "wrong"), AUTH_DENIED);
		assert_string_equal(authenticator_error(logins[i])->sqlstate, i < THROTTLE_BURST ? "28P01" : "28000");
		authenticator_free(&logins[i]);
	}
}

/* --- Loading --- */

static void a_bad_file_leaves_the_former_state_and_says_all_that_is_wrong(void **state)
{
	struct config_problems problems = { 0 };

	(void)state;
	fixture_config.auth_file = (char *)"no/such/file";
	fixture_config.auth_hba_file = (char *)"no/such/rules";
	assert_false(auth_configure(&fixture_config, &problems));
	assert_int_equal(problems.count, 2);
	assert_problem(problems, 0, "no/such/file: No such file or directory");
	assert_problem(problems, 1, "no/such/rules: No such file or directory");
	fixture_config.auth_file = fixture_config.auth_hba_file = NULL;
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_GRANTED);
	config_problems_fini(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOGIN_TEST(a_certificate_speaks_for_its_name_and_for_those_of_the_map),
		LOGIN_TEST(rules_choose_the_method),
		LOGIN_TEST(a_rule_may_ask_for_a_certificate_besides),
		LOGIN_TEST(peer_asks_the_operating_system),
		LOGIN_TEST(a_user_section_wins_over_the_file),
		LOGIN_TEST(who_runs_as_we_do_may_use_the_console),
		LOGIN_TEST(too_many_failures_close_the_door_for_that_address_only),
		LOGIN_TEST(logins_side_by_side_do_not_get_around_the_limit),
		LOGIN_TEST(a_bad_file_leaves_the_former_state_and_says_all_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
