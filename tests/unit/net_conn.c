/* A connection keeps what the kernel does not take, and sends it in order, without a copy of what was handed over. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_pair.h"
#include "pgweir/mem.h"

enum { LARGE = 4 << 20 };

static struct conn conn;
static int peer;
static char *received;
static size_t received_size;

static int start(void **unused)
{
	(void)unused;
	peer = conn_pair_open(&conn);
	received = mem_alloc(2 * LARGE);
	received_size = 0;
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	if (peer >= 0)
		close(peer);
	conn_close(&conn);
	mem_free(received);
	return 0;
}

/* As much as there is now. */
static void receive(void)
{
	ssize_t got;

	while ((got = recv(peer, received + received_size, 2 * LARGE - received_size, 0)) > 0)
		received_size += (size_t)got;
}

static struct buf pattern(size_t size, unsigned seed)
{
	struct buf bytes = { 0 };
	char *at = buf_reserve(&bytes, size);

	for (size_t i = 0; i < size; i++)
		at[i] = (char)(i / 251 + i + seed);
	bytes.size = size;
	return bytes;
}

static void flush_all(void)
{
	while (conn_blocked(&conn)) {
		receive();
		assert_true(conn_flush(&conn));
	}
	receive();
}

static void what_was_handed_over_arrives_whole_and_is_not_copied(void **state)
{
	struct buf bytes = pattern(LARGE, 1), expected = pattern(LARGE, 1);
	const char *handed = bytes.bytes;

	(void)state;
	assert_true(conn_send_buf(&conn, &bytes));
	assert_null(bytes.bytes);
	assert_true(conn_blocked(&conn));
	assert_ptr_equal(conn.out.bytes, handed);
	flush_all();
	assert_int_equal(received_size, LARGE);
	assert_memory_equal(received, expected.bytes, LARGE);
	/* A connection that is not blocked owns no buffer. */
	assert_null(conn.out.bytes);
	buf_fini(&expected);
}

static void what_is_small_leaves_nothing_behind(void **state)
{
	struct buf bytes = pattern(100, 1);

	(void)state;
	assert_true(conn_send_buf(&conn, &bytes));
	assert_false(conn_blocked(&conn));
	assert_null(conn.out.bytes);
	receive();
	assert_int_equal(received_size, 100);
}

static void it_goes_behind_what_waits_already(void **state)
{
	struct buf first = pattern(LARGE, 1), second = pattern(1000, 7), expected = pattern(1000, 7);

	(void)state;
	assert_true(conn_send_buf(&conn, &first));
	assert_true(conn_send_buf(&conn, &second));
	assert_null(second.bytes);
	flush_all();
	assert_int_equal(received_size, LARGE + 1000);
	assert_memory_equal(received + LARGE, expected.bytes, 1000);
	buf_fini(&expected);
}

static void a_peer_that_has_gone_is_a_failure(void **state)
{
	struct buf bytes = pattern(LARGE, 1);

	(void)state;
	close(peer);
	peer = -1;
	assert_false(conn_send_buf(&conn, &bytes));
	assert_null(bytes.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_handed_over_arrives_whole_and_is_not_copied, start, stop),
		cmocka_unit_test_setup_teardown(what_is_small_leaves_nothing_behind, start, stop),
		cmocka_unit_test_setup_teardown(it_goes_behind_what_waits_already, start, stop),
		cmocka_unit_test_setup_teardown(a_peer_that_has_gone_is_a_failure, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
