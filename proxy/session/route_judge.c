/* What a text is, for routing: a read, the beginning of a READ ONLY transaction, or the primary's. */
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "audit_internal.h"
#include "pgweir/map.h"
#include "pgweir/reads.h"
#include "pgweir/scan_body.h"
#include "route.h"
#include "session_internal.h"

/* What the catalog says about names, and by what it is known again; NULL: not known yet. */
static const struct route_names *names_of(const struct session *session, uint64_t *serial)
{
	audit_adopt(session->share);
	const struct functions *functions = audit_functions(session);

	if (!functions || !functions->names)
		return NULL;
	*serial = (functions->serial << 20) + atomic_load_explicit(&session->route->home->serial, memory_order_relaxed);
	return functions->names;
}

uint64_t route_fingerprint(const char *text, size_t size)
{
	struct buf out = { 0 };

	scan_fingerprint(text, strnlen(text, size), &out);
	uint64_t hash = map_hash(out.bytes, out.size);

	buf_fini(&out);
	return hash;
}

/* --- Transactions --- */

static bool default_is(const struct session *session, const char *setting, const char *value)
{
	const char *now = state_get(session->settings, setting);

	return now && strcmp(now, value) == 0;
}

bool route_is_serializable(const struct session *session)
{
	return default_is(session, "default_transaction_isolation", "serializable");
}

static unsigned judge_beginning(const struct session *session, const char *text, size_t size)
{
	unsigned modes = reads_transaction(text, size);
	bool read_only = modes & READS_READ_ONLY
		|| (!(modes & READS_READ_WRITE) && default_is(session, "default_transaction_read_only", "on"));

	if (!(modes & READS_BEGINS))
		return ROUTE_TRANSACTION;
	if (modes & READS_SERIALIZABLE)
		return ROUTE_SERIALIZABLE;
	/* A statement whose Parse would pin the session must not pin it to a replica. */
	return read_only && session->tracks_statements ? ROUTE_READ_ONLY : ROUTE_TRANSACTION;
}

/* --- Texts --- */

static unsigned judge(const struct session *session, const char *text, size_t size, const struct route_names *names)
{
	struct reads_question question = {
		.text = text, .size = size, .scan_flags = session_scan_flags(session, text, size), .names = names,
	};

	return reads_judge(&question);
}

static bool is_remembered(const struct session *session, const char *text, size_t size)
{
	const struct route_home *home = session->route->home;

	return atomic_load_explicit(&home->serial, memory_order_relaxed)
		&& route_home_remembers(home, route_fingerprint(text, size), session->worker->now_us);
}

/* In prefer-replica what does not show that it writes may try: a replica does not let it. */
static bool may_try(unsigned cause)
{
	switch (cause) {
	case ROUTE_VOLATILE_FUNCTION:
	case ROUTE_UNKNOWN_FUNCTION:
	case ROUTE_UNSAFE_RELATION:
	case ROUTE_UNSAFE_OPERATOR:
	case ROUTE_UNSAFE_EVERYWHERE:
	case ROUTE_NAMES_NOT_LOADED:
		return true;
	default:
		return false;
	}
}

static unsigned in_mode(const struct session *session, unsigned cause)
{
	return session->routing == ROUTING_PREFER_REPLICA && may_try(cause) ? ROUTE_NOT_WRITING : cause;
}

unsigned route_judge_text(struct session *session, const char *text, size_t size)
{
	uint64_t serial = 0;
	const struct route_names *names = names_of(session, &serial);

	size = strnlen(text, size);
	uint8_t *kept = !names ? NULL : text_cache_cause(session_relay(session)->texts, text, size, session_scan_flags(session, text, size), serial);

	if (kept && *kept)
		return in_mode(session, *kept - 1u);
	unsigned cause = judge(session, text, size, names);

	if (cause == ROUTE_TRANSACTION)
		return judge_beginning(session, text, size);
	if ((route_cause_allows_replica(cause) || may_try(cause)) && is_remembered(session, text, size))
		return ROUTE_REMEMBERED;
	if (kept)
		*kept = (uint8_t)(cause + 1);
	return in_mode(session, cause);
}

unsigned route_judge_statement(struct session *session, struct statement *statement)
{
	uint64_t serial = 0;
	const struct route_names *names = names_of(session, &serial);
	uint64_t known = atomic_load_explicit(&statement->route, memory_order_relaxed);

	if (names && known >> 8 == serial)
		return in_mode(session, known & 0xff);
	unsigned cause = judge(session, statement->parse, strnlen(statement->parse, statement->parse_size), names);

	if (cause == ROUTE_TRANSACTION)
		return judge_beginning(session, statement->parse, strnlen(statement->parse, statement->parse_size));
	if (is_remembered(session, statement->parse, statement->parse_size))
		return ROUTE_REMEMBERED;
	if (names)
		atomic_store_explicit(&statement->route, serial << 8 | cause, memory_order_relaxed);
	return in_mode(session, cause);
}

/* --- What runs in a READ ONLY transaction on a replica --- */

static bool mentions_advisory(const char *text, size_t size)
{
	static const char word[] = "advisory";

	for (size_t i = 0; i + sizeof(word) - 1 <= size; i++)
		if ((text[i] | 32) == 'a' && strncasecmp(text + i, word, sizeof(word) - 1) == 0)
			return true;
	return false;
}

bool route_forbids(const struct sql_run *run)
{
	return run->effects & (SCAN_HOLDS | SCAN_LOADS | SCAN_SEEDS | SCAN_LOCKS | SCAN_UNLOCKS)
		|| (run->effects & (SCAN_CALLS | SCAN_UNKNOWN) && run->text && mentions_advisory(run->text, run->size));
}

/* --- What runs on the primary --- */

/* BEGIN and its like, and SET, by themselves. */
static bool only_brackets(const struct sql_run *run)
{
	uint32_t brackets = SCAN_BEGINS | SCAN_ENDS | SCAN_SAVEPOINTS | SCAN_SETS | SCAN_SETS_LOCAL;
	uint32_t effects = run->effects & (SCAN_CALLS_SET_CONFIG * 2 - 1);
	size_t size = strnlen(run->text, run->size);

	while (size && strchr("; \t\r\n", run->text[size - 1]))
		size--;
	return effects & brackets && !(effects & ~(brackets | SCAN_WRITES)) && !memchr(run->text, ';', size);
}

void route_note_run(struct session *session, const struct sql_run *run)
{
	if (session->may_write)
		return;
	if (!run || !run->text || !run->size || session->long_text) {
		session->may_write = true;
		return;
	}
	if (only_brackets(run))
		return;
	unsigned cause = run->statement ? route_judge_statement(session, run->statement)
		: route_judge_text(session, run->text, run->size);

	session->may_write = !(cause == ROUTE_READ || cause == ROUTE_HINT_REPLICA || cause == ROUTE_SHOW || cause == ROUTE_EMPTY);
}
