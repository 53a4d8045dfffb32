/* What the words of a statement mean to it. The first word decides which of the table's steps it takes; most take none. */
#include "scan_internal.h"

enum act {
	ACT_NONE,
	ACT_NAME,               /* The word is a name that belongs to the row's effects. */
	ACT_NAME_PROVISIONAL,   /* … a database's, if the words behind it have the effect. */
	ACT_NO_NAME,            /* Then it did not. */
	ACT_ALL,
	ACT_LOSE,
	ACT_NAMED_PREPARE,      /* The word before was not the keyword that it looked like, but a name. */
	ACT_NAMED_TRANSACTION,
	ACT_SETTING,            /* The word is a setting's name, or the first part of one. */
	ACT_SETTING_BEFORE,     /* … the word before is. */
	ACT_SETTING_PART,       /* The word is another part of it. */
	ACT_SETTING_ENDS,
	ACT_CLAUSE,             /* … of a clause of ALTER or CREATE: the word may also be something else. */
	ACT_NO_NAME_BUT_CLAUSE,
};

struct row {
	uint8_t step, kind, next, act;
	uint32_t effects;
};

/* The first row of a step whose kind is the token's or TOKEN_ANY is taken; the rows of a step stand together. TOKEN_ANY is
 * also the statement's end. */
static const struct row rows[] = {
	{ STEP_ALTER, WORD_DATABASE, STEP_ALTER_DATABASE, 0, 0 },
	{ STEP_ALTER, TOKEN_ANY, STEP_ALTER_REST, 0, 0 },
	{ STEP_ALTER_REST, WORD_SET, STEP_ALTER_SET, 0, 0 },
	{ STEP_ALTER_REST, WORD_RESET, STEP_ALTER_SET, 0, 0 },
	{ STEP_ALTER_SET, WORD_SCHEMA, STEP_ALTER_REST, 0, SCAN_DROPS },
	{ STEP_ALTER_SET, WORD_SET, STEP_ALTER_SET, 0, 0 },
	{ STEP_ALTER_SET, TOKEN_DOT, STEP_ALTER_REST, 0, 0 },
	{ STEP_ALTER_SET, TOKEN_ANY, STEP_ALTER_SETTING, ACT_CLAUSE, 0 },
	{ STEP_ALTER_SETTING, TOKEN_DOT, STEP_ALTER_SETTING_DOT, 0, 0 },
	{ STEP_ALTER_SETTING, TOKEN_ANY, STEP_ALTER_REST, ACT_SETTING_ENDS, 0 },
	{ STEP_ALTER_SETTING_DOT, TOKEN_ANY, STEP_ALTER_SETTING, ACT_SETTING_PART, 0 },
	{ STEP_ALTER_DATABASE, TOKEN_ANY, STEP_ALTER_DATABASE_NAMED, ACT_NAME_PROVISIONAL, 0 },
	{ STEP_ALTER_DATABASE_NAMED, WORD_RENAME, STEP_NONE, 0, SCAN_NEEDS_IDLE_DATABASE },
	{ STEP_ALTER_DATABASE_NAMED, WORD_SET, STEP_ALTER_DATABASE_SET, 0, 0 },
	{ STEP_ALTER_DATABASE_NAMED, WORD_RESET, STEP_ALTER_SET, ACT_NO_NAME, 0 },
	{ STEP_ALTER_DATABASE_NAMED, TOKEN_ANY, STEP_NONE, ACT_NO_NAME, 0 },
	{ STEP_ALTER_DATABASE_SET, WORD_TABLESPACE, STEP_NONE, 0, SCAN_NEEDS_IDLE_DATABASE },
	{ STEP_ALTER_DATABASE_SET, TOKEN_ANY, STEP_ALTER_SETTING, ACT_NO_NAME_BUT_CLAUSE, 0 },

	/* END comes behind a semicolon or ATOMIC; any other is a CASE's. */
	{ STEP_BODY_START, WORD_END, STEP_NONE, 0, 0 },
	{ STEP_BODY_START, TOKEN_ANY, STEP_BODY, 0, 0 },

	{ STEP_COMMIT, WORD_PREPARED, STEP_NONE, 0, 0 },
	{ STEP_COMMIT, TOKEN_ANY, STEP_CHAIN, 0, SCAN_ENDS },
	{ STEP_ROLLBACK, WORD_PREPARED, STEP_NONE, 0, 0 },
	{ STEP_ROLLBACK, WORD_TO, STEP_NONE, 0, SCAN_SAVEPOINTS },
	{ STEP_ROLLBACK, WORD_WORK, STEP_ROLLBACK_WORK, 0, 0 },
	{ STEP_ROLLBACK, WORD_TRANSACTION, STEP_ROLLBACK_WORK, 0, 0 },
	{ STEP_ROLLBACK, TOKEN_ANY, STEP_CHAIN, 0, SCAN_ENDS },
	{ STEP_ROLLBACK_WORK, WORD_TO, STEP_NONE, 0, SCAN_SAVEPOINTS },
	{ STEP_ROLLBACK_WORK, TOKEN_ANY, STEP_CHAIN, 0, SCAN_ENDS },
	{ STEP_CHAIN, WORD_NO, STEP_NONE, 0, 0 },
	{ STEP_CHAIN, WORD_CHAIN, STEP_NONE, 0, SCAN_BEGINS },

	{ STEP_CREATE, WORD_OR, STEP_CREATE, 0, 0 },
	{ STEP_CREATE, WORD_REPLACE, STEP_CREATE, 0, 0 },
	{ STEP_CREATE, WORD_DATABASE, STEP_CREATE_DATABASE, 0, SCAN_NEEDS_IDLE_DATABASE },
	{ STEP_CREATE, WORD_ROUTINE, STEP_ROUTINE, 0, 0 },
	{ STEP_CREATE, TOKEN_ANY, STEP_CREATE_REST, 0, 0 },
	{ STEP_CREATE_REST, WORD_AS, STEP_CREATE_AS, 0, 0 },
	{ STEP_CREATE_AS, WORD_EXECUTE, STEP_EXECUTE, 0, SCAN_EXECUTES },
	{ STEP_CREATE_AS, WORD_AS, STEP_CREATE_AS, 0, 0 },
	{ STEP_CREATE_AS, TOKEN_ANY, STEP_CREATE_REST, 0, 0 },
	{ STEP_CREATE_DATABASE, TOKEN_ANY, STEP_CREATE_DATABASE_REST, 0, 0 },
	{ STEP_CREATE_DATABASE_REST, WORD_TEMPLATE, STEP_TEMPLATE, 0, 0 },
	{ STEP_CREATE_DATABASE_REST, TOKEN_QUOTED, STEP_CREATE_DATABASE_REST, ACT_LOSE, 0 },    /* It may be "template". */
	{ STEP_TEMPLATE, TOKEN_EQUALS, STEP_TEMPLATE, 0, 0 },
	{ STEP_TEMPLATE, WORD_DEFAULT, STEP_CREATE_DATABASE_REST, 0, 0 },
	{ STEP_TEMPLATE, WORD_TEMPLATE, STEP_TEMPLATE, ACT_LOSE, 0 },           /* One of the two is a name. */
	{ STEP_TEMPLATE, TOKEN_STRING, STEP_CREATE_DATABASE_REST, ACT_LOSE, 0 },
	{ STEP_TEMPLATE, TOKEN_ANY, STEP_CREATE_DATABASE_REST, ACT_NAME, SCAN_NEEDS_IDLE_DATABASE },
	{ STEP_ROUTINE, WORD_BEGIN, STEP_ROUTINE_BEGIN, 0, 0 },
	{ STEP_ROUTINE, WORD_SET, STEP_ROUTINE_SET, 0, 0 },
	{ STEP_ROUTINE_SET, WORD_SET, STEP_ROUTINE_SET, 0, 0 },
	{ STEP_ROUTINE_SET, WORD_BEGIN, STEP_ROUTINE_BEGIN, 0, 0 },
	{ STEP_ROUTINE_SET, TOKEN_ANY, STEP_ROUTINE_SETTING, ACT_CLAUSE, 0 },
	{ STEP_ROUTINE_SETTING, TOKEN_DOT, STEP_ROUTINE_SETTING_DOT, 0, 0 },
	{ STEP_ROUTINE_SETTING, TOKEN_ANY, STEP_ROUTINE, ACT_SETTING_ENDS, 0 },
	{ STEP_ROUTINE_SETTING_DOT, TOKEN_ANY, STEP_ROUTINE_SETTING, ACT_SETTING_PART, 0 },
	{ STEP_ROUTINE_BEGIN, WORD_BEGIN, STEP_ROUTINE_BEGIN, 0, 0 },
	{ STEP_ROUTINE_BEGIN, TOKEN_DOT, STEP_ROUTINE_SETTING_DOT, ACT_SETTING_BEFORE, 0 },     /* SET begin.x */
	{ STEP_ROUTINE_BEGIN, WORD_ATOMIC, STEP_BODY_START, 0, 0 },
	{ STEP_ROUTINE_BEGIN, TOKEN_ANY, STEP_ROUTINE, 0, 0 },

	{ STEP_DEALLOCATE, WORD_PREPARE, STEP_DEALLOCATE_PREPARE, 0, 0 },
	{ STEP_DEALLOCATE, WORD_ALL, STEP_NONE, ACT_ALL, SCAN_DEALLOCATES },
	{ STEP_DEALLOCATE, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_DEALLOCATES },
	{ STEP_DEALLOCATE_PREPARE, TOKEN_END, STEP_NONE, ACT_NAMED_PREPARE, SCAN_DEALLOCATES },
	{ STEP_DEALLOCATE_PREPARE, WORD_ALL, STEP_NONE, ACT_ALL, SCAN_DEALLOCATES },
	{ STEP_DEALLOCATE_PREPARE, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_DEALLOCATES },
	{ STEP_CLOSE, WORD_ALL, STEP_NONE, ACT_ALL, SCAN_CLOSES },
	{ STEP_CLOSE, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_CLOSES },
	{ STEP_DISCARD, WORD_ALL, STEP_NONE, ACT_ALL, SCAN_DISCARDS },
	{ STEP_DISCARD, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_DISCARDS },
	{ STEP_LISTEN, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_LISTENS },
	{ STEP_UNLISTEN, TOKEN_STAR, STEP_NONE, ACT_ALL, SCAN_UNLISTENS },
	{ STEP_UNLISTEN, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_UNLISTENS },

	{ STEP_DECLARE, WORD_WITH, STEP_DECLARE_WITH, 0, 0 },
	{ STEP_DECLARE, WORD_FOR, STEP_NONE, 0, 0 },
	{ STEP_DECLARE_WITH, WORD_HOLD, STEP_NONE, 0, SCAN_HOLDS },
	{ STEP_DECLARE_WITH, TOKEN_ANY, STEP_DECLARE, 0, 0 },

	{ STEP_DROP, WORD_DATABASE, STEP_DROP_DATABASE, 0, SCAN_NEEDS_IDLE_DATABASE },
	{ STEP_DROP, TOKEN_ANY, STEP_NONE, 0, 0 },
	{ STEP_DROP_DATABASE, WORD_IF, STEP_DROP_DATABASE_IF, 0, 0 },
	{ STEP_DROP_DATABASE, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_NEEDS_IDLE_DATABASE },
	{ STEP_DROP_DATABASE_IF, WORD_EXISTS, STEP_DROP_DATABASE_NAME, 0, 0 },
	{ STEP_DROP_DATABASE_IF, TOKEN_ANY, STEP_NONE, ACT_LOSE, 0 },           /* A database called if. */
	{ STEP_DROP_DATABASE_NAME, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_NEEDS_IDLE_DATABASE },

	{ STEP_EXECUTE, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_EXECUTES },
	{ STEP_EXPLAIN, WORD_EXECUTE, STEP_EXPLAIN_EXECUTE, 0, SCAN_EXECUTES | SCAN_WRITES },
	{ STEP_EXPLAIN, WORD_CREATE, STEP_EXPLAIN, 0, SCAN_WRITES },
	{ STEP_EXPLAIN, WORD_REFRESH, STEP_EXPLAIN, 0, SCAN_WRITES },
	{ STEP_EXPLAIN_EXECUTE, TOKEN_ANY, STEP_EXPLAIN, ACT_NAME, SCAN_EXECUTES },     /* If it was none, another comes. */
	{ STEP_PREPARE, WORD_TRANSACTION, STEP_PREPARE_TRANSACTION, 0, 0 },
	{ STEP_PREPARE, TOKEN_ANY, STEP_NONE, ACT_NAME, SCAN_PREPARES },
	{ STEP_PREPARE_TRANSACTION, TOKEN_STRING, STEP_NONE, 0, SCAN_ENDS },
	{ STEP_PREPARE_TRANSACTION, TOKEN_ANY, STEP_NONE, ACT_NAMED_TRANSACTION, SCAN_PREPARES },

	{ STEP_SET, WORD_LOCAL, STEP_SET_LOCAL, 0, 0 },
	{ STEP_SET, WORD_TRANSACTION, STEP_SET_PASSING, 0, 0 },
	{ STEP_SET, WORD_CONSTRAINTS, STEP_SET_PASSING, 0, 0 },
	{ STEP_SET, WORD_SESSION, STEP_RESET, 0, SCAN_SETS },
	{ STEP_SET, TOKEN_ANY, STEP_SETTING, ACT_SETTING, SCAN_SETS },
	/* LOCAL, TRANSACTION and CONSTRAINTS may also be a setting, or the first part of one. */
	{ STEP_SET_LOCAL, TOKEN_DOT, STEP_SETTING_DOT, ACT_SETTING_BEFORE, SCAN_SETS | SCAN_SETS_CUSTOM },
	{ STEP_SET_LOCAL, TOKEN_EQUALS, STEP_NONE, 0, SCAN_SETS },
	{ STEP_SET_LOCAL, WORD_TO, STEP_NONE, 0, SCAN_SETS },
	{ STEP_SET_LOCAL, WORD_FROM, STEP_NONE, 0, SCAN_SETS },
	{ STEP_SET_LOCAL, TOKEN_ANY, STEP_SETTING, ACT_SETTING, SCAN_SETS_LOCAL },
	{ STEP_SET_PASSING, TOKEN_DOT, STEP_SETTING_DOT, ACT_SETTING_BEFORE, SCAN_SETS | SCAN_SETS_CUSTOM },
	{ STEP_SET_PASSING, TOKEN_EQUALS, STEP_NONE, 0, SCAN_SETS },
	{ STEP_SET_PASSING, WORD_TO, STEP_NONE, 0, SCAN_SETS },
	{ STEP_SET_PASSING, WORD_FROM, STEP_NONE, 0, SCAN_SETS },
	{ STEP_SET_PASSING, TOKEN_ANY, STEP_NONE, 0, 0 },
	{ STEP_RESET, TOKEN_DOT, STEP_SETTING_DOT, ACT_SETTING_BEFORE, SCAN_SETS_CUSTOM },      /* SET session.x */
	{ STEP_RESET, TOKEN_ANY, STEP_SETTING, ACT_SETTING, 0 },
	{ STEP_SETTING, TOKEN_DOT, STEP_SETTING_DOT, 0, SCAN_SETS_CUSTOM },
	{ STEP_SETTING, TOKEN_ANY, STEP_NONE, ACT_SETTING_ENDS, 0 },
	{ STEP_SETTING_DOT, TOKEN_ANY, STEP_SETTING, ACT_SETTING_PART, 0 },
};

/* What the first word says by itself. A kind that is not here begins a statement of which we know that it is no read. */
static const struct verb {
	uint8_t step;
	bool reads;
	uint32_t effects;
} verbs[TOKEN_KINDS] = {
	[WORD_ABORT] = { STEP_COMMIT, false, 0 },
	[WORD_ALTER] = { STEP_ALTER, false, 0 },
	[WORD_BEGIN] = { STEP_NONE, false, SCAN_BEGINS },
	[WORD_CALL] = { STEP_NONE, false, SCAN_RUNS_CODE },
	[WORD_CLOSE] = { STEP_CLOSE, false, SCAN_CLOSES },
	[WORD_COMMIT] = { STEP_COMMIT, false, 0 },
	[WORD_CREATE] = { STEP_CREATE, false, 0 },
	[WORD_DEALLOCATE] = { STEP_DEALLOCATE, false, SCAN_DEALLOCATES },
	[WORD_DECLARE] = { STEP_DECLARE, false, 0 },
	[WORD_DISCARD] = { STEP_DISCARD, false, SCAN_DISCARDS },
	[WORD_DO] = { STEP_NONE, false, SCAN_RUNS_CODE },
	[WORD_DROP] = { STEP_DROP, false, SCAN_DROPS },
	[WORD_END] = { STEP_COMMIT, false, 0 },
	[WORD_EXECUTE] = { STEP_EXECUTE, false, SCAN_EXECUTES },
	[WORD_EXPLAIN] = { STEP_EXPLAIN, true, 0 },
	[WORD_FETCH] = { STEP_NONE, true, 0 },
	[WORD_LISTEN] = { STEP_LISTEN, false, SCAN_LISTENS },
	[WORD_LOAD] = { STEP_NONE, false, SCAN_LOADS },
	[WORD_NOTIFY] = { STEP_NONE, false, SCAN_NOTIFIES },
	[WORD_PREPARE] = { STEP_PREPARE, false, 0 },
	[WORD_RELEASE] = { STEP_NONE, false, SCAN_SAVEPOINTS },
	[WORD_RESET] = { STEP_RESET, false, SCAN_SETS },
	[WORD_ROLLBACK] = { STEP_ROLLBACK, false, 0 },
	[WORD_SAVEPOINT] = { STEP_NONE, false, SCAN_SAVEPOINTS },
	[WORD_SELECT] = { STEP_NONE, true, 0 },
	[WORD_SET] = { STEP_SET, false, 0 },
	[WORD_SHOW] = { STEP_NONE, true, 0 },
	[WORD_START] = { STEP_NONE, false, SCAN_BEGINS },
	[WORD_TABLE] = { STEP_NONE, true, 0 },
	[WORD_UNLISTEN] = { STEP_UNLISTEN, false, SCAN_UNLISTENS },
	[WORD_VALUES] = { STEP_NONE, true, 0 },
	[WORD_WITH] = { STEP_NONE, true, 0 },
};

static void note_setting(struct scan *scan, uint8_t kind)
{
	if (kind == WORD_SEED || (kind == TOKEN_QUOTED && scan->word && scan->word->kind == WORD_SEED))
		scan->effects |= SCAN_SEEDS;
	if (kind >= TOKEN_NAME)
		scan_settings_begin(scan);
	else
		scan->step = STEP_NONE;
}

static void note_clause(struct scan *scan, uint8_t kind)
{
	if (kind >= TOKEN_NAME)
		scan_settings_begin(scan);
	else
		scan->step = scan->step == STEP_ROUTINE_SETTING ? STEP_ROUTINE : STEP_ALTER_REST;
}

static void act(struct scan *scan, const struct row *row, uint8_t kind)
{
	switch ((enum act)row->act) {
	case ACT_NONE:
		break;
	case ACT_NAME:
		if (kind >= TOKEN_NAME)
			scan_names_push(scan, row->effects, false);
		break;
	case ACT_NAME_PROVISIONAL:
		if (kind < TOKEN_NAME)
			scan->step = STEP_NONE;
		else
			scan_names_push_provisionally(scan, SCAN_NEEDS_IDLE_DATABASE);
		break;
	case ACT_NO_NAME:
		scan_names_pop(scan);
		break;
	case ACT_ALL:
		scan_names_push(scan, row->effects, true);
		break;
	case ACT_LOSE:
		scan_names_lose(scan);
		break;
	case ACT_NAMED_PREPARE:
		scan_names_push_text(scan, row->effects, "prepare");
		break;
	case ACT_NAMED_TRANSACTION:
		scan_names_push_text(scan, row->effects, "transaction");
		break;
	case ACT_SETTING:
		note_setting(scan, kind);
		break;
	case ACT_SETTING_BEFORE:
		scan_settings_begin(scan);
		break;
	case ACT_SETTING_PART:
		if (kind >= TOKEN_NAME)
			scan_settings_go_on(scan);
		break;
	case ACT_SETTING_ENDS:
		scan_settings_end(scan);
		break;
	case ACT_NO_NAME_BUT_CLAUSE:
		scan_names_pop(scan);
		note_clause(scan, kind);
		break;
	case ACT_CLAUSE:
		note_clause(scan, kind);
		break;
	}
}

static void start(struct scan *scan, uint8_t kind)
{
	const struct verb *verb = &verbs[kind];

	if (kind == TOKEN_OPEN || kind == TOKEN_END)
		return;
	scan->statements++;
	scan->step = verb->step;
	scan->effects |= verb->effects | (verb->reads ? 0 : SCAN_WRITES);
	if (kind == WORD_SHOW || kind == WORD_FETCH)
		scan->facts |= kind == WORD_SHOW ? SCAN_SHOWS : SCAN_FETCHES;
}

/* BEGIN ATOMIC is a body only outside parentheses; inside, it is an argument's name and type. */
static bool is_out_of_place(const struct scan *scan)
{
	return (scan->step == STEP_ROUTINE || scan->step == STEP_ROUTINE_BEGIN) && scan->depth > 0;
}

void scan_statement_step(struct scan *scan, uint8_t kind)
{
	if (scan->step == STEP_START) {
		start(scan, kind);
		return;
	}
	if (scan->step >= STEP_SET_CONFIG) {
		if (scan->step == STEP_SET_CONFIG)
			scan_settings_step(scan, kind);
		return;
	}
	if (is_out_of_place(scan))
		return;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];

		if (row->step != scan->step || (row->kind != kind && row->kind != TOKEN_ANY))
			continue;
		scan->effects |= row->effects;
		scan->step = row->next;
		act(scan, row, kind);
		return;
	}
}

/* Words that mean something in the middle of a statement, whatever it is. */
void scan_statement_note(struct scan *scan, uint8_t kind)
{
	uint8_t before = scan->previous;

	switch (kind) {
	case WORD_TEMPORARY:
		if (before == WORD_CREATE || before == WORD_REPLACE || before == WORD_LOCAL || before == WORD_GLOBAL
			|| before == WORD_INTO)
			scan->effects |= SCAN_TEMPORARY;
		break;
	case WORD_MERGE:
	case WORD_INSERT:
	case WORD_UPDATE:
	case WORD_DELETE:
	case WORD_INTO:
		/* AS may be a column's name itself: AS as INTO t. */
		if (before != WORD_AS || scan->before == WORD_AS)
			scan->effects |= SCAN_WRITES;
		if (kind == WORD_UPDATE && (before == WORD_FOR || before == WORD_KEY))
			scan->facts |= SCAN_LOCKS_ROWS;
		break;
	case WORD_SHARE:
		if (before != WORD_FOR && before != WORD_KEY)
			break;
		scan->effects |= SCAN_WRITES;
		scan->facts |= SCAN_LOCKS_ROWS;
		break;
	case TOKEN_NAME:                /* There are set_config, and pg_settings, of which an UPDATE sets. */
		if (scan->word->effects & SCAN_CALLS_SET_CONFIG)
			scan_settings_call(scan);
		else if (scan->effects & SCAN_WRITES)
			scan->effects |= SCAN_SETS;
		break;
	default:
		break;
	}
	scan->joined |= kind == WORD_JOIN || kind == WORD_MERGE;
	scan->call_behind_close |= kind == WORD_ON && before == WORD_DISTINCT;
}

/* At a semicolon outside parentheses, and at the end of the text. */
void scan_statement_end(struct scan *scan)
{
	if (scan->step == STEP_BODY || scan->step == STEP_BODY_START) {
		scan->step = STEP_BODY_START;
		return;
	}
	if (scan->step != STEP_NONE)
		scan_statement_step(scan, TOKEN_END);
	scan->step = STEP_START;
	scan->joined = scan->call_behind_close = false;
}
