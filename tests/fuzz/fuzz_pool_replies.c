/* What a server says to what it was asked: told to the borrower alike in one piece and in many, never more than was
 * said, and never anything behind what was broken.
 *
 * Input: one byte, how many requests; a byte for each, kind and flags; one byte, the size of the pieces; then what the
 * server says. */
#include "pgweir/backend.h"
#include "pgweir/mem.h"
#include "pgweir/pool.h"

enum { REQUESTS_MAX = 16, PIECE_MAX = 64, KINDS = REQUEST_LOCAL_CLOSE };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct input {
	const uint8_t *asked;
	size_t asked_count;
	const char *said;
	size_t said_size;
};

/* What the borrower of one connection has heard. */
struct borrower {
	struct backend *backend;
	struct buf calls, passed;
	bool good;
};

static struct pool_share share;
static struct statement_table table;

static void on_pass(void *owner, const char *bytes, size_t size)
{
	struct borrower *borrower = owner;

	buf_append(&borrower->passed, bytes, size);
}

static void on_flush(void *owner)
{
	(void)owner;
}

/* Where a call stands between the bytes matters only if something of ours goes out with it. */
static void note(struct borrower *borrower, const char *call, const struct request *request)
{
	bool puts_bytes = strcmp(call, "local") == 0 || strcmp(call, "error") == 0;

	CHECK(request->kind <= KINDS);
	buf_printf(&borrower->calls, "%zu %s %u %u %s\n", puts_bytes ? borrower->passed.size : 0, call, request->kind,
		request->flags, request->name ? request->name->text : "");
}

static void on_local(void *owner, const struct request *request)
{
	CHECK(request->kind == REQUEST_LOCAL_PARSE || request->kind == REQUEST_LOCAL_CLOSE);
	note(owner, "local", request);
}

static void on_undone(void *owner, const struct request *request)
{
	CHECK(request->kind != REQUEST_SYNC && request->kind != REQUEST_NONE);
	note(owner, "undone", request);
}

static bool on_error(void *owner, const struct request *request, const char *body, size_t size)
{
	const char *code = wire_error_field(body, size, 'C');

	note(owner, "error", request);
	return code && code[0] == '0';
}

static void on_tag(void *owner, const char *tag)
{
	struct borrower *borrower = owner;

	buf_append_cstring(&borrower->calls, tag);
}

static void on_ready(void *owner, const struct request *request, char status)
{
	struct borrower *borrower = owner;

	CHECK(status == 'I' || status == 'T' || status == 'E');
	CHECK(borrower->backend->status == status && borrower->backend->copy == BACKEND_COPY_NONE);
	note(owner, "ready", request);
}

/* There is no connection that could have an event. */
static bool on_notification(void *owner, const char *message, size_t size)
{
	(void)owner;
	CHECK(size == wire_message_size(message));
	return true;
}

static const struct backend_sink sink = {
	.notification = on_notification,
	.pass = on_pass, .flush = on_flush, .local = on_local, .undone = on_undone, .error = on_error, .tag = on_tag,
	.ready = on_ready,
};

/* Requests that may have one have a name, and what a Parse will prepare is noted as prepared, as sessions do it. */
static void ask(struct backend *backend, uint8_t byte)
{
	enum request_kind kind = (enum request_kind)(1 + (byte & 15) % KINDS);
	uint8_t flags = byte >> 4 & (REQUEST_INJECTED | REQUEST_SETUP | REQUEST_UNNAMED);
	struct statement_name *name = NULL;

	if ((kind == REQUEST_PARSE || kind == REQUEST_CLOSE || kind == REQUEST_LOCAL_PARSE) && byte & 128) {
		name = statement_name_new("s", statement_intern(&table, "", 0, (const char *)&byte, 1));
		if (kind == REQUEST_PARSE)
			prepared_add(&backend->prepared, name->statement);
	}
	backend_request(backend, kind, flags, name);
	statement_name_unref(&name);
}

/* Each piece lies in memory of its own size, which is gone before the next one comes. */
static void run(struct borrower *borrower, const struct input *input, size_t piece)
{
	struct server *server = NEW(struct server);

	conn_init(&server->conn, -1);
	borrower->backend = backend_new(server, &share);
	borrower->backend->sink = &sink;
	borrower->backend->owner = borrower;
	borrower->backend->state = BACKEND_LENT;
	for (size_t i = 0; i < input->asked_count; i++)
		ask(borrower->backend, input->asked[i]);
	borrower->good = true;
	for (size_t at = 0; borrower->good && at < input->said_size; at += piece) {
		size_t size = input->said_size - at < piece ? input->said_size - at : piece;
		char *exact = mem_dup(input->said + at, size);

		borrower->good = backend_receive(borrower->backend, exact, size);
		mem_free(exact);
	}
	CHECK(borrower->passed.size <= input->said_size);
	CHECK(requests_count(&borrower->backend->requests) <= input->asked_count);
}

static void borrower_fini(struct borrower *borrower)
{
	backend_free(&borrower->backend);
	buf_fini(&borrower->calls);
	buf_fini(&borrower->passed);
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t count = size ? bytes[0] % (REQUESTS_MAX + 1) : 0;

	if (size < count + 2)
		return 0;
	size_t piece = 1 + bytes[1 + count] % PIECE_MAX;
	struct input input = { bytes + 1, count, (const char *)bytes + count + 2, size - count - 2 };
	struct borrower whole = { 0 }, pieces = { 0 };

	statement_table_init(&table);
	run(&whole, &input, input.said_size + 1);
	run(&pieces, &input, piece);
	CHECK(whole.good == pieces.good && same(&whole.calls, &pieces.calls) && same(&whole.passed, &pieces.passed));
	CHECK(whole.backend->said_fatal == pieces.backend->said_fatal && whole.backend->copy == pieces.backend->copy);
	if (whole.good)
		CHECK(backend_quiet(whole.backend) == backend_quiet(pieces.backend));
	borrower_fini(&whole);
	borrower_fini(&pieces);
	CHECK(table.by_key.size == 0);
	statement_table_fini(&table);
	return 0;
}
