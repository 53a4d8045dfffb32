/* What two runs of a statement have in common. */
#include "pgweir/scan_body.h"
#include "pgweir/scan_tokens.h"

static bool is_literal(struct scan_token token)
{
	switch (token.part) {
	case SCAN_PART_STRING:
	case SCAN_PART_ESCAPED:
	case SCAN_PART_DOLLAR:
		return true;
	case SCAN_PART_WORD:
		return *token.at >= '0' && *token.at <= '9';
	default:
		return false;
	}
}

void scan_fingerprint(const char *text, size_t size, struct buf *out)
{
	const char *end = text + size, *last = text;

	for (struct scan_token token = scan_token_next(text, end); token.part != SCAN_PART_END; token = scan_token_next(last, end)) {
		if (token.at > last && out->size)
			buf_append_char(out, ' ');
		if (is_literal(token))
			buf_append_char(out, '?');
		else
			buf_append(out, token.at, (size_t)(token.end - token.at));
		last = token.end;
	}
}
