/* What a text that is about to run may leave behind, as far as the list of functions tells.
 *
 * Failure story: without the list everything is kept that it will have to tell about, up to a limit; beyond that, and where
 * there is no text, all functions there are may have been called. */
#include <string.h>

#include "audit_internal.h"

enum { CALLED_MAX = 256 };

static void note_custom(const char *name, void *arg)
{
	struct audit_judging *judging = arg;

	custom_note_name(judging->session, name);
}

void audit_blame(struct audit_judging *judging, const struct functions_mark *mark, const char *name, size_t size)
{
	if (!judging->flags && size <= SCAN_WORD_MAX) {
		memcpy(judging->function, name, size);
		judging->function[size] = '\0';
	}
	judging->flags |= mark->flags;
	for (size_t i = 0; i < state_count(mark->custom); i++)
		note_custom(state_pairs(mark->custom)[i].name, judging);
}

/* As the client has set it, and as the server has reported it, which it does later, or of a SET in this transaction. */
static bool is_in_encoding(const struct session *session, const char *encoding)
{
	const char *set = state_get(session->settings, "client_encoding");
	const char *reported = parameters_get(&session->backend->server->parameters, "client_encoding");

	set = set ? set : state_get(session->baseline, "client_encoding");
	return set && reported && strcmp(set, encoding) == 0 && strcmp(reported, encoding) == 0;
}

/* Beyond ASCII a name's bytes are those of an encoding, and PostgreSQL cuts a long one at a character's end. */
static bool may_be_spelled_otherwise(const struct audit_judging *judging, const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (name[i] & 0x80)
			return size >= SCAN_WORD_MAX || !is_in_encoding(judging->session, judging->functions->encoding);
	return false;
}

void audit_judge_called(const char *name, size_t size, void *arg)
{
	struct audit_judging *judging = arg;
	const struct functions_mark *mark = judging->functions ? functions_find(judging->functions, name, size) : NULL;

	if (mark)
		audit_blame(judging, mark, name, size);
	else if (judging->functions && may_be_spelled_otherwise(judging, name, size))
		audit_judge_unread(judging);
	if (judging->functions)
		return;
	struct audit *audit = audit_of(judging->session);

	judging->flags |= FUNCTIONS_LEAVE;
	if (audit->called.size < CALLED_MAX)
		map_put(&audit->called, name, size, audit);
	else
		audit->unread = true;
}

void audit_judge_unread(struct audit_judging *judging)
{
	if (judging->functions) {
		audit_blame(judging, &judging->functions->any, "", 0);
		return;
	}
	audit_of(judging->session)->unread = true;
	judging->flags |= FUNCTIONS_LEAVE;
}

void audit_judge_writes(struct audit_judging *judging)
{
	if (judging->functions) {
		if (judging->functions->on_write.flags)
			audit_blame(judging, &judging->functions->on_write, "", 0);
		return;
	}
	audit_of(judging->session)->wrote = true;
	judging->flags |= FUNCTIONS_LEAVE;
}

static void judge_calls(struct audit_judging *judging, const char *text, size_t size)
{
	struct scan scan;

	scan_begin(&scan, session_scan_flags(judging->session, text, size));
	scan.called = audit_judge_called;
	scan.called_arg = judging;
	scan_feed(&scan, text, strnlen(text, size));
	scan_end(&scan);
}

/* DO, whose body is in the text, and CALL. */
static void judge_code(struct audit_judging *judging, const struct sql_run *run)
{
	struct scan_body body = { .called = audit_judge_called, .custom = note_custom, .arg = judging };

	scan_body(&body, run->text, strnlen(run->text, run->size));
	judging->flags |= FUNCTIONS_LEAVE | functions_flags_of(&body);
	if (body.defines && judging->functions && judging->functions->on_ddl.flags)
		audit_blame(judging, &judging->functions->on_ddl, "", 0);
}

static const char *text_of_statement(const struct session *session, const char *name)
{
	const struct statement_name *known = map_get_text(&session->names, name);

	return known ? known->statement->parse : state_statement(session->settings, name);
}

/* EXECUTE of a statement that has been prepared. */
static void judge_executes(struct audit_judging *judging, const struct sql_run *run)
{
	const struct session *session = judging->session;
	struct scan_names names;

	scan_text(run->text, strnlen(run->text, run->size), session_scan_flags(session, run->text, run->size), &names);
	for (unsigned i = 0; i < names.count; i++) {
		if (names.list[i].effect != SCAN_EXECUTES)
			continue;
		const char *text = text_of_statement(session, names.list[i].text);

		if (text)
			judge_calls(judging, text, strlen(text));
		else
			audit_judge_unread(judging);
		audit_judge_writes(judging);
	}
	if (names.lost)
		audit_judge_unread(judging);
}

/* BEGIN and its like alone, which the scanner counts among what writes. */
static bool only_brackets(const struct sql_run *run, uint32_t effects)
{
	uint32_t brackets = SCAN_BEGINS | SCAN_ENDS | SCAN_SAVEPOINTS;
	size_t size = strnlen(run->text, run->size);

	while (size && strchr("; \t\r\n", run->text[size - 1]))
		size--;
	/* Beyond those of the scanner, callers have marks of their own. */
	effects &= SCAN_CALLS_SET_CONFIG * 2 - 1;
	return effects & brackets && !(effects & ~(brackets | SCAN_WRITES)) && !memchr(run->text, ';', size);
}

void audit_judge(struct audit_judging *judging, const struct sql_run *run, uint32_t effects)
{
	if (!run || run->size == 0) {
		if (effects & (SCAN_RUNS_CODE | SCAN_CALLS | SCAN_EXECUTES))
			audit_judge_unread(judging);
		audit_judge_writes(judging);
		return;
	}
	if (effects & SCAN_RUNS_CODE)
		judge_code(judging, run);
	else if (effects & SCAN_CALLS)
		judge_calls(judging, run->text, run->size);
	if (effects & SCAN_EXECUTES)
		judge_executes(judging, run);
	if ((effects & SCAN_WRITES || judging->flags & FUNCTIONS_WRITE) && !only_brackets(run, effects))
		audit_judge_writes(judging);
}
