/* The scanner's parts: scan.c and the lexer (lexer.h) cut the text into tokens, scan_statement.c follows what they mean to the
 * statement, scan_calls.c tells calls of functions, scan_settings.c names settings, scan_words.c knows the words.
 * long: lists of what they tell apart. */
#ifndef PGWEIR_SCAN_INTERNAL_H
#define PGWEIR_SCAN_INTERNAL_H

#include <string.h>

#include "pgweir/check.h"
#include "pgweir/scan.h"

enum lexer {
	LEX_BETWEEN,            /* Tokens. */
	LEX_WORD,               /* In `kept`, as far as it has come. */
	LEX_WORD_AMPERSAND,     /* Behind U& */
	LEX_NUMBER,
	LEX_PARAMETER,
	LEX_DASH, LEX_SLASH,    /* It may begin a comment. */
	LEX_LINE_COMMENT,
	LEX_COMMENT, LEX_COMMENT_STAR, LEX_COMMENT_SLASH,
	LEX_STRING, LEX_STRING_QUOTE, LEX_STRING_ESCAPE,
	LEX_ARGUMENT, LEX_ARGUMENT_QUOTE, LEX_ARGUMENT_NUMBER,  /* A string or a parameter given to set_config. */
	LEX_QUOTED, LEX_QUOTED_QUOTE,
	LEX_DOLLAR, LEX_TAG,
	LEX_DOLLAR_STRING, LEX_DOLLAR_STRING_END,
	LEX_LOST,               /* Nothing more is looked at. */
};

/* Kinds of tokens. From TOKEN_NAME on they are words, from WORD_ADVANCE on particular ones that are not quoted. */
enum {
	TOKEN_NONE,
	TOKEN_END,              /* A semicolon outside parentheses, or the end of the text. */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_DOT,
	TOKEN_COMMA,
	TOKEN_COLON,
	TOKEN_EQUALS,
	TOKEN_STAR,
	TOKEN_OPERATOR,         /* And whatever else is one character. */
	TOKEN_STRING,
	TOKEN_VALUE,            /* A number, a parameter, a subscript's end: what an operator may follow. */
	TOKEN_NAME,
	TOKEN_QUOTED,
	TOKEN_KEYWORD,          /* One that is no name and of no interest. */
	WORD_ABORT, WORD_ALL, WORD_ALTER, WORD_AS, WORD_ATOMIC, WORD_BEGIN, WORD_BY, WORD_CALL, WORD_CHAIN, WORD_CLOSE, WORD_COMMIT,
	WORD_CONFLICT, WORD_CONSTRAINTS, WORD_CREATE, WORD_DATABASE, WORD_DEALLOCATE, WORD_DECLARE, WORD_DEFAULT, WORD_DELETE,
	WORD_DISCARD, WORD_DISTINCT, WORD_DO, WORD_DROP, WORD_END, WORD_EXECUTE, WORD_EXISTS, WORD_EXPLAIN, WORD_FETCH,
	WORD_FILTER, WORD_FOR, WORD_FOREIGN, WORD_FROM, WORD_GLOBAL, WORD_GROUP, WORD_GROUPING, WORD_HOLD, WORD_IF, WORD_INSERT,
	WORD_INTO, WORD_JOIN, WORD_KEY, WORD_LIKE, WORD_LISTEN, WORD_LOAD, WORD_LOCAL, WORD_MERGE, WORD_NO, WORD_NOTIFY, WORD_ON,
	WORD_OPERATOR, WORD_OR, WORD_ORDER, WORD_OVER, WORD_PARTITION, WORD_PG_CATALOG, WORD_PREPARE, WORD_PREPARED, WORD_PRIMARY, WORD_REFRESH,
	WORD_RELEASE, WORD_RENAME, WORD_REPLACE, WORD_RESET, WORD_ROLLBACK, WORD_ROUTINE, WORD_SAVEPOINT, WORD_SCHEMA,
	WORD_SEED, WORD_SELECT, WORD_SESSION, WORD_SET, WORD_SETS, WORD_SHARE, WORD_SHOW, WORD_START, WORD_TABLE,
	WORD_TABLESPACE, WORD_TEMPLATE, WORD_TEMPORARY, WORD_TO, WORD_TRANSACTION, WORD_UNLISTEN, WORD_UPDATE, WORD_VALUES,
	WORD_WITH, WORD_WORK,
	TOKEN_KINDS,
	TOKEN_ANY = TOKEN_KINDS,
};

/* Where a statement stands: scan_statement.c's table says what may come. */
enum {
	STEP_NONE,              /* Nothing that could follow is of interest. */
	STEP_START,
	STEP_ALTER, STEP_ALTER_REST, STEP_ALTER_SET, STEP_ALTER_DATABASE, STEP_ALTER_DATABASE_NAMED, STEP_ALTER_DATABASE_SET,
	STEP_ALTER_SETTING, STEP_ALTER_SETTING_DOT,
	STEP_COMMIT, STEP_ROLLBACK, STEP_ROLLBACK_WORK, STEP_CHAIN,
	STEP_CREATE, STEP_CREATE_REST, STEP_CREATE_AS, STEP_CREATE_DATABASE, STEP_CREATE_DATABASE_REST, STEP_TEMPLATE,
	STEP_ROUTINE, STEP_ROUTINE_BEGIN, STEP_ROUTINE_SET, STEP_ROUTINE_SETTING, STEP_ROUTINE_SETTING_DOT,
	STEP_DEALLOCATE, STEP_DEALLOCATE_PREPARE, STEP_CLOSE, STEP_DISCARD, STEP_LISTEN, STEP_UNLISTEN,
	STEP_DECLARE, STEP_DECLARE_WITH, STEP_DROP, STEP_DROP_DATABASE, STEP_DROP_DATABASE_IF, STEP_DROP_DATABASE_NAME,
	STEP_EXECUTE, STEP_EXPLAIN, STEP_EXPLAIN_EXECUTE, STEP_PREPARE, STEP_PREPARE_TRANSACTION,
	STEP_SET, STEP_SET_LOCAL, STEP_SET_PASSING, STEP_RESET, STEP_SETTING, STEP_SETTING_DOT,
	/* From here on, a text that ends has left something open. First a function's body in SQL, whose semicolons do not end
	 * the statement, behind one of them. */
	STEP_BODY_START,
	/* From here on, tokens are not for the table. First a call of set_config in whatever statement, then the body. */
	STEP_SET_CONFIG,
	STEP_BODY,
};

/* What is known of a word. */
enum {
	KNOWN_KEYWORD = 1,      /* No function's name: PostgreSQL's reserved words and its col_name ones. */
	KNOWN_HARMLESS = 2,     /* As a function it leaves nothing behind and writes nothing. */
	KNOWN_INFIX = 4,        /* Behind an operand it is an operator, and a parenthesis behind it an operand. */
	KNOWN_NAMING = 8,       /* A name behind it is no function's. */
	KNOWN_NOTED = 16,       /* For scan_statement_note(). */
};

/* A word's first 16 bytes in lower case, zeros behind it. `_` becomes DEL, which is in no word. */
struct scan_spelling {
	uint64_t low, high;
};

struct scan_word {
	const char *text;
	uint32_t effects;       /* Of mentioning it. */
	uint8_t kind, known, size;
	struct scan_spelling spelling;
};

enum { SCAN_SLOTS_BITS = 11, SCAN_SLOTS = 1 << SCAN_SLOTS_BITS };
extern struct scan_word scan_words[];
extern uint16_t scan_word_slots[SCAN_SLOTS];    /* Indexes into scan_words; 0 is none. */

static inline size_t scan_word_slot(struct scan_spelling spelling, size_t size)
{
	uint64_t mixed = (spelling.low ^ (spelling.high * 0x9e3779b97f4a7c15u) ^ size) * 0xd6e8feb86659fd93u;

	return (size_t)(mixed >> (64 - SCAN_SLOTS_BITS));
}

_Static_assert(SCAN_FILTER_WORDS * 64 == SCAN_SLOTS, "a filter has a bit for each slot");

static inline bool scan_filter_has(const struct scan_filter *filter, struct scan_spelling spelling, size_t size)
{
	size_t slot = scan_word_slot(spelling, size);

	return filter->bits[slot / 64] >> (slot % 64) & 1;
}

bool scan_word_matches_rest(const struct scan_word *word, const char *text);
/* NULL if it is none that we know. */
static inline const struct scan_word *scan_word_find(struct scan_spelling spelling, const char *text, size_t size)
{
	for (size_t slot = scan_word_slot(spelling, size); scan_word_slots[slot]; slot = (slot + 1) % SCAN_SLOTS) {
		const struct scan_word *word = &scan_words[scan_word_slots[slot]];

		if (word->spelling.low == spelling.low && word->spelling.high == spelling.high && word->size == size
			&& (size <= sizeof(spelling) || scan_word_matches_rest(word, text)))
			return word;
	}
	return NULL;
}

struct scan_spelling scan_word_spell(const char *text, size_t size);

void scan_names_push(struct scan *scan, uint32_t effect, bool all);
void scan_names_push_text(struct scan *scan, uint32_t effect, const char *text);
void scan_names_push_provisionally(struct scan *scan, uint32_t effect);
void scan_names_pop(struct scan *scan);
void scan_names_push_setting(struct scan *scan);
void scan_names_lose(struct scan *scan);
/* The last word as PostgreSQL takes it; returns its size. */
size_t scan_names_fold(const struct scan *scan, char *folded);
void scan_names_mention(struct scan *scan);

void scan_statement_step(struct scan *scan, uint8_t kind);
void scan_statement_note(struct scan *scan, uint8_t kind);
void scan_statement_end(struct scan *scan);
void scan_calls_open(struct scan *scan);

/* The name of a setting begins with the last word; goes on behind a dot; is over. */
void scan_settings_begin(struct scan *scan);
void scan_settings_go_on(struct scan *scan);
void scan_settings_end(struct scan *scan);

/* set_config mentioned: before its token. From then on scan_settings_step() gets all tokens, until it has seen enough. */
void scan_settings_call(struct scan *scan);
void scan_settings_step(struct scan *scan, uint8_t kind);
void scan_settings_leave(struct scan *scan);
/* What is no longer to be seen is in doubt. */
static inline void scan_settings_call_ends(struct scan *scan)
{
	if (scan->step == STEP_SET_CONFIG)
		scan_settings_leave(scan);
}

/* Take a byte of a string, and a digit of a parameter. */
void scan_settings_take(struct scan *scan, char byte);
void scan_settings_take_digit(struct scan *scan, char digit);
/* The string is more than it seems. */
void scan_settings_spoil(struct scan *scan);

/* Takes a literal's bytes up to the first `stop` or `escape`, and looks for words of time. */
const char *scan_literals_skip(struct scan *scan, const char *at, const char *end, char stop, char escape);
void scan_literals_take(struct scan *scan, char byte);

#endif
