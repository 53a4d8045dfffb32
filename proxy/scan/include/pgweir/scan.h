/* What a text of SQL may do to a session's state, and whether it may write: a scanner, no parser.
 * long: the comments are the specification.
 *
 * It reads text as PostgreSQL's lexer does (all kinds of strings and comments, dollar quotes, quoted names) and judges by
 * the words: by the first ones of each statement, and by some that mean something wherever they stand. It errs on one
 * side. An effect that a text has is in the answer; an effect in the answer may be one that the text has not: a column
 * called setseed, a keyword as an alias. Text that PostgreSQL cannot parse runs not at all, so any answer is right for it.
 * It is checked against the grammar of PostgreSQL 15 (tests/grammar), and against no newer one.
 *
 * Texts come in pieces of any size, cut anywhere; the answer is the same. Nothing is copied but one word of at most
 * SCAN_WORD_MAX bytes, nothing is allocated, and the time is linear. A NUL is a blank.
 *
 * What no scanner can see, and callers must find another way:
 *  - what functions, triggers, rules, views, defaults and operators do inside (SCAN_CALLS and SCAN_RUNS_CODE say where to
 *    look for some of it), also a function called without parentheses, as an attribute of a row: `SELECT r.f FROM r`;
 *  - functions of users that have the name of one of PostgreSQL's and come first on the search_path;
 *  - CREATE without TEMPORARY while search_path begins with pg_temp (callers look at what the client has set); SQL within
 *    strings, beyond the functions that take it (those are no harmless ones); values of parameters. */
#ifndef PGWEIR_SCAN_H
#define PGWEIR_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCAN_WORD_MAX = 63,     /* PostgreSQL's names are no longer either. */
	SCAN_NAMES_MAX = 64,
};

/* "Mentioned" means: as a word or a quoted name anywhere outside strings and comments. */
enum scan_effect {
	/* SET, SET SESSION … and RESET, all their forms, but for those below; set_config mentioned (which may be of the seed),
	 * but for calls that are local beyond doubt; pg_settings mentioned behind what is no plain read (UPDATE of it is a SET). */
	SCAN_SETS = 1 << 0,
	/* SET LOCAL; a call of set_config whose third argument is TRUE, 't' or 'true', perhaps with ::bool or ::boolean, and
	 * that has no other in its arguments. SET TRANSACTION and SET CONSTRAINTS are neither. */
	SCAN_SETS_LOCAL = 1 << 1,
	/* The SET, SET LOCAL or RESET, or the call of set_config, has a setting with a dot, which the connection knows from then
	 * on. Named: all parts with dots between, ASCII in lower case, also of what is quoted, since settings have no case. Of
	 * set_config, '…' is named, and $n, each perhaps with ::text; any other first argument and set_config mentioned in any
	 * other way (in quotes, in a schema other than pg_catalog, with no parenthesis behind it) are a name that is lost.
	 * Also of ALTER and CREATE with such a SET or RESET among their clauses, without either of the two above. */
	SCAN_SETS_CUSTOM = 1 << 2,
	SCAN_PREPARES = 1 << 3,         /* PREPARE, not PREPARE TRANSACTION. Named. */
	SCAN_EXECUTES = 1 << 4,         /* EXECUTE, also after EXPLAIN and CREATE TABLE … AS. Named. */
	SCAN_DEALLOCATES = 1 << 5,      /* DEALLOCATE. Named, or all. */
	SCAN_LISTENS = 1 << 6,          /* LISTEN. Named. */
	SCAN_UNLISTENS = 1 << 7,        /* UNLISTEN. Named, or all. */
	SCAN_NOTIFIES = 1 << 8,         /* NOTIFY; pg_notify mentioned. */
	SCAN_HOLDS = 1 << 9,            /* DECLARE … WITH HOLD. */
	SCAN_CLOSES = 1 << 10,          /* CLOSE. Named, or all. */
	SCAN_LOADS = 1 << 11,           /* LOAD. */
	SCAN_DISCARDS = 1 << 12,        /* DISCARD. Named by what it discards (plans, sequences, temp, temporary), or all. */
	/* CREATE … TEMP or TEMPORARY, INTO TEMP or TEMPORARY; pg_temp or pg_temp_N mentioned. */
	SCAN_TEMPORARY = 1 << 13,
	SCAN_DROPS = 1 << 14,           /* What may end a temporary object: DROP, ALTER … SET SCHEMA. (See SCAN_DISCARDS.) */
	SCAN_LOCKS = 1 << 15,           /* Functions that take a session's advisory locks mentioned; not pg_advisory_xact_…. */
	SCAN_UNLOCKS = 1 << 16,         /* Those that give them back mentioned. */
	SCAN_SEEDS = 1 << 17,           /* setseed mentioned, SET SEED. */
	SCAN_SEQUENCE_USE = 1 << 18,    /* nextval or setval mentioned. */
	SCAN_SEQUENCE_ASK = 1 << 19,    /* currval or lastval mentioned. */
	/* DROP DATABASE, ALTER DATABASE … RENAME or SET TABLESPACE, CREATE DATABASE. Named by the database that nobody may be
	 * connected to; for CREATE DATABASE that is its TEMPLATE, and template1 if there is no name. */
	SCAN_NEEDS_IDLE_DATABASE = 1 << 20,
	SCAN_RUNS_CODE = 1 << 21,       /* DO, CALL. */
	SCAN_CALLS = 1 << 22,           /* Calls a function that is not known to be harmless: see scan_called_cb. */
	SCAN_BEGINS = 1 << 23,          /* BEGIN, START TRANSACTION, and what ends one AND CHAIN. */
	SCAN_ENDS = 1 << 24,            /* COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION; not COMMIT or ROLLBACK PREPARED. */
	SCAN_SAVEPOINTS = 1 << 25,      /* SAVEPOINT, RELEASE, ROLLBACK TO. */
	/* Anything but a plain read: a statement that begins with a word other than SELECT, VALUES, TABLE, WITH, EXPLAIN, SHOW,
	 * FETCH or MOVE; in one that does, INSERT, UPDATE, DELETE, MERGE, INTO, FOR SHARE and FOR UPDATE in their forms, and
	 * EXPLAIN of EXECUTE, CREATE or REFRESH. What the functions that are called write is SCAN_CALLS' matter. */
	SCAN_WRITES = 1 << 26,
	/* A string literal in which a word begins with now, today, tomorrow or yesterday (or that may spell one with escapes): a
	 * value that is fixed when the statement is parsed. */
	SCAN_TIME_LITERAL = 1 << 27,
	/* All bets are off, and every effect possible: something does not end, a byte >= 0x80 under SCAN_AMBIGUOUS_BYTES, a name
	 * spelled U&"…", a dollar quote with a tag longer than SCAN_WORD_MAX. */
	SCAN_UNKNOWN = 1 << 28,
	SCAN_CALLS_SET_CONFIG = 1 << 29,        /* set_config mentioned. */
};

/* What those need to know besides who choose the server that is to run a text. */
enum scan_fact {
	SCAN_SHOWS = 1 << 0,            /* SHOW begins a statement. */
	SCAN_FETCHES = 1 << 1,          /* FETCH or MOVE does. */
	SCAN_LOCKS_ROWS = 1 << 2,       /* FOR UPDATE, FOR SHARE, in all their forms. */
	SCAN_LONG_NAMES = 1 << 3,       /* A name of more than SCAN_WORD_MAX bytes, which PostgreSQL cuts. */
};

enum scan_flag {
	/* client_encoding (or server_encoding) is SJIS, SHIFT_JIS_2004, BIG5, GBK, UHC, GB18030 or JOHAB, where the second byte of
	 * a character may look like a quote or a backslash. Nothing behind such a character is looked at. */
	SCAN_AMBIGUOUS_BYTES = 1 << 0,
	/* standard_conforming_strings is off: a backslash escapes in '…' too. */
	SCAN_BACKSLASH_STRINGS = 1 << 1,
};

/* Names as PostgreSQL takes them: in lower case unless quoted (only ASCII is folded), quotes undone. */
struct scan_name {
	uint32_t effect;                /* Which one it belongs to. */
	uint16_t parameter;             /* n, if the name is what $n is, and `text` is empty; else 0. */
	bool all;                       /* ALL or *; `text` is empty. */
	uint8_t size;
	char text[SCAN_WORD_MAX + 1];   /* A NUL is behind it. */
	/* As it is spelled, without quotes around it, if all of it and the byte behind it lie in one piece; else NULL. A
	 * setting's is not told. */
	const char *spelled;
	size_t spelled_size;
};

struct scan_names {
	struct scan_name list[SCAN_NAMES_MAX];
	uint8_t count;                  /* In the order of the text. */
	bool lost;                      /* There was one more than fit, or one that cannot be told: too long, a string. */
};

/* A function that the text seems to call, its last part (f of s.f), spelled as in scan_name; cut after SCAN_WORD_MAX bytes.
 * May be no function: a type, a table with its columns. For each call, from within scan_feed(); must not feed the scan. */
typedef void scan_called_cb(const char *name, size_t size, void *arg);

/* Names to be told of wherever they stand, be it as a column's. Some others are told, too. */
enum { SCAN_FILTER_WORDS = 32 };
struct scan_filter {
	uint64_t bits[SCAN_FILTER_WORDS];
};
void scan_filter_add(struct scan_filter *filter, const char *name, size_t size);

struct scan_word;

/* Lives on a stack or in a struct of the caller's; nothing needs to be given back. */
struct scan {
	/* For the caller to set between scan_begin() and the first scan_feed(), or leave NULL. */
	struct scan_names *names;       /* Emptied by the caller. */
	scan_called_cb *called;
	void *called_arg;               /* And of `mentioned`. */
	const struct scan_filter *filter;
	scan_called_cb *mentioned;      /* For each name that is in the filter; not NULL with it. */

	/* For the caller to read, also between pieces: effects are only ever added. */
	uint32_t effects;
	uint32_t statements;            /* Begun so far, empty ones not counted. */
	uint32_t facts;                 /* Of enum scan_fact. */
	const char *comment;            /* Behind the two bytes that begin the first one, in the piece that had it; or NULL. */

	/* The scanner's own. */
	uint32_t depth, comment_depth;
	uint64_t window;                /* The last eight bytes of a literal. */
	const struct scan_word *word;   /* What is known of the last word, or NULL. */
	const char *word_at;            /* Its spelling: in `kept`, or in the piece being fed. */
	uint32_t word_size;             /* As long as it was, when only SCAN_WORD_MAX bytes were kept. */
	uint8_t flags, lexer, string, tag_matched;
	uint8_t step, previous, before, naming;
	bool newline, quoted, foreign, catalog, joined, call_behind_close, provisional;
	char kept[SCAN_WORD_MAX + 1];
	/* From here on for settings only. */
	char setting[SCAN_WORD_MAX + 1];
	uint32_t setting_size;          /* More than SCAN_WORD_MAX: it cannot be told. */
	uint32_t parameter, config_depth;
	uint8_t config, step_around;    /* Where a call of set_config stands, and the statement around it. */
};

void scan_begin(struct scan *scan, unsigned flags);
void scan_feed(struct scan *scan, const char *bytes, size_t size);
/* Tells the effects of the whole text. Once, at its end. */
uint32_t scan_end(struct scan *scan);

/* Whether calls of this one, as PostgreSQL spells it, are not told, because the scanner knows what it does. */
bool scan_knows_function(const char *name, size_t size);

/* All of it at once; `names` (which it empties) may be NULL. */
uint32_t scan_text(const char *bytes, size_t size, unsigned flags, struct scan_names *names);

#endif
