/* Names of settings: of SET and RESET, and of calls of set_config, whose arguments are followed here.
 *
 * While a call is followed, it takes the place of the statement's step, so that texts without one pay nothing.
 *
 * Failure story: what is spelled in another way than the plain ones makes a name that is lost, and a setting that lasts. */
#include "scan_internal.h"

/* Where a call stands. */
enum {
	CALL_MENTIONED,         /* Its own token comes. */
	CALL_OPEN,              /* A parenthesis should. */
	CALL_NAME,              /* The first argument. */
	CALL_NAME_GIVEN,
	CALL_NAME_COLON, CALL_NAME_TYPE, CALL_NAME_CAST,        /* ::text */
	CALL_NAME_LOST,         /* A first argument that cannot be told. */
	CALL_VALUE,             /* The second argument. */
	CALL_LOCAL,             /* The third. */
	CALL_LOCAL_GIVEN,
	CALL_LOCAL_COLON, CALL_LOCAL_TYPE, CALL_LOCAL_CAST,     /* ::bool */
	CALL_ENDS,
};

/* Tokens as a call sees them. */
enum {
	SEEN_OTHER,
	SEEN_OPEN,
	SEEN_COMMA,             /* Between its arguments, not within one. */
	SEEN_CLOSE,             /* Its own. */
	SEEN_COLON,
	SEEN_STRING,
	SEEN_PARAMETER,
	SEEN_TRUE,
	SEEN_TEXT,
	SEEN_BOOLEAN,
};

/* What is not here leaves an argument that can be told, or stays within one that need not be. */
static const struct move {
	uint8_t call, seen, next;
} moves[] = {
	{ CALL_OPEN, SEEN_OPEN, CALL_NAME },
	{ CALL_NAME, SEEN_STRING, CALL_NAME_GIVEN },
	{ CALL_NAME, SEEN_PARAMETER, CALL_NAME_GIVEN },
	{ CALL_NAME_GIVEN, SEEN_COMMA, CALL_VALUE },
	{ CALL_NAME_GIVEN, SEEN_COLON, CALL_NAME_COLON },
	{ CALL_NAME_COLON, SEEN_COLON, CALL_NAME_TYPE },
	{ CALL_NAME_TYPE, SEEN_TEXT, CALL_NAME_CAST },
	{ CALL_NAME_CAST, SEEN_COMMA, CALL_VALUE },
	{ CALL_NAME_LOST, SEEN_COMMA, CALL_VALUE },
	{ CALL_VALUE, SEEN_COMMA, CALL_LOCAL },
	{ CALL_LOCAL, SEEN_TRUE, CALL_LOCAL_GIVEN },
	{ CALL_LOCAL, SEEN_STRING, CALL_LOCAL_GIVEN },
	{ CALL_LOCAL_GIVEN, SEEN_CLOSE, CALL_ENDS },
	{ CALL_LOCAL_GIVEN, SEEN_COLON, CALL_LOCAL_COLON },
	{ CALL_LOCAL_COLON, SEEN_COLON, CALL_LOCAL_TYPE },
	{ CALL_LOCAL_TYPE, SEEN_BOOLEAN, CALL_LOCAL_CAST },
	{ CALL_LOCAL_CAST, SEEN_CLOSE, CALL_ENDS },
};

static void forget(struct scan *scan)
{
	scan->setting_size = 0;
	scan->parameter = 0;
}

void scan_settings_spoil(struct scan *scan)
{
	scan->setting_size = SCAN_WORD_MAX + 1;
}

void scan_settings_take(struct scan *scan, char byte)
{
	if (scan->setting_size >= SCAN_WORD_MAX)
		scan_settings_spoil(scan);
	else
		scan->setting[scan->setting_size++] = byte >= 'A' && byte <= 'Z' ? (char)(byte | ' ') : byte;
}

void scan_settings_take_digit(struct scan *scan, char digit)
{
	scan->parameter = scan->parameter * 10 + (uint32_t)(digit - '0');
	if (scan->parameter == 0 || scan->parameter > UINT16_MAX) {
		scan->parameter = UINT16_MAX;
		scan_settings_spoil(scan);
	}
}

static void take_word(struct scan *scan)
{
	/* All of a long one is not at hand. */
	if (scan->word_size > SCAN_WORD_MAX) {
		scan_settings_spoil(scan);
		return;
	}
	for (uint32_t i = 0; i < scan->word_size; i++)
		scan_settings_take(scan, scan->word_at[i]);
}

void scan_settings_begin(struct scan *scan)
{
	forget(scan);
	take_word(scan);
}

void scan_settings_go_on(struct scan *scan)
{
	scan_settings_take(scan, '.');
	take_word(scan);
}

static void lose(struct scan *scan)
{
	scan->effects |= SCAN_SETS_CUSTOM;
	scan_names_lose(scan);
}

void scan_settings_end(struct scan *scan)
{
	if (scan->setting_size > SCAN_WORD_MAX) {
		lose(scan);
		return;
	}
	if (!scan->parameter && !memchr(scan->setting, '.', scan->setting_size))
		return;
	scan->effects |= SCAN_SETS_CUSTOM;
	scan_names_push_setting(scan);
}

/* Forgets the call. */
static void leave(struct scan *scan, uint32_t effects)
{
	if (scan->config < CALL_NAME_LOST)
		lose(scan);
	scan->effects |= effects;
	scan->step = scan->step_around;
}

void scan_settings_leave(struct scan *scan)
{
	leave(scan, SCAN_SETS);
}

void scan_settings_call(struct scan *scan)
{
	scan_settings_call_ends(scan);
	if (scan->quoted || scan->foreign) {
		lose(scan);
		scan->effects |= SCAN_SETS;
		return;
	}
	scan->step_around = scan->step;
	scan->step = STEP_SET_CONFIG;
	scan->config = CALL_MENTIONED;
}

static uint8_t see_word(const struct scan *scan)
{
	static const struct {
		const char *text;
		uint8_t seen;
	} words[] = { { "true", SEEN_TRUE }, { "text", SEEN_TEXT }, { "bool", SEEN_BOOLEAN }, { "boolean", SEEN_BOOLEAN } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (scan->word && strcmp(scan->word->text, words[i].text) == 0)
			return words[i].seen;
	return SEEN_OTHER;
}

static uint8_t see(const struct scan *scan, uint8_t kind)
{
	if (kind >= TOKEN_NAME)
		return kind == TOKEN_QUOTED ? SEEN_OTHER : see_word(scan);
	switch (kind) {
	case TOKEN_OPEN:
		return SEEN_OPEN;
	case TOKEN_CLOSE:
		return scan->depth == scan->config_depth ? SEEN_CLOSE : SEEN_OTHER;
	case TOKEN_COMMA:
		return scan->depth == scan->config_depth + 1 ? SEEN_COMMA : SEEN_OTHER;
	case TOKEN_COLON:
		return SEEN_COLON;
	case TOKEN_STRING:              /* And no dollar quote. */
		return scan->lexer == LEX_STRING ? SEEN_STRING : SEEN_OTHER;
	case TOKEN_VALUE:
		return scan->lexer == LEX_PARAMETER ? SEEN_PARAMETER : SEEN_OTHER;
	default:
		return SEEN_OTHER;
	}
}

static uint8_t next_of(const struct scan *scan, uint8_t seen)
{
	for (size_t i = 0; i < ARRAY_LEN(moves); i++)
		if (moves[i].call == scan->config && moves[i].seen == seen)
			return moves[i].next;
	bool in_name = scan->config >= CALL_NAME && scan->config <= CALL_NAME_LOST;

	if (seen == SEEN_CLOSE || (scan->config != CALL_VALUE && !in_name))
		return CALL_ENDS;
	return in_name ? CALL_NAME_LOST : CALL_VALUE;
}

static bool is_true(const struct scan *scan)
{
	return (scan->setting_size == 1 && scan->setting[0] == 't')
		|| (scan->setting_size == 4 && memcmp(scan->setting, "true", 4) == 0);
}

/* An argument that can be told. Strings and numbers come byte by byte. */
static void take(struct scan *scan, uint8_t seen)
{
	forget(scan);
	if (seen == SEEN_TRUE)
		take_word(scan);
	else
		scan->lexer = seen == SEEN_STRING ? LEX_ARGUMENT : LEX_ARGUMENT_NUMBER;
}

/* From one token to the next. */
static void move(struct scan *scan, uint8_t seen)
{
	uint8_t from = scan->config, next = next_of(scan, seen);
	bool given = from == CALL_LOCAL_GIVEN || from == CALL_LOCAL_CAST;

	switch (next) {
	case CALL_NAME:
		scan->config_depth = scan->depth;
		break;
	case CALL_NAME_GIVEN:
	case CALL_LOCAL_GIVEN:
		take(scan, seen);
		break;
	case CALL_NAME_LOST:
		if (from != CALL_NAME_LOST)
			lose(scan);
		break;
	case CALL_VALUE:
		if (from == CALL_NAME_GIVEN || from == CALL_NAME_CAST)
			scan_settings_end(scan);
		break;
	case CALL_ENDS:
		leave(scan, given && seen == SEEN_CLOSE && is_true(scan) ? SCAN_SETS_LOCAL : SCAN_SETS);
		return;
	default:
		break;
	}
	scan->config = next;
}

void scan_settings_step(struct scan *scan, uint8_t kind)
{
	/* The statement goes on meanwhile. */
	scan->step = scan->step_around;
	if (scan->step != STEP_NONE)
		scan_statement_step(scan, kind);
	scan->step_around = scan->step;
	scan->step = STEP_SET_CONFIG;
	if (scan->config == CALL_MENTIONED)
		scan->config = CALL_OPEN;
	else
		move(scan, see(scan, kind));
}
