/* What goes out with one send: in order, as few pieces as possible, and nothing after a failure. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_pair.h"
#include "outbox.h"
#include "pgweir/mem.h"

static struct conn conn;
static int peer;
static struct outbox *outbox;
static char received[OUTBOX_SCRATCH * 4];

static int start(void **unused)
{
	(void)unused;
	peer = conn_pair_open(&conn);
	outbox = NEW(struct outbox);
	outbox_begin(outbox, &conn);
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	if (peer >= 0)
		close(peer);
	conn_close(&conn);
	mem_free(outbox);
	return 0;
}

/* How much the peer has got by now; it lies in `received`. */
static size_t receive(void)
{
	size_t size = 0;

	for (;;) {
		ssize_t got = recv(peer, received + size, sizeof(received) - size, 0);

		if (got <= 0)
			return size;
		size += (size_t)got;
	}
}

static void expect_received(const char *text)
{
	assert_int_equal(receive(), strlen(text));
	assert_memory_equal(received, text, strlen(text));
}

static void nothing_is_sent_before_a_flush(void **unused)
{
	(void)unused;
	outbox_pass(outbox, "passed", 6);
	outbox_put(outbox, "put", 3);
	assert_int_equal(receive(), 0);
	outbox_flush(outbox);
	expect_received("passedput");
	assert_true(outbox_end(outbox));
}

static void passed_and_put_bytes_keep_their_order(void **unused)
{
	char own[] = "2";

	(void)unused;
	outbox_pass(outbox, "1", 1);
	outbox_put(outbox, own, 1);
	own[0] = 'x';
	outbox_pass(outbox, "3", 1);
	outbox_put(outbox, "4", 1);
	outbox_put(outbox, "5", 1);
	assert_true(outbox_end(outbox));
	expect_received("12345");
}

/* The receive buffer's messages lie one behind the other: they need no piece each. */
static void neighbours_become_one_piece(void **unused)
{
	static const char bytes[] = "abcdef";

	(void)unused;
	outbox_pass(outbox, bytes, 2);
	outbox_pass(outbox, bytes + 2, 2);
	assert_int_equal(outbox->count, 1);
	outbox_pass(outbox, bytes + 5, 1);
	assert_int_equal(outbox->count, 2);
	outbox_put(outbox, "g", 1);
	outbox_put(outbox, "h", 1);
	assert_int_equal(outbox->count, 3);
	outbox_pass(outbox, bytes, 0);
	assert_int_equal(outbox->count, 3);
	assert_true(outbox_end(outbox));
	expect_received("abcdfgh");
}

/* The rest of a message whose name was rewritten, and those behind it: one piece is one plain send. */
static void few_bytes_behind_our_own_join_them_and_many_do_not(void **unused)
{
	static char many[OUTBOX_JOIN_MAX + 1];

	(void)unused;
	outbox_put(outbox, "own", 3);
	outbox_pass(outbox, "few", 3);
	outbox_pass(outbox, "more", 4);
	assert_int_equal(outbox->count, 1);
	outbox_pass(outbox, many, sizeof(many));
	assert_int_equal(outbox->count, 2);
	outbox_pass(outbox, "few", 3);
	assert_int_equal(outbox->count, 3);
	assert_true(outbox_end(outbox));
	assert_int_equal(receive(), 10 + sizeof(many) + 3);
	assert_memory_equal(received, "ownfewmore", 10);
	assert_memory_equal(received + 10 + sizeof(many), "few", 3);
}

static void more_pieces_than_one_send_takes_are_sent_in_turn(void **unused)
{
	static const char bytes[] = "0123456789";
	char expected[3 * OUTBOX_PIECES + 1] = "";

	(void)unused;
	for (int i = 0; i < 3 * OUTBOX_PIECES; i++) {
		/* Never the next one's neighbour. */
		char digit = bytes[9 - i % 10];

		if (i % 3)
			outbox_pass(outbox, &bytes[9 - i % 10], 1);
		else
			outbox_put(outbox, &digit, 1);
		expected[i] = digit;
	}
	assert_true(outbox_end(outbox));
	expect_received(expected);
}

static void more_than_the_scratch_holds_is_sent_in_turn(void **unused)
{
	enum { SIZE = OUTBOX_SCRATCH / 2 + 1, ROUNDS = 3 };
	char *part = mem_alloc(SIZE);

	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		memset(part, 'a' + i, SIZE);
		outbox_put(outbox, part, SIZE);
	}
	mem_free(part);
	assert_true(outbox_end(outbox));
	assert_int_equal(receive(), ROUNDS * SIZE);
	for (int i = 0; i < ROUNDS * SIZE; i++)
		assert_int_equal(received[i], 'a' + i / SIZE);
}

/* It is sent before outbox_put() returns, since nobody keeps it. */
static void one_larger_than_the_scratch_goes_out_at_once(void **unused)
{
	char *large = mem_alloc(OUTBOX_SCRATCH + 1);

	(void)unused;
	memset(large, 'l', OUTBOX_SCRATCH + 1);
	outbox_put(outbox, "<", 1);
	outbox_put(outbox, large, OUTBOX_SCRATCH + 1);
	mem_free(large);
	outbox_put(outbox, ">", 1);
	assert_true(outbox_end(outbox));
	assert_int_equal(receive(), OUTBOX_SCRATCH + 3);
	assert_int_equal(received[0], '<');
	assert_int_equal(received[OUTBOX_SCRATCH + 1], 'l');
	assert_int_equal(received[OUTBOX_SCRATCH + 2], '>');
}

static void a_broken_connection_is_told_at_the_end(void **unused)
{
	(void)unused;
	close(peer);
	peer = -1;
	outbox_put(outbox, "x", 1);
	outbox_flush(outbox);
	assert_true(outbox->failed);
	outbox_put(outbox, "y", 1);
	outbox_flush(outbox);
	assert_false(outbox_end(outbox));
	assert_null(outbox->conn);
}

/* Outboxes are used again and again. */
static void a_failure_is_forgotten_with_the_next_connection(void **unused)
{
	(void)unused;
	close(peer);
	outbox_put(outbox, "x", 1);
	assert_false(outbox_end(outbox));
	conn_close(&conn);

	peer = conn_pair_open(&conn);
	outbox_begin(outbox, &conn);
	assert_true(outbox_end(outbox));
	assert_int_equal(receive(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_sent_before_a_flush),
		TEST(passed_and_put_bytes_keep_their_order),
		TEST(neighbours_become_one_piece),
		TEST(few_bytes_behind_our_own_join_them_and_many_do_not),
		TEST(more_pieces_than_one_send_takes_are_sent_in_turn),
		TEST(more_than_the_scratch_holds_is_sent_in_turn),
		TEST(one_larger_than_the_scratch_goes_out_at_once),
		TEST(a_broken_connection_is_told_at_the_end),
		TEST(a_failure_is_forgotten_with_the_next_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
