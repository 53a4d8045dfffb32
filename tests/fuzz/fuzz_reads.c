/* What a replica may serve: the first byte is the flags, the rest is the text.
 *
 * And what holds of any text: more names that are unsafe make no read of it, nor does another statement in front that is
 * none; what the scanner says alone agrees; without names nothing is a read; a transaction's modes are those of a text that
 * is one. */
#include "pgweir/check.h"
#include "pgweir/mem.h"
#include "pgweir/reads.h"

#include <string.h>

enum { FLAGS = SCAN_AMBIGUOUS_BYTES | SCAN_BACKSLASH_STRINGS };
#define NO_READ (SCAN_WRITES | SCAN_UNKNOWN | SCAN_SETS | SCAN_LOCKS | SCAN_BEGINS | SCAN_ENDS | SCAN_SEQUENCE_USE | SCAN_NOTIFIES)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void add(struct route_names *names, const char *name, bool safe)
{
	route_names_add_function(names, name, strlen(name), safe);
}

/* A few that are known, and with `worse` more that are unsafe. */
static struct route_names *make_names(bool worse)
{
	struct route_names *names = route_names_new();

	add(names, "f", true);
	add(names, "g", false);
	add(names, "h", !worse);
	route_names_add_relation(names, "v", 1);
	if (worse) {
		route_names_add_relation(names, "t", 1);
		route_names_add_operator(names, "@@", 2);
	}
	return names;
}

static enum route_reason judge(const char *text, size_t size, unsigned flags, const struct route_names *names)
{
	char name[SCAN_WORD_MAX + 1];
	enum route_reason reason = reads_judge(&(struct reads_question){ text, size, flags, names, name });

	CHECK(reason < ROUTE_REASONS && strlen(name) <= SCAN_WORD_MAX);
	return reason;
}

static void check_in_front(const char *text, size_t size, unsigned flags, const struct route_names *names, const char *front)
{
	size_t before = strlen(front);
	char *both = mem_alloc(before + size + 1);

	memcpy(both, front, before);
	if (size)
		memcpy(both + before, text, size);
	CHECK(judge(both, before + size, flags, names) != ROUTE_READ);
	mem_free(both);
}

static void check_transaction(const char *text, size_t size)
{
	unsigned modes = reads_transaction(text, size);
	unsigned kinds = modes & (READS_BEGINS | READS_SETS | READS_SETS_SESSION);

	CHECK(!modes || (kinds && !(kinds & (kinds - 1))));
	CHECK((modes & (READS_READ_ONLY | READS_READ_WRITE)) != (READS_READ_ONLY | READS_READ_WRITE));
	CHECK((modes & (READS_SERIALIZABLE | READS_ISOLATION)) != (READS_SERIALIZABLE | READS_ISOLATION));
	if (modes & READS_BEGINS)
		CHECK(scan_text(text, size, 0, NULL) & SCAN_BEGINS);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size < 1)
		return 0;
	const char *text = (const char *)bytes + 1;
	unsigned flags = bytes[0] & FLAGS;
	struct route_names *names = make_names(false), *worse = make_names(true);
	enum route_reason reason = judge(text, size - 1, flags, names);

	size--;
	if (judge(text, size, flags, worse) == ROUTE_READ)
		CHECK(reason == ROUTE_READ);
	CHECK(judge(text, size, flags, NULL) != ROUTE_READ);
	if (reason == ROUTE_READ || reason == ROUTE_HINT_REPLICA)
		CHECK(!(scan_text(text, size, flags, NULL) & NO_READ));
	check_in_front(text, size, flags, names, "DELETE FROM t;");
	check_in_front(text, size, flags, names, "SHOW a;");
	check_in_front(text, size, flags, names, "SELECT g() FROM v;");
	check_transaction(text, size);
	route_names_free(&names);
	route_names_free(&worse);
	return 0;
}
