/* What a text does, as PostgreSQL's own parse tree tells: by the types of its nodes, with no look at the text.
 *
 * Nodes come as {"SelectStmt": {…}}; some fields are nodes without that wrapping. */
#include "expected.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "pgweir/check.h"
#include "scan_internal.h"

static const char *text_of(json_t *node, const char *field)
{
	const char *text = json_string_value(json_object_get(node, field));

	return text ? text : "";
}

static void add_name(struct expected *expected, uint32_t effect, const char *text)
{
	expected->effects |= effect;
	if (expected->names_count < EXPECTED_NAMES_MAX)
		expected->names[expected->names_count++] = (struct expected_name){ .effect = effect, .text = text };
}

static void set_statement(struct expected *expected, json_t *body)
{
	const char *kind = text_of(body, "kind"), *name = text_of(body, "name");
	bool local = json_is_true(json_object_get(body, "is_local"));

	if (strcmp(kind, "VAR_SET_MULTI") == 0 && strncmp(name, "TRANSACTION", 11) == 0)
		return;
	expected->effects |= local ? SCAN_SETS_LOCAL : SCAN_SETS;
	if (strchr(name, '.'))
		add_name(expected, SCAN_SETS_CUSTOM, name);
	if (strcasecmp(name, "seed") == 0 && strncmp(kind, "VAR_RESET", 9) != 0)
		expected->effects |= SCAN_SEEDS;
}

static void transaction_statement(struct expected *expected, json_t *body)
{
	static const struct {
		const char *kind;
		uint32_t effects;
	} kinds[] = {
		{ "TRANS_STMT_BEGIN", SCAN_BEGINS }, { "TRANS_STMT_START", SCAN_BEGINS }, { "TRANS_STMT_COMMIT", SCAN_ENDS },
		{ "TRANS_STMT_ROLLBACK", SCAN_ENDS }, { "TRANS_STMT_PREPARE", SCAN_ENDS }, { "TRANS_STMT_SAVEPOINT", SCAN_SAVEPOINTS },
		{ "TRANS_STMT_RELEASE", SCAN_SAVEPOINTS }, { "TRANS_STMT_ROLLBACK_TO", SCAN_SAVEPOINTS },
		{ "TRANS_STMT_COMMIT_PREPARED", 0 }, { "TRANS_STMT_ROLLBACK_PREPARED", 0 },
	};
	/* The first of an enum may be left out of the tree. */
	const char *kind = json_object_get(body, "kind") ? text_of(body, "kind") : "TRANS_STMT_BEGIN";

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i].kind) == 0)
			expected->effects |= kinds[i].effects;
	if (json_is_true(json_object_get(body, "chain")))
		expected->effects |= SCAN_BEGINS;
}

static void declare_statement(struct expected *expected, json_t *body)
{
	if (json_integer_value(json_object_get(body, "options")) & 0x20)        /* CURSOR_OPT_HOLD */
		expected->effects |= SCAN_HOLDS;
}

static void named(struct expected *expected, uint32_t effect, json_t *body, const char *field)
{
	add_name(expected, effect, json_string_value(json_object_get(body, field)));
}

static void close_statement(struct expected *expected, json_t *body)
{
	named(expected, SCAN_CLOSES, body, "portalname");
}

static void deallocate_statement(struct expected *expected, json_t *body)
{
	named(expected, SCAN_DEALLOCATES, body, "name");
}

static void prepare_statement(struct expected *expected, json_t *body)
{
	named(expected, SCAN_PREPARES, body, "name");
}

static void listen_statement(struct expected *expected, json_t *body)
{
	named(expected, SCAN_LISTENS, body, "conditionname");
}

static void unlisten_statement(struct expected *expected, json_t *body)
{
	named(expected, SCAN_UNLISTENS, body, "conditionname");
}

static void drop_database_statement(struct expected *expected, json_t *body)
{
	expected->effects |= SCAN_DROPS;
	named(expected, SCAN_NEEDS_IDLE_DATABASE, body, "dbname");
}

static void rename_statement(struct expected *expected, json_t *body)
{
	if (strcmp(text_of(body, "renameType"), "OBJECT_DATABASE") == 0)
		named(expected, SCAN_NEEDS_IDLE_DATABASE, body, "subname");
}

static json_t *option(json_t *body, const char *name)
{
	size_t i;
	json_t *each;

	json_array_foreach(json_object_get(body, "options"), i, each) {
		json_t *element = json_object_get(each, "DefElem");

		if (strcmp(text_of(element, "defname"), name) == 0)
			return element;
	}
	return NULL;
}

static void alter_database_statement(struct expected *expected, json_t *body)
{
	if (option(body, "tablespace"))
		named(expected, SCAN_NEEDS_IDLE_DATABASE, body, "dbname");
}

static void create_database_statement(struct expected *expected, json_t *body)
{
	json_t *value = json_object_get(option(body, "template"), "arg");

	expected->effects |= SCAN_NEEDS_IDLE_DATABASE;
	if (value)
		named(expected, SCAN_NEEDS_IDLE_DATABASE, json_object_get(value, "String"), "sval");
}

/* SET or RESET among the clauses of another statement. */
static void setting_clause(struct expected *expected, json_t *body)
{
	json_t *name = json_object_get(body, "name");

	if (name && strchr(json_string_value(name), '.'))
		add_name(expected, SCAN_SETS_CUSTOM, json_string_value(name));
}

static void alter_setting_statement(struct expected *expected, json_t *body)
{
	setting_clause(expected, json_object_get(body, "setstmt"));
}

static void routine_statement(struct expected *expected, json_t *body)
{
	json_t *options = json_object_get(body, "options"), *each;
	size_t i;

	json_array_foreach (options ? options : json_object_get(body, "actions"), i, each) {
		json_t *element = json_object_get(each, "DefElem");

		if (strcmp(text_of(element, "defname"), "set") == 0)
			setting_clause(expected, json_object_get(json_object_get(element, "arg"), "VariableSetStmt"));
	}
}

/* Statements by the type of their node. */
static const struct {
	const char *type;
	uint32_t effects;
	void (*look)(struct expected *expected, json_t *body);
} statements[] = {
	{ "VariableSetStmt", 0, set_statement },
	{ "TransactionStmt", 0, transaction_statement },
	{ "DeclareCursorStmt", 0, declare_statement },
	{ "PrepareStmt", 0, prepare_statement },
	{ "DeallocateStmt", 0, deallocate_statement },
	{ "ListenStmt", 0, listen_statement },
	{ "UnlistenStmt", 0, unlisten_statement },
	{ "ClosePortalStmt", 0, close_statement },
	{ "DropdbStmt", 0, drop_database_statement },
	{ "CreatedbStmt", 0, create_database_statement },
	{ "RenameStmt", 0, rename_statement },
	{ "AlterDatabaseStmt", 0, alter_database_statement },
	{ "AlterRoleSetStmt", 0, alter_setting_statement },
	{ "AlterDatabaseSetStmt", 0, alter_setting_statement },
	{ "CreateFunctionStmt", 0, routine_statement },
	{ "AlterFunctionStmt", 0, routine_statement },
	{ "NotifyStmt", SCAN_NOTIFIES, NULL },
	{ "LoadStmt", SCAN_LOADS, NULL },
	{ "DiscardStmt", SCAN_DISCARDS, NULL },
	{ "DropStmt", SCAN_DROPS, NULL },
	{ "DropRoleStmt", SCAN_DROPS, NULL },
	{ "DropOwnedStmt", SCAN_DROPS, NULL },
	{ "DropTableSpaceStmt", SCAN_DROPS, NULL },
	{ "DropSubscriptionStmt", SCAN_DROPS, NULL },
	{ "DropUserMappingStmt", SCAN_DROPS, NULL },
	{ "AlterObjectSchemaStmt", SCAN_DROPS, NULL },
	{ "DoStmt", SCAN_RUNS_CODE, NULL },
	{ "CallStmt", SCAN_RUNS_CODE, NULL },
};

static const char *const reads[] = { "SelectStmt", "ExplainStmt", "VariableShowStmt", "FetchStmt" };

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

static void explained(struct expected *expected, json_t *body)
{
	const char *type = json_object_iter_key(json_object_iter(json_object_get(body, "query")));

	if (type && strcmp(type, "SelectStmt") != 0 && strcmp(type, "DeclareCursorStmt") != 0)
		expected->effects |= SCAN_WRITES;
}

static void statement(struct expected *expected, const char *type, json_t *body)
{
	if (!is_one_of(type, reads, ARRAY_LEN(reads)))
		expected->effects |= SCAN_WRITES;
	if (strcmp(type, "ExplainStmt") == 0)
		explained(expected, body);
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		if (strcmp(type, statements[i].type) != 0)
			continue;
		expected->effects |= statements[i].effects;
		if (statements[i].look)
			statements[i].look(expected, body);
	}
}

static const struct {
	const char *name;
	uint32_t effects;
} functions[] = {
	{ "set_config", SCAN_CALLS_SET_CONFIG }, { "setseed", SCAN_SEEDS }, { "nextval", SCAN_SEQUENCE_USE }, { "setval", SCAN_SEQUENCE_USE },
	{ "currval", SCAN_SEQUENCE_ASK }, { "lastval", SCAN_SEQUENCE_ASK }, { "pg_notify", SCAN_NOTIFIES },
	{ "pg_advisory_lock", SCAN_LOCKS }, { "pg_advisory_lock_shared", SCAN_LOCKS }, { "pg_try_advisory_lock", SCAN_LOCKS },
	{ "pg_try_advisory_lock_shared", SCAN_LOCKS }, { "pg_advisory_unlock", SCAN_UNLOCKS },
	{ "pg_advisory_unlock_shared", SCAN_UNLOCKS }, { "pg_advisory_unlock_all", SCAN_UNLOCKS },
};

/* Which functions are harmless is the scanner's to say; what is a call is the tree's. */
static bool is_harmless(const char *name)
{
	size_t size = strlen(name);
	const struct scan_word *word = scan_word_find(scan_word_spell(name, size), name, size);

	return word && strcmp(word->text, name) == 0 && (word->effects || (word->known & KNOWN_HARMLESS));
}

/* What is cast, if it is. */
static json_t *uncast(json_t *argument)
{
	json_t *cast = json_object_get(argument, "TypeCast");

	return cast ? json_object_get(cast, "arg") : argument;
}

static void first_of_set_config(struct expected *expected, json_t *argument)
{
	json_t *constant = json_object_get(json_object_get(argument, "A_Const"), "sval");
	json_t *number = json_object_get(json_object_get(argument, "ParamRef"), "number");

	if (constant) {
		if (strchr(text_of(constant, "sval"), '.'))
			add_name(expected, SCAN_SETS_CUSTOM, text_of(constant, "sval"));
		return;
	}
	/* It spells no name, and is no text. */
	if (json_object_get(json_object_get(argument, "A_Const"), "bsval"))
		return;
	expected->effects |= SCAN_SETS_CUSTOM;
	if (!number || expected->names_count == EXPECTED_NAMES_MAX) {
		expected->loses |= !number;
		return;
	}
	add_name(expected, SCAN_SETS_CUSTOM, "");
	expected->names[expected->names_count - 1].parameter = (unsigned)json_integer_value(number);
}

static bool is_true(json_t *argument)
{
	json_t *constant = json_object_get(argument, "A_Const");
	const char *text = text_of(json_object_get(constant, "sval"), "sval");

	return strcasecmp(text, "t") == 0 || strcasecmp(text, "true") == 0
		|| json_is_true(json_object_get(json_object_get(constant, "boolval"), "boolval"));
}

static void set_config(struct expected *expected, json_t *arguments)
{
	size_t count = json_array_size(arguments);

	expected->sets_somehow = true;
	if (count > 0)
		first_of_set_config(expected, uncast(json_array_get(arguments, 0)));
	/* With another number of arguments there is no such function. */
	if (count == 3 && !is_true(uncast(json_array_get(arguments, 2))))
		expected->effects |= SCAN_SETS;
}

static void call(struct expected *expected, json_t *body)
{
	json_t *parts = json_object_get(body, "funcname");
	size_t count = json_array_size(parts);
	const char *name = text_of(json_object_get(json_array_get(parts, count - 1), "String"), "sval");
	const char *schema = count > 1 ? text_of(json_object_get(json_array_get(parts, count - 2), "String"), "sval") : "";
	const char *format = text_of(body, "funcformat");

	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (strcmp(name, functions[i].name) == 0)
			expected->effects |= functions[i].effects;
	if (strcmp(name, "set_config") == 0)
		set_config(expected, json_object_get(body, "args"));
	/* EXTRACT and its like, LIKE and SIMILAR TO with ESCAPE. */
	if (strcmp(format, "COERCE_SQL_SYNTAX") == 0 || strcmp(name, "similar_to_escape") == 0 || strcmp(name, "like_escape") == 0)
		return;
	if ((*schema && strcmp(schema, "pg_catalog") != 0) || !is_harmless(name))
		add_name(expected, SCAN_CALLS, name);
	if (strncmp(schema, "pg_temp", 7) == 0)
		expected->effects |= SCAN_TEMPORARY;
}

/* A word of letters that is one of time, as PostgreSQL cuts a date into words. */
static bool has_time_word(const char *text)
{
	static const char *const words[] = { "now", "today", "tomorrow", "yesterday" };

	while (*text) {
		size_t size = 0;

		while (isalpha((unsigned char)text[size]))
			size++;
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (size == strlen(words[i]) && strncasecmp(text, words[i], size) == 0)
				return true;
		text += size ? size : 1;
	}
	return false;
}

static void node(struct expected *expected, const char *type, json_t *body)
{
	static const char *const writes[] = { "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "LockingClause" };

	if (is_one_of(type, writes, ARRAY_LEN(writes)) || strcmp(type, "intoClause") == 0)
		expected->effects |= SCAN_WRITES;
	if (strcmp(type, "FuncCall") == 0 || strcmp(type, "funccall") == 0)
		call(expected, body);
	if (strcmp(type, "ExecuteStmt") == 0)
		named(expected, SCAN_EXECUTES, body, "name");
	if (strcmp(type, "A_Const") == 0 && has_time_word(text_of(json_object_get(body, "sval"), "sval")))
		expected->effects |= SCAN_TIME_LITERAL;
	if (strcmp(text_of(body, "relpersistence"), "t") == 0 || strncmp(text_of(body, "schemaname"), "pg_temp", 7) == 0)
		expected->effects |= SCAN_TEMPORARY;
}

static void walk(struct expected *expected, json_t *tree)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(tree)) {
		json_object_foreach(tree, key, value) {
			if (json_is_object(value))
				node(expected, key, value);
			walk(expected, value);
		}
	}
	json_array_foreach(tree, i, value)
		walk(expected, value);
}

void expected_from_tree(struct expected *expected, json_t *tree)
{
	size_t i;
	json_t *each, *stmts = json_object_get(tree, "stmts");

	*expected = (struct expected){ .statements = (uint32_t)json_array_size(stmts) };
	json_array_foreach(stmts, i, each) {
		json_t *wrapped = json_object_get(each, "stmt");
		void *first = json_object_iter(wrapped);

		statement(expected, json_object_iter_key(first), json_object_iter_value(first));
	}
	walk(expected, stmts);
}
