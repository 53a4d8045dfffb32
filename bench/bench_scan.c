/* What the SQL scanner costs: nanoseconds per byte of some typical texts, the best of several rounds.
 *
 * The scanner is part of the proxy's path of every query, so that unlike the other programs here this one links it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pgweir/scan.h"

enum { ROUNDS = 100, LARGE_BYTES = 8192, LITERAL_BYTES = 1 << 20 };

static const char shortest[] = "SELECT 1";
static const char short_select[] = "SELECT abalance FROM pgbench_accounts WHERE aid = $1";
static const char orm_select[] =
	"SELECT \"users\".\"id\", \"users\".\"email\", \"users\".\"created_at\" FROM \"users\" INNER JOIN \"accounts\" ON "
	"\"accounts\".\"user_id\" = \"users\".\"id\" WHERE \"accounts\".\"state\" = 'active' AND \"users\".\"id\" IN ($1, $2) "
	"LIMIT 21";
static const char plain_select[] =
	"SELECT o.id, o.placed_at, c.name, sum(l.quantity * l.price) AS total FROM orders o JOIN customers c "
	"ON c.id = o.customer_id JOIN order_lines l ON l.order_id = o.id "
	"WHERE o.placed_at >= $1 GROUP BY o.id, o.placed_at, c.name";

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The sum of effects keeps the compiler from leaving it out. */
static uint64_t sum;

static double best_ns(const char *text, size_t size, unsigned times)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();

		for (unsigned i = 0; i < times; i++)
			sum += scan_text(text, size, 0, NULL);
		uint64_t taken = now_ns() - start;

		best = taken < best ? taken : best;
	}
	return (double)best / times;
}

static void measure(const char *what, const char *text, size_t size, unsigned long budget_bytes)
{
	unsigned times = (unsigned)(1 + budget_bytes / size);
	double ns = best_ns(text, size, times);

	printf("%-24s %8zu bytes %10.0f ns %6.2f ns/byte\n", what, size, ns, ns / (double)size);
}

/* Rows of numbers and sentences. */
static size_t make_insert(char *text, size_t room)
{
	size_t size = (size_t)snprintf(text, room, "INSERT INTO events (id, kind, payload, at) VALUES ");

	for (unsigned row = 0; size + 256 < room; row++)
		size += (size_t)snprintf(text + size, room - size,
			"%s(%u, 'page_view', '{\"path\": \"/orders/%u\", \"agent\": \"Mozilla/5.0 (X11; Linux x86_64)\", \"note\": \"it''s how "
			"they always say it\"}', '2024-03-01 10:%02u:00')",
			row ? ", " : "", 100000 + row, row, row % 60);
	return size;
}

static size_t make_literal(char *text, size_t room)
{
	static const char sentence[] = "The quick brown fox jumps over the lazy dog, as they always say. ";
	size_t size = (size_t)snprintf(text, room, "UPDATE documents SET body = '");

	while (size + sizeof(sentence) + 2 < room) {
		memcpy(text + size, sentence, sizeof(sentence) - 1);
		size += sizeof(sentence) - 1;
	}
	text[size++] = '\'';
	return size;
}

/* Usage: bench_scan [MEGABYTES per round] */
int main(int argc, char **argv)
{
	unsigned long budget_bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
	static char large[LARGE_BYTES], literal[LITERAL_BYTES];

	measure("shortest", shortest, sizeof(shortest) - 1, budget_bytes);
	measure("short select", short_select, sizeof(short_select) - 1, budget_bytes);
	measure("ORM select", orm_select, sizeof(orm_select) - 1, budget_bytes);
	measure("plain select", plain_select, sizeof(plain_select) - 1, budget_bytes);
	measure("insert with literals", large, make_insert(large, sizeof(large)), budget_bytes);
	measure("one large literal", literal, make_literal(literal, sizeof(literal)), budget_bytes);
	return sum == 1 ? EXIT_FAILURE : EXIT_SUCCESS;
}
