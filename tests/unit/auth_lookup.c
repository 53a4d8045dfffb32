/* auth_query, from an authenticator's point of view. One loop is both the login's and the control plane's. */
#include "auth_fixture.h"

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "auth_fake_server.h"
#include "lookup_cache.h"
#include "pgweir/authenticator.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "throttle.h"

#define SECOND_US UINT64_C(1000000)

static struct loop *loop;
static struct config_host hosts[2];
static struct config_cluster cluster = { .name = (char *)"main", .hosts = hosts, .host_count = 1 };
static struct config_database database;
static struct sockaddr_storage address = { .ss_family = AF_UNIX };
static uint64_t now_us;

static int set_up(void **state)
{
	(void)state;
	alarm(240);
	log_set_level(LOG_LEVEL_ERROR);
	now_us = 100 * SECOND_US;
	clock_fake(now_us);
	throttle_reset();
	fake_server_start();
	loop = loop_new("test");
	hosts[0] = hosts[1] = (struct config_host){ .host = (char *)fake_server_host(), .port = fake_server_port() };
	cluster.host_count = 1;
	database = (struct config_database){ .name = (char *)"app", .cluster = &cluster, .auth_user = (char *)"lookup" };
	fixture_config = (struct config){ .auth_type = AUTH_TYPE_PLAIN, .auth_plain_without_tls = true };
	fixture_load("\"in_file\" \"pencil\"\n", NULL, NULL);
	auth_start(loop);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	auth_stop();
	loop_free(&loop);
	fake_server_stop();
	clock_fake(0);
	assert_int_equal(fixture_references, 0);
	alarm(0);
	return 0;
}

static void pass_time(uint64_t us)
{
	now_us += us;
	clock_fake(now_us);
}

/* --- A login by password, with all waiting done --- */

struct login {
	struct authenticator *authenticator;
	enum auth_step step;
};

static void resumed(enum auth_step step, void *arg)
{
	struct login *login = arg;

	assert_int_equal(login->step, AUTH_WAITING);
	assert_int_not_equal(step, AUTH_WAITING);
	login->step = step;
	loop_stop(loop);
}

static void begin(struct login *login, const char *user)
{
	struct auth_request request = {
		.config = &fixture_config,
		.database = &database,
		.database_name = "app",
		.user = user,
		.address = &address,
		.peer_uid = (uid_t)-1,
	};

	login->authenticator = authenticator_new(&request, loop, resumed, login);
	login->step = authenticator_start(login->authenticator);
}

static void settle(struct login *login)
{
	while (login->step == AUTH_WAITING)
		loop_run(loop);
}

static void answer(struct login *login, const char *password)
{
	login->step = AUTH_WAITING;
	enum auth_step step = authenticator_answer(login->authenticator, password, strlen(password) + 1);

	login->step = step;
	settle(login);
}

static enum auth_step log_in(const char *user, const char *password)
{
	struct login login;

	begin(&login, user);
	settle(&login);
	if (login.step == AUTH_CHALLENGE)
		answer(&login, password);
	enum auth_step step = login.step;
	authenticator_free(&login.authenticator);
	return step;
}

/* The error of a login that does not get as far as a challenge. */
static struct error failure_of(const char *user)
{
	struct login login;

	begin(&login, user);
	settle(&login);
	assert_int_equal(login.step, AUTH_DENIED);
	struct error error = *authenticator_error(login.authenticator);
	authenticator_free(&login.authenticator);
	return error;
}

/* --- */

static void a_user_that_only_the_server_knows_logs_in(void **state)
{
	(void)state;
	fake_server_set("alice", "eraser");
	fake_server_set("bob", SCRAM_VERIFIER_PENCIL);
	fake_server_set("md5_user", MD5_OF_SECRET);
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	assert_int_equal(log_in("bob", "pencil"), AUTH_GRANTED);
	assert_int_equal(log_in("md5_user", "secret"), AUTH_GRANTED);
	assert_int_equal(log_in("nobody", "eraser"), AUTH_DENIED);
	assert_int_equal(fake_server_logins(), 1);
}

/* CVE-2025-12819: what a client or a role sets must not choose which pg_shadow is asked. */
static void the_search_path_is_fixed(void **state)
{
	(void)state;
	log_in("alice", "eraser");
	assert_true(fake_server_saw_option("-c search_path=pg_catalog"));
}

static void a_user_of_the_file_needs_no_server(void **state)
{
	(void)state;
	assert_int_equal(log_in("in_file", "pencil"), AUTH_GRANTED);
	assert_int_equal(fake_server_logins(), 0);
}

/* CVE-2025-2291: the query answers NULL when VALID UNTIL has passed. */
static void a_user_without_a_password_is_refused_like_a_wrong_one(void **state)
{
	struct login login;

	(void)state;
	fake_server_set("expired", NULL);
	begin(&login, "expired");
	settle(&login);
	assert_int_equal(login.step, AUTH_CHALLENGE);
	answer(&login, "pencil");
	assert_int_equal(login.step, AUTH_DENIED);
	assert_string_equal(authenticator_error(login.authenticator)->text, "password authentication failed for user \"expired\"");
	authenticator_free(&login.authenticator);
}

static void an_answer_serves_for_a_while(void **state)
{
	(void)state;
	fake_server_set("alice", "eraser");
	for (int i = 0; i < 5; i++)
		assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	assert_int_equal(fake_server_queries(), 1);
	pass_time(LOOKUP_FOUND_TTL_MS * 1000);
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	assert_int_equal(fake_server_queries(), 2);
}

static void logins_of_one_user_at_the_same_time_share_one_query(void **state)
{
	struct login logins[8];

	(void)state;
	fake_server_set("alice", "eraser");
	for (size_t i = 0; i < ARRAY_LEN(logins); i++)
		begin(&logins[i], "alice");
	for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
		settle(&logins[i]);
		assert_int_equal(logins[i].step, AUTH_CHALLENGE);
		authenticator_free(&logins[i].authenticator);
	}
	assert_int_equal(fake_server_queries(), 1);
}

static void a_role_created_a_moment_ago_may_log_in(void **state)
{
	(void)state;
	assert_int_equal(log_in("alice", "eraser"), AUTH_DENIED);
	fake_server_set("alice", "eraser");
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
}

/* Nobody can make the server answer the same question more often than that. */
static void repeated_questions_about_an_unknown_user_are_limited(void **state)
{
	(void)state;
	for (int i = 0; i < LOOKUP_REPEATS_PER_SECOND + 20; i++)
		assert_int_equal(log_in("nobody", "eraser"), AUTH_DENIED);
	assert_int_equal(fake_server_queries(), LOOKUP_REPEATS_PER_SECOND + 1);
}

static void a_password_changed_a_moment_ago_is_taken(void **state)
{
	(void)state;
	fake_server_set("alice", "eraser");
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	fake_server_set("alice", "ruler");
	pass_time(LOOKUP_FRESH_MS * 1000);
	assert_int_equal(log_in("alice", "ruler"), AUTH_GRANTED);
	assert_int_equal(log_in("alice", "eraser"), AUTH_DENIED);
	/* A wrong password does not ask again at once. */
	assert_int_equal(fake_server_queries(), 2);
}

/* The answer was too young to be asked for again when the login began; what the client knows tells that it is old. */
static void a_proof_that_does_not_fit_has_it_asked_again(void **state)
{
	struct login login;

	(void)state;
	fake_server_set("alice", "eraser");
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	begin(&login, "alice");
	settle(&login);
	assert_int_equal(login.step, AUTH_CHALLENGE);
	assert_int_equal(fake_server_queries(), 1);
	fake_server_set("alice", "ruler");
	pass_time(LOOKUP_FRESH_MS * 1000);
	answer(&login, "ruler");
	assert_int_equal(login.step, AUTH_GRANTED);
	assert_int_equal(fake_server_queries(), 2);
	authenticator_free(&login.authenticator);
}

static void while_the_server_fails_what_it_said_lately_counts(void **state)
{
	(void)state;
	fake_server_set("alice", "eraser");
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	fake_server_refuse_logins(true);
	fake_server_drop_connections();
	pass_time(LOOKUP_FOUND_TTL_MS * 1000 / 2);
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	pass_time(LOOKUP_FOUND_TTL_MS * 1000);
	assert_int_equal(log_in("alice", "eraser"), AUTH_DENIED);
}

/* Of users whose answers are too old to be fresh, in one second. */
static void many_logins_of_known_users_spare_the_server(void **state)
{
	enum { USERS = LOOKUP_REPEATS_PER_SECOND + 20 };
	char name[16];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < USERS; i++) {
			snprintf(name, sizeof(name), "user%d", i);
			fake_server_set(name, "eraser");
			assert_int_equal(log_in(name, "eraser"), AUTH_GRANTED);
		}
		pass_time(SECOND_US);
	}
	assert_int_equal(fake_server_queries(), USERS + LOOKUP_REPEATS_PER_SECOND);
}

static void a_role_dropped_meanwhile_is_refused_when_its_proof_fails(void **state)
{
	(void)state;
	fake_server_set("alice", "eraser");
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	fake_server_forget("alice");
	pass_time(LOOKUP_FRESH_MS * 1000);
	assert_int_equal(log_in("alice", "wrong"), AUTH_DENIED);
	assert_int_equal(log_in("alice", "eraser"), AUTH_DENIED);
}

/* The servers' reasons are for the log: who asks has not proved who it is. */
static void a_failing_query_is_told_without_the_servers_reason(void **state)
{
	(void)state;
	struct error error = failure_of("error");

	assert_string_equal(error.sqlstate, "58000");
	assert_string_equal(error.text, "could not look up user \"error\"");
}

static void a_server_that_refuses_us_is_told_and_not_besieged(void **state)
{
	(void)state;
	fake_server_refuse_logins(true);
	struct error error = failure_of("alice");

	assert_string_equal(error.sqlstate, "08006");
	assert_string_equal(error.text, "could not look up user \"alice\"");
	failure_of("alice");
	failure_of("bob");
	assert_int_equal(fake_server_logins(), 1);

	fake_server_refuse_logins(false);
	fake_server_set("alice", "eraser");
	pass_time(SECOND_US);
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
}

static void the_next_host_is_tried_when_one_is_down(void **state)
{
	(void)state;
	hosts[0].host = (char *)"@nowhere";
	cluster.host_count = 2;
	fake_server_set("alice", "eraser");
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
}

static void a_connection_lost_meanwhile_is_made_anew(void **state)
{
	(void)state;
	fake_server_set("alice", "eraser");
	fake_server_set("bob", "eraser");
	assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	fake_server_drop_connections();
	assert_int_equal(log_in("bob", "eraser"), AUTH_GRANTED);
	assert_int_equal(fake_server_logins(), 2);
}

static void a_question_that_kills_connections_is_not_asked_for_ever(void **state)
{
	(void)state;
	assert_string_equal(failure_of("drop").sqlstate, "58000");
	assert_int_equal(fake_server_logins(), 2);
}

static void a_login_that_goes_away_while_waiting_is_forgotten(void **state)
{
	struct login gone, stays;

	(void)state;
	fake_server_set("alice", "eraser");
	begin(&gone, "alice");
	begin(&stays, "alice");
	assert_int_equal(gone.step, AUTH_WAITING);
	authenticator_free(&gone.authenticator);
	settle(&stays);
	assert_int_equal(stays.step, AUTH_CHALLENGE);
	assert_int_equal(gone.step, AUTH_WAITING);
	authenticator_free(&stays.authenticator);
}

static void stopping_answers_those_who_wait(void **state)
{
	struct login login;

	(void)state;
	begin(&login, "hang");
	/* The request must have arrived before the end. */
	while (!fake_server_logins())
		loop_run_once(loop, true);
	auth_stop();
	settle(&login);
	assert_int_equal(login.step, AUTH_DENIED);
	assert_string_equal(authenticator_error(login.authenticator)->sqlstate, "57P01");
	authenticator_free(&login.authenticator);
	assert_string_equal(failure_of("alice").sqlstate, "57P03");
}

struct control {
	struct loop_letter letter;
	struct loop *loop;
	pthread_t thread;
	sem_t running;
};

static void stop_control(struct loop_letter *letter)
{
	struct control *control = CONTAINER_OF(letter, struct control, letter);

	auth_stop();
	loop_stop(control->loop);
}

static void *run_control(void *arg)
{
	struct control *control = arg;

	auth_start(control->loop);
	sem_post(&control->running);
	loop_run(control->loop);
	return NULL;
}

/* As it is in the program. The thread sanitizer watches. */
static void logins_on_another_thread_than_the_control_planes_are_answered(void **state)
{
	struct control control = { .letter.deliver = stop_control, .loop = loop_new("control") };

	(void)state;
	auth_stop();
	fixture_load(NULL, NULL, NULL);
	sem_init(&control.running, 0, 0);
	assert_int_equal(pthread_create(&control.thread, NULL, run_control, &control), 0);
	sem_wait(&control.running);
	fake_server_set("alice", "eraser");
	fake_server_set("bob", SCRAM_VERIFIER_PENCIL);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
		assert_int_equal(log_in("bob", "pencil"), AUTH_GRANTED);
		assert_int_equal(log_in("nobody", "pencil"), AUTH_DENIED);
	}
	struct login gone;
	begin(&gone, "alice");
	authenticator_free(&gone.authenticator);
	loop_post(control.loop, &control.letter);
	pthread_join(control.thread, NULL);
	/* What was on its way back comes home. */
	assert_string_equal(failure_of("alice").sqlstate, "57P03");
	loop_free(&control.loop);
	sem_destroy(&control.running);
}

/* "[database *]" lets clients choose names, and each is a connection of ours. */
static void the_number_of_connections_is_bounded(void **state)
{
	char name[] = "x00";

	(void)state;
	database.auth_dbname = name;
	fake_server_set("alice", "eraser");
	for (int i = 0; i < LOOKUP_SOURCES_MAX + 10; i++) {
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		assert_int_equal(log_in("alice", "eraser"), AUTH_GRANTED);
	}
	assert_int_equal(fake_server_logins(), LOOKUP_SOURCES_MAX + 10);
	/* The server notices a closed connection a moment later. */
	while (fake_server_connections() > LOOKUP_SOURCES_MAX)
		usleep(1000);
}

static void the_console_knows_no_auth_query(void **state)
{
	struct auth_request request = { .config = &fixture_config, .database_name = "pgweir", .user = "alice",
		.address = &address, .peer_uid = (uid_t)-1 };
	struct login login = { .authenticator = authenticator_new(&request, loop, resumed, &login) };

	(void)state;
	assert_int_equal(authenticator_start(login.authenticator), AUTH_CHALLENGE);
	authenticator_free(&login.authenticator);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_user_that_only_the_server_knows_logs_in),
		TEST(the_search_path_is_fixed),
		TEST(a_user_of_the_file_needs_no_server),
		TEST(a_user_without_a_password_is_refused_like_a_wrong_one),
		TEST(an_answer_serves_for_a_while),
		TEST(logins_of_one_user_at_the_same_time_share_one_query),
		TEST(a_role_created_a_moment_ago_may_log_in),
		TEST(repeated_questions_about_an_unknown_user_are_limited),
		TEST(a_password_changed_a_moment_ago_is_taken),
		TEST(a_proof_that_does_not_fit_has_it_asked_again),
		TEST(while_the_server_fails_what_it_said_lately_counts),
		TEST(many_logins_of_known_users_spare_the_server),
		TEST(a_role_dropped_meanwhile_is_refused_when_its_proof_fails),
		TEST(a_failing_query_is_told_without_the_servers_reason),
		TEST(a_server_that_refuses_us_is_told_and_not_besieged),
		TEST(the_next_host_is_tried_when_one_is_down),
		TEST(a_connection_lost_meanwhile_is_made_anew),
		TEST(a_question_that_kills_connections_is_not_asked_for_ever),
		TEST(a_login_that_goes_away_while_waiting_is_forgotten),
		TEST(stopping_answers_those_who_wait),
		TEST(logins_on_another_thread_than_the_control_planes_are_answered),
		TEST(the_number_of_connections_is_bounded),
		TEST(the_console_knows_no_auth_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
