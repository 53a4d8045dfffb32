/* Cancel requests: the right pid and key, and an answer only when the server is done with it, or time is up. */
#include "server_fixture.h"

#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What comes is waited for for so long; what must not come, a moment. */
enum { LONG_MS = 30 * 1000, MOMENT_MS = 100 };

static struct {
	struct buf packet;
	sem_t seen, may_close;
	_Atomic unsigned callbacks;
	sem_t answered;
} cancel;

static void cancelled(void *arg)
{
	CHECK(arg == &cancel);
	atomic_fetch_add(&cancel.callbacks, 1);
	sem_post(&cancel.answered);
}

static bool wait_for(sem_t *semaphore, int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_timedwait(semaphore, &until) == 0;
}

/* A login, or a cancel request that is answered with the connection's end once the test says so. */
static void serving_logins_and_cancels(int fd)
{
	struct buf packet = { 0 };

	fake_read_startup(fd, &packet);
	if (wire_u32(packet.bytes + 4) == WIRE_PROTOCOL(3, 0)) {
		packet.size = 0;
		fake_put_welcome(&packet);
		fake_send_buf(fd, &packet);
		fake_wait_end(fd);
		return;
	}
	cancel.packet = packet;
	sem_post(&cancel.seen);
	wait_for(&cancel.may_close, LONG_MS);
}

static int set_up(void **unused)
{
	(void)unused;
	memset(&cancel, 0, sizeof(cancel));
	sem_init(&cancel.seen, 0, 0);
	sem_init(&cancel.may_close, 0, 0);
	sem_init(&cancel.answered, 0, 0);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	buf_fini(&cancel.packet);
	return 0;
}

static void assert_packet(uint32_t expected_pid, const char *expected_key, size_t expected_size)
{
	uint32_t pid;
	const char *key;
	size_t key_size;

	assert_true(wire_cancel_parse(cancel.packet.bytes, cancel.packet.size, &pid, &key, &key_size));
	assert_int_equal(pid, expected_pid);
	assert_int_equal(key_size, expected_size);
	assert_memory_equal(key, expected_key, expected_size);
}

/* Invariant: while a cancel is in flight its connection is not given to anybody, and this is how one knows. */
static void the_callback_waits_until_the_server_has_closed(void **unused)
{
	(void)unused;
	fixture_start(serving_logins_and_cancels, NULL, NULL);
	server_cancel(fixture_open()->server, fixture_loop(), cancelled, &cancel);
	assert_true(wait_for(&cancel.seen, LONG_MS));
	assert_packet(FAKE_PID, fake_key, sizeof(fake_key));
	assert_false(wait_for(&cancel.answered, MOMENT_MS));
	sem_post(&cancel.may_close);
	assert_true(wait_for(&cancel.answered, LONG_MS));
	fixture_stop();
	assert_int_equal(cancel.callbacks, 1);
}

static void the_connection_may_be_freed_meanwhile(void **unused)
{
	(void)unused;
	fixture_start(serving_logins_and_cancels, NULL, NULL);
	fixture_open();
	struct server *server = fixture_take();

	server_cancel(server, fixture_loop(), cancelled, &cancel);
	server_free(&server);
	assert_true(wait_for(&cancel.seen, LONG_MS));
	sem_post(&cancel.may_close);
	assert_true(wait_for(&cancel.answered, LONG_MS));
	assert_packet(FAKE_PID, fake_key, sizeof(fake_key));
	fixture_stop();
}

static void a_server_that_does_not_close_costs_cancel_wait_timeout(void **unused)
{
	(void)unused;
	/* Longer than a busy machine takes to send the request. */
	fixture_start(serving_logins_and_cancels, "cancel_wait_timeout = 2s", NULL);
	server_cancel(fixture_open()->server, fixture_loop(), cancelled, &cancel);
	assert_true(wait_for(&cancel.answered, LONG_MS / 2));
	sem_post(&cancel.may_close);
	fixture_stop();
	assert_int_equal(cancel.callbacks, 1);
}

static void a_server_that_is_gone_is_answered_for(void **unused)
{
	uint16_t port = fixture_closed_port();

	(void)unused;
	fixture_start(serving_logins_and_cancels, NULL, NULL);
	fixture_open();
	struct server *server = fixture_take();

	((struct sockaddr_in *)&server->address)->sin_port = htons(port);
	server_cancel(server, fixture_loop(), cancelled, &cancel);
	assert_true(wait_for(&cancel.answered, LONG_MS));
	server_free(&server);
	fixture_stop();
}

/* A server that gave no key cannot be asked. */
static void without_a_key_nothing_is_sent(void **unused)
{
	(void)unused;
	fixture_start(serving_logins_and_cancels, NULL, NULL);
	fixture_open();
	struct server *server = fixture_take();

	server->key_size = 0;
	server_cancel(server, fixture_loop(), cancelled, &cancel);
	assert_true(wait_for(&cancel.answered, LONG_MS));
	assert_int_equal(fixture_connections(), 1);
	server_free(&server);
	fixture_stop();
}

static void a_peer_gets_the_request_as_it_is_and_answers_as_a_server(void **unused)
{
	char key[32];

	(void)unused;
	memset(key, 'k', sizeof(key));
	fixture_start(serving_logins_and_cancels, NULL, NULL);
	struct config_peer peer = { .host = (char *)(uintptr_t)"localhost", .port = fixture_port() };

	server_cancel_peer(fixture_target()->config, &peer, 77, key, sizeof(key), fixture_loop(), cancelled, &cancel);
	assert_true(wait_for(&cancel.seen, LONG_MS));
	assert_packet(77, key, sizeof(key));
	assert_false(wait_for(&cancel.answered, MOMENT_MS));
	sem_post(&cancel.may_close);
	assert_true(wait_for(&cancel.answered, LONG_MS));
	fixture_stop();
	assert_int_equal(cancel.callbacks, 1);
}

static void cancels_end_with_the_login_threads(void **unused)
{
	(void)unused;
	fixture_start(serving_logins_and_cancels, NULL, NULL);
	struct config_peer peer = { .host = (char *)(uintptr_t)"127.0.0.1", .port = fixture_port() };

	server_cancel(fixture_open()->server, fixture_loop(), cancelled, &cancel);
	assert_true(wait_for(&cancel.seen, LONG_MS));
	login_threads_stop();
	server_cancel_peer(fixture_target()->config, &peer, 77, "abcd", 4, fixture_loop(), cancelled, &cancel);
	sem_post(&cancel.may_close);
	fixture_stop();
	assert_int_equal(cancel.callbacks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_callback_waits_until_the_server_has_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_connection_may_be_freed_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_server_that_does_not_close_costs_cancel_wait_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_server_that_is_gone_is_answered_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_key_nothing_is_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_peer_gets_the_request_as_it_is_and_answers_as_a_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancels_end_with_the_login_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
