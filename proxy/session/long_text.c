/* Texts longer than what is looked at before it is sent: they are scanned as they pass. */
#include <string.h>

#include "pgweir/mem.h"
#include "session_internal.h"
#include "text.h"

struct long_text {
	struct scan scan;
	struct scan_names names;
	bool ended;                     /* What comes behind its NUL is no text. */
	size_t seen;                    /* Of what comes next, this much has been. */
};

static void feed(struct long_text *text, const char *bytes, size_t size)
{
	size_t here = text->ended ? 0 : strnlen(bytes, size);

	scan_feed(&text->scan, bytes, here);
	text->ended |= here < size;
}

uint32_t session_long_text_begin(struct session *session, const char *text, size_t size, size_t seen)
{
	if (session->mode == POOL_MODE_SESSION)
		return 0;
	session->may_write = true;
	session->long_text = NEW(struct long_text);
	scan_begin(&session->long_text->scan, session->scan_flags);
	session->long_text->scan.names = &session->long_text->names;
	session->long_text->seen = seen;
	session->may_define |= text_may_define(&(struct sql_run){ .text = text, .size = size });
	session->long_text->scan.effects |= text_reading_is_unsure(session) ? SCAN_UNKNOWN : 0;
	feed(session->long_text, text, size);
	return session->long_text->scan.effects;
}

static void long_text_ends(struct session *session, struct long_text *text)
{
	uint32_t effects = scan_end(&text->scan);

	session->unnamed_effects = effects;
	if (!session->backend)
		return;
	sequences_used(session);
	text_note_effects(session, effects);
	if (effects & SCAN_EXECUTES)
		leftovers_doubt_all(session);
	session->reading_touched |= (effects & TEXT_SCOPE) != 0;
	if (session->audits)
		audit_run(session, NULL, effects);
	if (effects & (SCAN_SETS_CUSTOM | SCAN_UNKNOWN))
		custom_note_names(session, &text->names, NULL);
}

void session_long_text_goes_on(struct session *session, const char *bytes, size_t size, bool last)
{
	struct long_text *text = session->long_text;
	size_t again = size < text->seen ? size : text->seen;

	text->seen -= again;
	feed(text, bytes + again, size - again);
	if (!last)
		return;
	long_text_ends(session, text);
	session_long_text_drop(session);
}

void session_long_text_drop(struct session *session)
{
	mem_free(session->long_text);
	session->long_text = NULL;
}
