/* Reads, told from what the scanner has seen.
 *
 * Failure story: what is not understood is the primary's. */
#include "pgweir/reads.h"

#include <string.h>
#include <strings.h>

#include "pgweir/check.h"

#define SESSION (SCAN_SETS | SCAN_SETS_LOCAL | SCAN_SETS_CUSTOM | SCAN_CALLS_SET_CONFIG | SCAN_PREPARES | SCAN_DEALLOCATES | SCAN_HOLDS \
	| SCAN_LOADS | SCAN_DISCARDS | SCAN_TEMPORARY | SCAN_SEEDS)

/* --- While the text is scanned --- */

static void doubt(struct reads *reads, enum route_reason reason, const char *name, size_t size)
{
	if (reads->doubt != ROUTE_READ)
		return;
	reads->doubt = reason;
	memcpy(reads->name, name, size);
	reads->name[size] = '\0';
}

/* Words that have a parenthesis behind them and are no functions, unless somebody has made one of that name, which the
 * catalog then has: OPERATOR(s.+), AS NOT MATERIALIZED (…), FETCH FIRST ($1) ROWS, TABLESAMPLE … REPEATABLE (1), JSON_TABLE. */
static bool is_syntax(const char *name, size_t size)
{
	static const char *const words[] = {
		"columns", "first", "json_exists", "json_query", "json_scalar", "json_serialize", "json_table", "json_value", "materialized",
		"next", "operator", "repeatable",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == size && memcmp(words[i], name, size) == 0)
			return true;
	return false;
}

static void note_call(const char *name, size_t size, void *arg)
{
	struct reads *reads = arg;

	switch (route_names_function(reads->names, name, size)) {
	case ROUTE_FUNCTION_SAFE:
		break;
	case ROUTE_FUNCTION_UNSAFE:
		doubt(reads, ROUTE_VOLATILE_FUNCTION, name, size);
		break;
	case ROUTE_FUNCTION_UNKNOWN:
		if (!is_syntax(name, size))
			doubt(reads, ROUTE_UNKNOWN_FUNCTION, name, size);
		break;
	}
}

static void note_mention(const char *name, size_t size, void *arg)
{
	struct reads *reads = arg;

	if (!route_names_has_relation(reads->names, name, size))
		return;
	/* As an attribute, a function is called without parentheses: t.f, (1).f */
	bool function = route_names_function(reads->names, name, size) == ROUTE_FUNCTION_UNSAFE;

	doubt(reads, function ? ROUTE_VOLATILE_FUNCTION : ROUTE_UNSAFE_RELATION, name, size);
}

void reads_begin(struct reads *reads, struct scan *scan, const struct route_names *names)
{
	reads->names = names;
	reads->doubt = names ? ROUTE_READ : ROUTE_NAMES_NOT_LOADED;
	reads->name[0] = '\0';
	if (!names)
		return;
	scan->called = note_call;
	scan->called_arg = reads;
	scan->filter = route_names_filter(names);
	scan->mentioned = note_mention;
}

/* --- Hints --- */

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* Behind the word, or NULL. */
static const char *skip_word(const char *at, const char *end, const char *word)
{
	size_t size = strlen(word);

	return (size_t)(end - at) >= size && strncasecmp(at, word, size) == 0 ? at + size : NULL;
}

static bool comment_ends(const char *at, const char *end)
{
	at = skip_blanks(at, end);
	return at == end || *at == '\n' || *at == '\r' || (*at == '*' && end - at >= 2 && at[1] == '/');
}

/* ROUTE_READ: there is none. */
static enum route_reason hint(const char *comment, const char *end)
{
	const char *at = skip_word(skip_blanks(comment, end), end, "pgweir");
	const char *word;

	if (!at)
		return ROUTE_READ;
	at = skip_blanks(at, end);
	if (at == end || *at != ':')
		return ROUTE_READ;
	at = skip_blanks(at + 1, end);
	if ((word = skip_word(at, end, "primary")) && comment_ends(word, end))
		return ROUTE_HINT_PRIMARY;
	if ((word = skip_word(at, end, "replica")) && comment_ends(word, end))
		return ROUTE_HINT_REPLICA;
	return ROUTE_HINT_UNKNOWN;
}

/* --- When all of it has been seen --- */

/* In this order: what comes first says most. Statements that are none of those that read have SCAN_WRITES besides. */
static const struct {
	uint32_t effects, facts;
	enum route_reason reason;
} rows[] = {
	{ SCAN_UNKNOWN, SCAN_LONG_NAMES, ROUTE_UNKNOWN_TEXT },
	{ SCAN_BEGINS | SCAN_ENDS | SCAN_SAVEPOINTS, 0, ROUTE_TRANSACTION },
	{ SCAN_RUNS_CODE, 0, ROUTE_CODE },
	{ SCAN_EXECUTES, 0, ROUTE_EXECUTE },
	{ SCAN_CLOSES, SCAN_FETCHES, ROUTE_CURSOR },
	{ SCAN_LISTENS | SCAN_UNLISTENS | SCAN_NOTIFIES, 0, ROUTE_NOTIFICATION },
	{ SCAN_LOCKS | SCAN_UNLOCKS, 0, ROUTE_ADVISORY_LOCK },
	{ SESSION, 0, ROUTE_SESSION },
	{ 0, SCAN_LOCKS_ROWS, ROUTE_LOCKS_ROWS },
	{ SCAN_WRITES | SCAN_DROPS | SCAN_NEEDS_IDLE_DATABASE, 0, ROUTE_WRITES },
	{ SCAN_SEQUENCE_USE | SCAN_SEQUENCE_ASK, 0, ROUTE_SEQUENCE },
};

static enum route_reason certain(const struct scan *scan)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (scan->effects & rows[i].effects || scan->facts & rows[i].facts)
			return rows[i].reason;
	return scan->statements ? ROUTE_READ : ROUTE_EMPTY;
}

static enum route_reason doubtful(const struct reads *reads, const struct scan *scan, const char *text, size_t size)
{
	if (scan->facts & SCAN_SHOWS)
		return ROUTE_SHOW;
	if (reads->doubt != ROUTE_READ)
		return reads->doubt;
	if (route_names_unsafe_everywhere(reads->names))
		return ROUTE_UNSAFE_EVERYWHERE;
	return route_names_text_has_operator(reads->names, text, size) ? ROUTE_UNSAFE_OPERATOR : ROUTE_READ;
}

enum route_reason reads_end(struct reads *reads, const struct scan *scan, const char *text, size_t size)
{
	enum route_reason reason = certain(scan);
	enum route_reason hinted = scan->comment ? hint(scan->comment, text + size) : ROUTE_READ;

	if (reason == ROUTE_READ || hinted == ROUTE_HINT_PRIMARY)
		reason = hinted;
	if (reason == ROUTE_READ)
		reason = doubtful(reads, scan, text, size);
	if (reason != reads->doubt)
		reads->name[0] = '\0';
	return reason;
}

enum route_reason reads_judge(const struct reads_question *question)
{
	struct reads reads;
	struct scan scan;

	if (question->name)
		question->name[0] = '\0';
	if (question->size > READS_TEXT_MAX)
		return ROUTE_TOO_LONG;
	scan_begin(&scan, question->scan_flags);
	reads_begin(&reads, &scan, question->names);
	scan_feed(&scan, question->text, question->size);
	scan_end(&scan);
	enum route_reason reason = reads_end(&reads, &scan, question->text, question->size);

	if (question->name)
		memcpy(question->name, reads.name, sizeof(reads.name));
	return reason;
}
