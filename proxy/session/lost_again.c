/* A transaction that is begun on one server and goes on on another.
 *
 * One that has answered nothing but its BEGIN has shown its client nothing, so that nobody can tell it from one that was begun
 * elsewhere. And of one that has failed nothing is left but how it was begun, which AND CHAIN hands on.
 *
 * Failure story: the texts that have begun it are kept as long as they are nothing else, and understood. Where they are not it
 * is not begun again, and the client hears that it has failed. */
#include <string.h>
#include <strings.h>

#include "lost.h"
#include "lost_text.h"
#include "pgweir/reads.h"
#include "session_internal.h"

enum { BEGINNING_MAX = 512 };

/* What may say of the transaction what is not read here. */
#define MAY_SET (SCAN_SETS | SCAN_SETS_LOCAL | SCAN_CALLS_SET_CONFIG | SCAN_UNKNOWN | SCAN_RUNS_CODE)

static void add_text(struct buf *beginning, const char *text, size_t size)
{
	if (beginning->size + size > BEGINNING_MAX) {
		beginning->size = 0;
		return;
	}
	buf_append(beginning, text, size);
	/* Behind a comment, too. */
	buf_append(beginning, "\n;", 2);
}

/* Outside of a transaction, and nothing that is on its way runs anything for the client. */
static bool is_first(const struct backend *backend)
{
	uint32_t runs = REQUESTS_MADE_READY | REQUEST_BIT(REQUEST_EXECUTE);

	for (uint32_t i = 0; i < requests_count(&backend->requests); i++) {
		const struct request *request = requests_at(&backend->requests, i);

		if (!(request->flags & REQUEST_INJECTED) && REQUEST_BIT(request->kind) & runs)
			return false;
	}
	return backend->status == 'I';
}

/* What ends a transaction and begins another one hands on how it was begun, or says it anew. */
static void note_beginning(struct session *session, const struct sql_run *run, size_t size)
{
	struct buf *beginning = &session->backend->beginning;
	struct lost_text ending = run->effects & SCAN_ENDS ? lost_text_read(run->text, size) : (struct lost_text){ 0 };

	if (ending.chains && !ending.more)
		return;
	beginning->size = 0;
	session->only_begun = is_first(session->backend) && reads_transaction(run->text, size) & READS_BEGINS;
	if (session->only_begun)
		add_text(beginning, run->text, size);
}

/* SET TRANSACTION. */
static void note_set(struct buf *beginning, const char *text, size_t size)
{
	if (reads_transaction(text, size) & READS_SETS)
		add_text(beginning, text, size);
}

static bool may_be_set(const struct sql_run *run)
{
	const char *at = run->text, *end = at + run->size;

	while (at < end && strchr(" \t\r\n\f;", *at))
		at++;
	return at < end && strchr("Ss-/", *at);
}

void lost_note_transaction(struct session *session, const struct sql_run *run)
{
	struct buf *beginning = &session->backend->beginning;

	session->only_begun = false;
	if (!session->share->database->cluster->probe_user)
		return;
	if (!run->text || session->long_text || run->effects & MAY_SET)
		beginning->size = 0;
	else if (run->effects & SCAN_BEGINS)
		note_beginning(session, run, strnlen(run->text, run->size));
	else if (beginning->size && run->effects & SCAN_WRITES && may_be_set(run))
		note_set(beginning, run->text, strnlen(run->text, run->size));
}

bool lost_has_only_begun(const struct session *session)
{
	const struct backend *backend = session->backend;

	return session->only_begun && backend->beginning.size && backend->status == 'T' && !backend->unsynced
		&& requests_count(&backend->requests) == 0;
}

void lost_keep_beginning(struct session *session)
{
	if (session->lost >= LOST_BEGUN)
		return;
	buf_fini(&session->beginning);
	session->beginning = session->backend->beginning;
	session->backend->beginning = (struct buf){ 0 };
}

void lost_begin_again(struct session *session)
{
	struct buf sql = { 0 };

	buf_append(&sql, session->beginning.bytes, session->beginning.size);
	if (!session->beginning.size)
		buf_append_text(&sql, "BEGIN");
	own_query_put(session, &sql, REQUEST_SETUP, NULL);
	if (session->lost == LOST_FAILED) {
		buf_append_text(&sql, "pgweir lets a transaction fail as its client knows it");
		own_query_put(session, &sql, REQUEST_TRY, NULL);
	}
	buf_fini(&sql);
	session->state = SESSION_SETTING_UP;
	session->setup_kept = false;
}

/* What begins it on yet another server, should this one be lost as well. */
void lost_begun_again(struct session *session)
{
	struct buf *beginning = &session->backend->beginning;

	session->only_begun = session->lost == LOST_BEGUN;
	beginning->size = 0;
	buf_append(beginning, session->beginning.bytes, session->beginning.size);
	lost_ends(session);
}

void lost_not_begun(struct session *session)
{
	if (session->lost >= LOST_BEGUN)
		session->lost = LOST_TRANSACTION;
}
