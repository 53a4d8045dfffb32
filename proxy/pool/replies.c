/* What a server may say, and when.
 *
 * Failure story: a message of an unknown type, of an impossible length, or in answer to something that was not asked
 * means that we no longer know what the bytes mean. There is no way back: backend_receive() returns false and the
 * connection is closed. */
#include <stdatomic.h>
#include <string.h>

#include "pgweir/backend.h"
#include "pgweir/mem.h"
#include "reports.h"
#include "unanswered.h"

enum verdict { VERDICT_PASS, VERDICT_SWALLOW, VERDICT_BROKEN };

struct reply_rule {
	const char *name;
	uint32_t largest;       /* Bytes, header included. 0: there is no such message. */
	uint32_t looked_at;     /* How many of them must be there before the message is dealt with; the rest may arrive later. */
	uint32_t answers;       /* Bits of enum request_kind; ANY: also unasked. */
	uint32_t ends;          /* The kinds of which a request is answered with it. */
	enum verdict (*handle)(struct backend *backend, const char *message, size_t size);
};

#define HEADER WIRE_HEADER_SIZE
#define WHOLE UINT32_MAX
#define BIT(kind) REQUEST_BIT(kind)
#define ANY UINT32_MAX
#define RUNS (BIT(REQUEST_QUERY) | BIT(REQUEST_EXECUTE))

static enum verdict handle_parsed(struct backend *backend, const char *message, size_t size);
static enum verdict handle_row(struct backend *backend, const char *message, size_t size);
static enum verdict handle_error(struct backend *backend, const char *message, size_t size);
static enum verdict handle_tag(struct backend *backend, const char *message, size_t size);
static enum verdict handle_parameter(struct backend *backend, const char *message, size_t size);
static enum verdict handle_ready(struct backend *backend, const char *message, size_t size);
static enum verdict handle_copy(struct backend *backend, const char *message, size_t size);
static enum verdict handle_notification(struct backend *backend, const char *message, size_t size);

static const struct reply_rule rules[256] = {
	['1'] = { "ParseComplete", 5, HEADER, BIT(REQUEST_PARSE), BIT(REQUEST_PARSE), handle_parsed },
	['2'] = { "BindComplete", 5, HEADER, BIT(REQUEST_BIND), BIT(REQUEST_BIND), NULL },
	['3'] = { "CloseComplete", 5, HEADER, BIT(REQUEST_CLOSE), BIT(REQUEST_CLOSE), NULL },
	['A'] = { "NotificationResponse", 65536, WHOLE, ANY, 0, handle_notification },
	['C'] = { "CommandComplete", 256, WHOLE, RUNS, BIT(REQUEST_EXECUTE), handle_tag },
	['D'] = { "DataRow", WIRE_MESSAGE_MAX, HEADER, RUNS, 0, NULL },
	['E'] = { "ErrorResponse", WIRE_MESSAGE_MAX, 65536, ANY, 0, handle_error },
	['G'] = { "CopyInResponse", 65536, HEADER, RUNS, 0, handle_copy },
	['H'] = { "CopyOutResponse", 65536, HEADER, RUNS, 0, handle_copy },
	['I'] = { "EmptyQueryResponse", 5, HEADER, RUNS, BIT(REQUEST_EXECUTE), NULL },
	['N'] = { "NoticeResponse", WIRE_MESSAGE_MAX, HEADER, ANY, 0, NULL },
	['S'] = { "ParameterStatus", 1 << 20, WHOLE, ANY, 0, handle_parameter },
	['T'] = { "RowDescription", WIRE_MESSAGE_MAX, HEADER, RUNS | BIT(REQUEST_DESCRIBE), BIT(REQUEST_DESCRIBE), NULL },
	['V'] = { "FunctionCallResponse", WIRE_MESSAGE_MAX, HEADER, BIT(REQUEST_FUNCTION_CALL), 0, NULL },
	['W'] = { "CopyBothResponse", 65536, HEADER, RUNS, 0, handle_copy },
	['Z'] = { "ReadyForQuery", 6, WHOLE, REQUESTS_MADE_READY, 0, handle_ready },
	['c'] = { "CopyDone", 5, HEADER, RUNS, 0, NULL },
	['d'] = { "CopyData", WIRE_MESSAGE_MAX, HEADER, RUNS, 0, NULL },
	['n'] = { "NoData", 5, HEADER, BIT(REQUEST_DESCRIBE), BIT(REQUEST_DESCRIBE), NULL },
	['s'] = { "PortalSuspended", 5, HEADER, BIT(REQUEST_EXECUTE), BIT(REQUEST_EXECUTE), NULL },
	['t'] = { "ParameterDescription", WIRE_MESSAGE_MAX, HEADER, BIT(REQUEST_DESCRIBE), 0, NULL },
};

/* The rows of what we have asked ourselves are few and small. */
static const struct reply_rule own_row = { "DataRow", 1 << 20, WHOLE, RUNS, 0, handle_row };

static enum verdict handle_parsed(struct backend *backend, const char *message, size_t size)
{
	struct statement_name *name = requests_at(&backend->requests, 0)->name;

	(void)message;
	(void)size;
	if (name)
		atomic_store_explicit(&name->statement->proven, true, memory_order_relaxed);
	return VERDICT_PASS;
}

static enum verdict handle_row(struct backend *backend, const char *message, size_t size)
{
	if (!backend->mute)
		backend->sink->row(backend->owner, message, size);
	return VERDICT_PASS;
}

static bool is_fatal(const char *severity)
{
	return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static enum verdict handle_error(struct backend *backend, const char *message, size_t size)
{
	const char *body = message + WIRE_HEADER_SIZE;
	size_t body_size = size - WIRE_HEADER_SIZE;
	const char *severity = wire_error_field(body, body_size, 'V');
	struct request request = *requests_first(&backend->requests);

	if (!severity)
		severity = wire_error_field(body, body_size, 'S');
	if (is_fatal(severity))
		backend->said_fatal = true;
	if (request.kind == REQUEST_NONE && !backend->said_fatal)
		return VERDICT_BROKEN;
	if (backend->failed && !backend->said_fatal)
		return VERDICT_BROKEN;
	bool swallow = !backend->mute && backend->sink->error(backend->owner, &request, body, body_size);

	backend->copy = BACKEND_COPY_NONE;
	bool simple = request.kind == REQUEST_QUERY || request.kind == REQUEST_FUNCTION_CALL;

	if (simple)
		backend->failed = true;
	else if (!backend->said_fatal)
		unanswered_undo_until_sync(backend);
	return swallow ? VERDICT_SWALLOW : VERDICT_PASS;
}

static enum verdict handle_tag(struct backend *backend, const char *message, size_t size)
{
	const char *tag = message + WIRE_HEADER_SIZE;

	if (size <= WIRE_HEADER_SIZE || message[size - 1] != '\0')
		return VERDICT_BROKEN;
	if (tag[0] == 'D' && (strcmp(tag, "DISCARD ALL") == 0 || strcmp(tag, "DEALLOCATE ALL") == 0))
		prepared_clear(&backend->prepared);
	if (!backend->mute && !(requests_first(&backend->requests)->flags & REQUEST_INJECTED))
		backend->sink->tag(backend->owner, tag);
	return VERDICT_PASS;
}

static enum verdict handle_parameter(struct backend *backend, const char *message, size_t size)
{
	const char *name = message + WIRE_HEADER_SIZE;
	const char *name_end = memchr(name, '\0', size - WIRE_HEADER_SIZE);

	if (!name_end || message[size - 1] != '\0' || name_end + 1 >= message + size)
		return VERDICT_BROKEN;
	return backend_reported(backend, name, name_end + 1) ? VERDICT_SWALLOW : VERDICT_PASS;
}

static enum verdict handle_copy(struct backend *backend, const char *message, size_t size)
{
	(void)size;
	switch (message[0]) {
	case 'G':
		unanswered_drop_syncs_inside_copy(backend);
		backend->copy = unanswered_take_copy_end(&backend->requests) ? BACKEND_COPY_NONE : BACKEND_COPY_IN;
		break;
	case 'H':
		backend->copy = BACKEND_COPY_OUT;
		break;
	default:
		if (!backend->replication)
			return VERDICT_BROKEN;
		backend->copy = BACKEND_COPY_BOTH;
	}
	return VERDICT_PASS;
}

static enum verdict handle_notification(struct backend *backend, const char *message, size_t size)
{
	/* Also during our own queries. */
	if (backend->mute || !backend->sink->notification(backend->owner, message, size))
		return VERDICT_SWALLOW;
	return VERDICT_PASS;
}

static enum verdict handle_ready(struct backend *backend, const char *message, size_t size)
{
	char status = size > WIRE_HEADER_SIZE ? message[WIRE_HEADER_SIZE] : '\0';
	struct request request = *requests_first(&backend->requests);

	if (status != 'I' && status != 'T' && status != 'E')
		return VERDICT_BROKEN;
	backend->status = status;
	backend->failed = false;
	backend->copy = BACKEND_COPY_NONE;
	requests_pop(&backend->requests);
	/* Only these: an answer of our own to what follows must not overtake this message. */
	while (requests_first_kind(&backend->requests) == REQUEST_COPY_END)
		requests_pop(&backend->requests);
	backend->sink->ready(backend->owner, &request, status);
	if (backend->reports_of)
		backend_reports_end(backend);
	return request.flags & REQUEST_INJECTED ? VERDICT_SWALLOW : VERDICT_PASS;
}

/* One message, present as far as its rule asks. A request of the simple protocol ends with ReadyForQuery only. */
static enum verdict handle(struct backend *backend, const struct reply_rule *rule, const char *message, size_t size)
{
	struct request first = *requests_first(&backend->requests);
	enum verdict verdict = VERDICT_PASS;

	if (!(BIT(first.kind) & rule->answers) || (backend->failed && rule->answers != ANY && message[0] != 'Z'))
		return VERDICT_BROKEN;
	if (rule->handle)
		verdict = rule->handle(backend, message, size);
	if (verdict == VERDICT_BROKEN)
		return verdict;
	if (BIT(first.kind) & rule->ends)
		requests_pop(&backend->requests);
	/* The error of a Parse that we put in front is the answer to the client's message behind it. */
	bool ours = first.flags & REQUEST_INJECTED && message[0] != 'A'
		&& (message[0] != 'E' || first.flags & (REQUEST_SETUP | REQUEST_TRY));

	return ours || backend->mute ? VERDICT_SWALLOW : verdict;
}

/* How much of the message must be there, or 0 if there can be no such message. */
static size_t wanted_size(const struct reply_rule *rule, size_t whole)
{
	if (whole < WIRE_HEADER_SIZE || whole > rule->largest)
		return 0;
	return whole < rule->looked_at ? whole : rule->looked_at;
}

/* Bytes that go to the client as they came, gathered so that a row costs no call. */
struct run {
	const char *from;
	size_t size;
};

static void pass_run(struct backend *backend, struct run *run)
{
	if (run->size)
		backend->sink->pass(backend->owner, run->from, run->size);
	run->size = 0;
}

static void extend_run(struct run *run, const char *bytes, size_t size)
{
	if (run->size == 0)
		run->from = bytes;
	run->size += size;
}

/* The rest of a message whose start has been dealt with. Returns its part of these bytes. */
static size_t continue_message(struct backend *backend, struct run *run, const char *bytes, size_t size)
{
	size_t part = size < backend->pass_left ? size : backend->pass_left;

	if (!backend->pass_swallow)
		extend_run(run, bytes, part);
	else
		pass_run(backend, run);
	backend->pass_left -= part;
	return part;
}

static const struct reply_rule *rule_for(const struct request *first, char type)
{
	return type == 'D' && first->flags & REQUEST_READ ? &own_row : &rules[(unsigned char)type];
}

/* Answers of our own have their turn before this message. */
static void make_way(struct backend *backend, struct run *run, const struct reply_rule *rule, char type)
{
	if (backend->skipping && type == 'Z')
		unanswered_stop_skipping(backend);
	bool interjected = type == 'A' || (type == 'Z' && (backend->interjects || backend->reports_due));

	if (requests_first_kind(&backend->requests) < REQUEST_COPY_END && type != 'E' && !interjected)
		return;
	pass_run(backend, run);
	/* A notice may belong to what comes behind. */
	if (rule->answers != ANY || type == 'E' || type == 'N')
		unanswered_settle(backend);
}

/* Returns how many bytes were dealt with, or -1. */
static ssize_t walk(struct backend *backend, const char *bytes, size_t size)
{
	struct run run = { 0 };
	size_t at = backend->pass_left ? continue_message(backend, &run, bytes, size) : 0;
	enum verdict verdict = VERDICT_PASS;

	while (size - at >= WIRE_HEADER_SIZE) {
		const char *message = bytes + at;
		const struct request *first = requests_first(&backend->requests);
		const struct reply_rule *rule = rule_for(first, message[0]);
		size_t left = size - at, whole = wire_message_size(message), wanted = wanted_size(rule, whole);

		if (wanted == 0)
			verdict = VERDICT_BROKEN;
		if (wanted == 0 || left < wanted)
			break;
		if (first->kind >= REQUEST_COPY_END || message[0] == 'E' || message[0] == 'A' || backend->skipping || backend->interjects
			|| backend->reports_due)
			make_way(backend, &run, rule, message[0]);
		verdict = handle(backend, rule, message, wanted);
		if (verdict == VERDICT_BROKEN)
			break;
		backend->pass_left = whole;
		backend->pass_swallow = verdict == VERDICT_SWALLOW;
		at += continue_message(backend, &run, message, left);
	}
	pass_run(backend, &run);
	if (verdict == VERDICT_BROKEN)
		return -1;
	/* Behind a Flush nothing more may come. */
	if (backend->flushes)
		backend_settle(backend);
	return (ssize_t)at;
}

/* From the start of a message that is there in part to a whole one, and on. */
static ssize_t walk_held(struct backend *backend, const char *bytes, size_t size)
{
	struct buf *held = &backend->held;

	buf_append(held, bytes, size);
	ssize_t used = walk(backend, held->bytes, held->size);

	backend->sink->flush(backend->owner);
	if (used > 0)
		buf_drop_front(held, (size_t)used);
	if (held->size == 0)
		buf_fini(held);
	return used;
}

bool backend_receive(struct backend *backend, const char *bytes, size_t size)
{
	if (backend->held.size)
		return walk_held(backend, bytes, size) >= 0;
	ssize_t used = walk(backend, bytes, size);

	if (used >= 0 && (size_t)used < size)
		buf_append(&backend->held, bytes + used, size - (size_t)used);
	return used >= 0;
}

bool backend_quiet(const struct backend *backend)
{
	return backend->requests.count == 0 && !backend->unsynced && backend->status == 'I' && backend->pass_left == 0
		&& backend->held.size == 0;
}

bool backend_will_end(const struct backend *backend)
{
	return !backend->unsynced && backend->copy != BACKEND_COPY_IN && backend->copy != BACKEND_COPY_BOTH;
}
