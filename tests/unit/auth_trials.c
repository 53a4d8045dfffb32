/* Which value of a secret a host is tried with, by how many at a time, and for how long. */
#include "auth_fixture.h"

#include "pgweir/clock.h"
#include "pgweir/credentials.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"
#include "pgweir/trials.h"

enum { SECOND_US = 1000 * 1000 };

static struct config config;
static struct config_database database;

static int set_up(void **state)
{
	(void)state;
	database = (struct config_database){ .name = (char *)"app", .secret = (char *)"s" };
	clock_fake(SECOND_US);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_fake(0);
	lease_forget_all();
	trials_forget_all();
	return 0;
}

/* "user:password", or the password alone. */
static void put(struct lease_value *value, const char *text)
{
	const char *colon = text ? strchr(text, ':') : NULL;

	if (!text)
		return;
	value->username = colon ? mem_strndup(text, (size_t)(colon - text)) : NULL;
	value->password = mem_secret_dup(colon ? colon + 1 : text);
}

static void publish(const char *current, const char *pending, const char *previous)
{
	struct lease_values values = { 0 };

	put(&values.current, current);
	put(&values.pending, pending);
	put(&values.previous, previous);
	(void)lease_publish("s", &values, NULL);
}

static void publish_labelled(const char *current)
{
	struct lease_values values = { .rotating = true };

	put(&values.current, current);
	(void)lease_publish("s", &values, NULL);
}

static struct credentials *wanted(const char *user)
{
	return credentials_for_server(&config, &database, user, NULL);
}

static struct trials *trials_of(const char *host)
{
	struct credentials *credentials = wanted("app");
	struct trials *trials = trials_get(credentials, host, 5432);

	credentials_unref(&credentials);
	return trials;
}

/* The choice is `password`; what becomes of the login comes with `then`. */
static void assert_chosen(struct trials *trials, const char *password,
	void (*then)(struct trials *trials, const struct credentials *credentials))
{
	struct credentials *now = wanted("app"), *chosen = trials_choose(trials, now, NULL, 0);

	assert_string_equal(chosen->password, password);
	if (then)
		then(trials, chosen);
	credentials_unref(&chosen);
	credentials_unref(&now);
}

static void values_are_tried_current_pending_previous(void **state)
{
	(void)state;
	publish("two", "three", "one");
	struct trials *trials = trials_of("a");
	struct credentials *now = wanted("app");
	const char *const order[] = { "two", "three", "one" };
	uint64_t refused[3];

	for (unsigned i = 0; i < 3; i++) {
		struct credentials *chosen = trials_choose(trials, now, refused, i);

		assert_string_equal(chosen->password, order[i]);
		refused[i] = chosen->fingerprint;
		credentials_unref(&chosen);
	}
	assert_null(trials_choose(trials, now, refused, 3));
	credentials_unref(&now);
}

/* Replicas get a new password later. */
static void each_host_keeps_what_worked_there(void **state)
{
	(void)state;
	publish("two", NULL, "one");
	struct credentials *now = wanted("app"), *previous = credentials_of_stage(now, SECRET_PREVIOUS);

	trials_worked(trials_of("replica"), previous);
	assert_chosen(trials_of("replica"), "one", NULL);
	assert_chosen(trials_of("primary"), "two", NULL);
	trials_refused(trials_of("replica"), previous);
	assert_chosen(trials_of("replica"), "two", NULL);
	credentials_unref(&previous);
	credentials_unref(&now);
}

/* Who changes a secret changes the server first, or soon. */
static void a_changed_secret_is_believed_before_what_worked(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	assert_chosen(trials_of("a"), "one", trials_worked);
	publish("two", NULL, NULL);
	assert_chosen(trials_of("a"), "two", NULL);
}

static void one_trial_is_under_way_at_a_time(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	struct trials *trials = trials_of("a");
	struct credentials *now = wanted("app");
	struct error error;

	assert_int_equal(trials_begin(trials, now, &error), TRIALS_BEGUN);
	assert_int_equal(trials_begin(trials, now, &error), TRIALS_BUSY);
	assert_int_equal(trials_begin(trials_of("b"), now, &error), TRIALS_BEGUN);
	trials_worked(trials, now);
	assert_int_equal(trials_begin(trials, now, &error), TRIALS_KNOWN);
	trials_end(trials);
	assert_int_equal(trials_begin(trials, now, &error), TRIALS_KNOWN);
	credentials_unref(&now);
}

/* Of a pool that is opened anew after the password has changed: the server sees one failed login. */
static void after_a_quiet_moment_one_login_goes_ahead(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	struct trials *trials = trials_of("a");
	struct credentials *now = wanted("app");
	struct trials_sum sum;
	struct error error;

	trials_worked(trials, now);
	assert_int_equal(trials_begin(trials, now, &error), TRIALS_KNOWN);
	clock_fake(3 * SECOND_US);
	assert_int_equal(trials_begin(trials, now, &error), TRIALS_BEGUN);
	assert_int_equal(trials_begin(trials, now, &error), TRIALS_BUSY);
	trials_worked(trials, now);
	trials_end(trials);
	assert_int_equal(trials_begin(trials, now, &error), TRIALS_KNOWN);
	trials_count("s", &sum);
	assert_int_equal(sum.trials, 0);                /* It is known to have worked here. */
	credentials_unref(&now);
}

static void refuse_all(struct trials *trials, const struct credentials *credentials)
{
	struct error error;

	error_set(&error, "28P01", "no");
	trials_refused(trials, credentials);
	trials_exhausted(trials, &error);
}

static void what_is_refused_all_around_is_tried_ever_later(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	struct trials *trials = trials_of("a");
	struct credentials *now = wanted("app");
	uint64_t now_us = SECOND_US;
	struct error error;
	unsigned tried = 0;

	for (unsigned i = 0; i < 60 * 10; i++, now_us += SECOND_US / 10) {
		clock_fake(now_us);
		if (trials_begin(trials, now, &error) != TRIALS_BEGUN) {
			assert_string_equal(error.text, "no");
			continue;
		}
		tried++;
		refuse_all(trials, now);
		trials_end(trials);
	}
	assert_in_range(tried, 12, 18);         /* In a minute: a few at first, then one in five seconds. */
	/* Another value is tried at once. */
	publish("two", NULL, NULL);
	struct credentials *another = wanted("app");

	assert_int_equal(trials_begin(trials, another, &error), TRIALS_BEGUN);
	credentials_unref(&another);
	credentials_unref(&now);
}

static bool is_hopeful_at(unsigned seconds)
{
	clock_fake((1 + (uint64_t)seconds) * SECOND_US);
	return trials_outlook(trials_of("a")).hopeful;
}

static void without_evidence_hope_is_short(void **state)
{
	(void)state;
	publish("one", NULL, "nought");
	assert_chosen(trials_of("a"), "one", refuse_all);
	assert_true(is_hopeful_at(1));
	assert_false(is_hopeful_at(3));
}

static void a_change_or_a_pending_value_is_evidence(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	publish("two", NULL, NULL);
	assert_chosen(trials_of("a"), "two", refuse_all);
	assert_true(is_hopeful_at(119));
	assert_false(is_hopeful_at(121));
	lease_forget_all();
	publish("two", "three", NULL);
	assert_true(is_hopeful_at(119));
	assert_false(is_hopeful_at(121));               /* The label of a rotation that failed stays. */
	lease_forget_all();
	publish_labelled("two");                        /* A policy lets nobody read its value. */
	assert_true(is_hopeful_at(119));
	assert_false(is_hopeful_at(121));
	lease_forget_all();
	publish("two", "two", NULL);                    /* That of one that has ended too. */
	assert_false(is_hopeful_at(60));
}

/* While its service is in trouble nobody knows whether the secret still says what was refused. */
/* A user that is being made: its secret is there first. */
static void a_first_value_that_was_just_stored_is_evidence(void **state)
{
	static const struct {
		uint64_t age_us;
		bool hopeful;
	} ages[] = { { 10 * SECOND_US, true }, { 200 * (uint64_t)SECOND_US, false }, { 0, false }, { UINT64_MAX / 2, false } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(ages); i++) {
		struct lease_values values = { .age_us = ages[i].age_us };

		clock_fake(1000 * (uint64_t)SECOND_US);
		lease_forget_all();
		trials_forget_all();
		put(&values.current, "one");
		(void)lease_publish("s", &values, NULL);
		assert_chosen(trials_of("a"), "one", refuse_all);
		assert_int_equal(is_hopeful_at(1004), ages[i].hopeful);
	}
}

static void a_secret_that_has_not_been_read_since_is_evidence(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	clock_fake(2 * SECOND_US);
	assert_chosen(trials_of("a"), "one", refuse_all);
	assert_true(is_hopeful_at(60));
	(void)lease_publish("s", &(struct lease_values){ 0 }, mem_strdup("throttled"));
	assert_true(is_hopeful_at(120));
	assert_false(is_hopeful_at(122));               /* A secret that was deleted does not come back. */
	assert_true(is_hopeful_at(60));
	publish("one", NULL, NULL);
	assert_false(is_hopeful_at(61));                /* It says the same. */
	lease_forget_all();
	clock_fake(SECOND_US);
	lease_publish_on_demand("s");                   /* Tokens are made, not read. */
	assert_false(is_hopeful_at(61));
}

/* An operator may change the server and the secret minutes later. */
static void connections_that_live_are_evidence(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	trials_opened(trials_of("a"));
	assert_false(trials_refusing(trials_of("a")));
	assert_chosen(trials_of("a"), "one", refuse_all);
	assert_true(trials_refusing(trials_of("a")));
	assert_true(is_hopeful_at(7 * 60));
	trials_closed(trials_of("a"));
	assert_false(is_hopeful_at(7 * 60));
	assert_chosen(trials_of("a"), "one", trials_worked);
	assert_false(trials_refusing(trials_of("a")));
}

/* The database changes first and the secret seven minutes later, while ten times a second somebody wants a connection. */
static void a_secret_that_follows_after_minutes_is_tried_at_once(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	struct trials *trials = trials_of("a");
	struct credentials *old = wanted("app");
	uint64_t now_us = SECOND_US, until_us = now_us + 7 * 60 * (uint64_t)SECOND_US;
	unsigned tried = 0;
	struct error error;

	assert_chosen(trials, "one", trials_worked);
	trials_opened(trials);
	for (; now_us < until_us; now_us += SECOND_US / 10) {
		clock_fake(now_us);
		publish("one", NULL, NULL);             /* Read again, and the same. */
		enum trials_turn turn = trials_begin(trials, old, &error);

		if (turn == TRIALS_BEGUN) {
			tried++;
			refuse_all(trials, old);
			trials_end(trials);
		}
		assert_true(turn == TRIALS_BEGUN || turn == TRIALS_LATER || !tried);
		if (!tried)
			continue;
		assert_true(trials_outlook(trials).hopeful);
		assert_in_range(trials_outlook(trials).after_us, 0, 5 * SECOND_US);
		assert_false(trials_may_recycle(trials));
	}
	assert_in_range(tried, 60, 100);
	assert_true(trials_outlook(trials).after_us > 0);
	publish("two", NULL, NULL);
	struct credentials *new = wanted("app");

	assert_int_equal(trials_begin(trials, new, &error), TRIALS_BEGUN);
	trials_worked(trials, new);
	trials_end(trials);
	assert_false(trials_refusing(trials));
	assert_true(trials_may_recycle(trials));
	trials_closed(trials);
	credentials_unref(&new);
	credentials_unref(&old);
}

static void connections_are_recycled_one_at_a_time_until_a_login_works(void **state)
{
	(void)state;
	publish("one", NULL, NULL);
	struct trials *trials = trials_of("a");

	assert_true(trials_may_recycle(trials));
	assert_false(trials_may_recycle(trials));
	assert_chosen(trials, "one", trials_worked);
	assert_true(trials_may_recycle(trials));
	clock_fake(20 * SECOND_US);                     /* Nobody wanted another one in place of it. */
	assert_true(trials_may_recycle(trials));
	assert_chosen(trials, "one", refuse_all);
	clock_fake(600 * (uint64_t)SECOND_US);
	assert_false(trials_may_recycle(trials));
}

static void assert_acts_as(const char *role, const char *original)
{
	struct credentials *credentials = wanted(role);

	if (original)
		assert_string_equal(credentials->acts_as, original);
	else
		assert_null(credentials->acts_as);
	credentials_unref(&credentials);
}

static void a_clone_acts_as_the_user_it_takes_turns_with(void **state)
{
	(void)state;
	publish("app_clone:one", NULL, NULL);
	assert_acts_as("app", "app");
	assert_acts_as("service", NULL);                /* That ends so, and nobody knows an original. */
	publish("app:two", NULL, NULL);
	assert_acts_as("service", NULL);
	publish("app_clone:three", NULL, NULL);
	assert_acts_as("service", "app");
	assert_acts_as("app_clone", "app");
	publish("other:four", NULL, NULL);
	assert_acts_as("app", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_are_tried_current_pending_previous),
		TEST(each_host_keeps_what_worked_there),
		TEST(a_changed_secret_is_believed_before_what_worked),
		TEST(one_trial_is_under_way_at_a_time),
		TEST(after_a_quiet_moment_one_login_goes_ahead),
		TEST(what_is_refused_all_around_is_tried_ever_later),
		TEST(without_evidence_hope_is_short),
		TEST(a_change_or_a_pending_value_is_evidence),
		TEST(a_first_value_that_was_just_stored_is_evidence),
		TEST(a_secret_that_has_not_been_read_since_is_evidence),
		TEST(connections_that_live_are_evidence),
		TEST(a_secret_that_follows_after_minutes_is_tried_at_once),
		TEST(connections_are_recycled_one_at_a_time_until_a_login_works),
		TEST(a_clone_acts_as_the_user_it_takes_turns_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
