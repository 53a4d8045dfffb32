/* The words that the scanner knows, and how it finds them: by a hash of the first 16 bytes in lower case.
 * long: the words.
 *
 * The index is made before main(), so that no text needs to ask whether it is there. */
#include <strings.h>

#include "scan_internal.h"

#define WORD(spelled, its_effects, its_kind, is_known) \
	{ .text = spelled, .effects = its_effects, .kind = its_kind, .known = is_known }

/* Reserved words and those that cannot be a function's name, of which nothing else is to be known. */
#define KEYWORD(word) { .text = word, .kind = TOKEN_KEYWORD, .known = KNOWN_KEYWORD }

/* PostgreSQL's own functions (and what looks like one: types, methods of sampling) that write nothing and leave nothing
 * behind. None that runs SQL given as text, that reads a setting, or that answers otherwise on a replica. */
#define HARMLESS(word) { .text = word, .kind = TOKEN_NAME, .known = KNOWN_HARMLESS }

struct scan_word scan_words[] = {
	{ .text = "" },         /* Index 0 is none. */
	WORD("abort", 0, WORD_ABORT, 0),
	WORD("all", 0, WORD_ALL, KNOWN_KEYWORD),
	WORD("alter", 0, WORD_ALTER, 0),
	WORD("as", 0, WORD_AS, KNOWN_KEYWORD),
	WORD("atomic", 0, WORD_ATOMIC, 0),
	WORD("begin", 0, WORD_BEGIN, 0),
	WORD("by", 0, WORD_BY, 0),
	WORD("call", 0, WORD_CALL, 0),
	WORD("chain", 0, WORD_CHAIN, 0),
	WORD("close", 0, WORD_CLOSE, 0),
	WORD("commit", 0, WORD_COMMIT, 0),
	WORD("conflict", 0, WORD_CONFLICT, 0),
	WORD("constraints", 0, WORD_CONSTRAINTS, 0),
	WORD("copy", 0, TOKEN_KEYWORD, KNOWN_NAMING),
	WORD("create", 0, WORD_CREATE, KNOWN_KEYWORD),
	WORD("currval", SCAN_SEQUENCE_ASK, TOKEN_NAME, 0),
	WORD("database", 0, WORD_DATABASE, 0),
	WORD("deallocate", 0, WORD_DEALLOCATE, 0),
	WORD("declare", 0, WORD_DECLARE, 0),
	WORD("default", 0, WORD_DEFAULT, KNOWN_KEYWORD),
	WORD("delete", 0, WORD_DELETE, KNOWN_NOTED),
	WORD("discard", 0, WORD_DISCARD, 0),
	WORD("distinct", 0, WORD_DISTINCT, KNOWN_KEYWORD),
	WORD("do", 0, WORD_DO, KNOWN_KEYWORD),
	WORD("drop", 0, WORD_DROP, 0),
	WORD("end", 0, WORD_END, KNOWN_KEYWORD),
	WORD("escape", 0, TOKEN_KEYWORD, 0),
	WORD("execute", 0, WORD_EXECUTE, KNOWN_NAMING),
	WORD("exists", 0, WORD_EXISTS, KNOWN_KEYWORD | KNOWN_NAMING),
	WORD("explain", 0, WORD_EXPLAIN, 0),
	WORD("fetch", 0, WORD_FETCH, KNOWN_KEYWORD),
	WORD("filter", 0, WORD_FILTER, 0),
	WORD("for", 0, WORD_FOR, KNOWN_KEYWORD),
	WORD("foreign", 0, WORD_FOREIGN, KNOWN_KEYWORD),
	WORD("from", 0, WORD_FROM, KNOWN_KEYWORD),
	WORD("function", 0, WORD_ROUTINE, 0),
	WORD("global", 0, WORD_GLOBAL, 0),
	WORD("group", 0, WORD_GROUP, KNOWN_KEYWORD),
	WORD("grouping", 0, WORD_GROUPING, KNOWN_KEYWORD),
	WORD("groups", 0, TOKEN_KEYWORD, 0),
	WORD("hold", 0, WORD_HOLD, 0),
	WORD("if", 0, WORD_IF, 0),
	WORD("ilike", 0, WORD_LIKE, KNOWN_INFIX),
	WORD("insert", 0, WORD_INSERT, KNOWN_NOTED),
	WORD("into", 0, WORD_INTO, KNOWN_KEYWORD | KNOWN_NAMING | KNOWN_NOTED),
	WORD("join", 0, WORD_JOIN, KNOWN_INFIX | KNOWN_NOTED),
	WORD("key", 0, WORD_KEY, 0),
	WORD("lastval", SCAN_SEQUENCE_ASK, TOKEN_NAME, 0),
	WORD("like", 0, WORD_LIKE, KNOWN_HARMLESS | KNOWN_INFIX),
	WORD("listen", 0, WORD_LISTEN, 0),
	WORD("load", 0, WORD_LOAD, 0),
	WORD("local", 0, WORD_LOCAL, 0),
	WORD("merge", 0, WORD_MERGE, KNOWN_NOTED),
	WORD("move", 0, WORD_FETCH, 0),
	WORD("nextval", SCAN_SEQUENCE_USE, TOKEN_NAME, 0),
	WORD("no", 0, WORD_NO, 0),
	WORD("notify", 0, WORD_NOTIFY, 0),
	WORD("on", 0, WORD_ON, KNOWN_KEYWORD | KNOWN_NOTED),
	WORD("operator", 0, WORD_OPERATOR, 0),
	WORD("or", 0, WORD_OR, KNOWN_KEYWORD),
	WORD("order", 0, WORD_ORDER, KNOWN_KEYWORD),
	WORD("over", 0, WORD_OVER, 0),
	WORD("overlaps", 0, TOKEN_NAME, KNOWN_HARMLESS | KNOWN_INFIX),
	WORD("overlay", 0, TOKEN_KEYWORD, KNOWN_KEYWORD | KNOWN_HARMLESS),
	WORD("partition", 0, WORD_PARTITION, 0),
	WORD("pg_advisory_lock", SCAN_LOCKS, TOKEN_NAME, 0),
	WORD("pg_advisory_lock_shared", SCAN_LOCKS, TOKEN_NAME, 0),
	WORD("pg_advisory_unlock", SCAN_UNLOCKS, TOKEN_NAME, 0),
	WORD("pg_advisory_unlock_all", SCAN_UNLOCKS, TOKEN_NAME, 0),
	WORD("pg_advisory_unlock_shared", SCAN_UNLOCKS, TOKEN_NAME, 0),
	WORD("pg_catalog", 0, WORD_PG_CATALOG, 0),
	WORD("pg_notify", SCAN_NOTIFIES, TOKEN_NAME, 0),
	WORD("pg_settings", 0, TOKEN_NAME, KNOWN_NOTED),
	WORD("pg_temp", SCAN_TEMPORARY, TOKEN_NAME, 0),
	WORD("pg_try_advisory_lock", SCAN_LOCKS, TOKEN_NAME, 0),
	WORD("pg_try_advisory_lock_shared", SCAN_LOCKS, TOKEN_NAME, 0),
	WORD("prepare", 0, WORD_PREPARE, KNOWN_NAMING),
	WORD("prepared", 0, WORD_PREPARED, 0),
	WORD("primary", 0, WORD_PRIMARY, KNOWN_KEYWORD),
	WORD("procedure", 0, WORD_ROUTINE, 0),
	WORD("range", 0, TOKEN_KEYWORD, 0),
	WORD("recursive", 0, TOKEN_KEYWORD, KNOWN_NAMING),
	WORD("references", 0, TOKEN_KEYWORD, KNOWN_KEYWORD | KNOWN_NAMING),
	WORD("refresh", 0, WORD_REFRESH, 0),
	WORD("release", 0, WORD_RELEASE, 0),
	WORD("rename", 0, WORD_RENAME, 0),
	WORD("replace", 0, WORD_REPLACE, KNOWN_HARMLESS),
	WORD("reset", 0, WORD_RESET, 0),
	WORD("return", 0, TOKEN_KEYWORD, 0),
	WORD("rollback", 0, WORD_ROLLBACK, 0),
	WORD("rows", 0, TOKEN_KEYWORD, 0),
	WORD("savepoint", 0, WORD_SAVEPOINT, 0),
	WORD("schema", 0, WORD_SCHEMA, 0),
	WORD("seed", 0, WORD_SEED, 0),
	WORD("select", 0, WORD_SELECT, KNOWN_KEYWORD),
	WORD("session", 0, WORD_SESSION, 0),
	WORD("set", 0, WORD_SET, 0),
	WORD("set_config", SCAN_CALLS_SET_CONFIG, TOKEN_NAME, KNOWN_NOTED),
	WORD("sets", 0, WORD_SETS, 0),
	WORD("setseed", SCAN_SEEDS, TOKEN_NAME, 0),
	WORD("setval", SCAN_SEQUENCE_USE, TOKEN_NAME, 0),
	WORD("share", 0, WORD_SHARE, KNOWN_NOTED),
	WORD("show", 0, WORD_SHOW, 0),
	WORD("start", 0, WORD_START, 0),
	WORD("substring", 0, TOKEN_KEYWORD, KNOWN_KEYWORD | KNOWN_HARMLESS),
	WORD("table", 0, WORD_TABLE, KNOWN_KEYWORD | KNOWN_NAMING),
	WORD("tablespace", 0, WORD_TABLESPACE, 0),
	WORD("temp", 0, WORD_TEMPORARY, KNOWN_NOTED),
	WORD("template", 0, WORD_TEMPLATE, 0),
	WORD("temporary", 0, WORD_TEMPORARY, KNOWN_NOTED),
	WORD("to", 0, WORD_TO, KNOWN_KEYWORD),
	WORD("transaction", 0, WORD_TRANSACTION, 0),
	WORD("unlisten", 0, WORD_UNLISTEN, 0),
	WORD("update", 0, WORD_UPDATE, KNOWN_NOTED),
	WORD("values", 0, WORD_VALUES, KNOWN_KEYWORD),
	WORD("with", 0, WORD_WITH, KNOWN_KEYWORD | KNOWN_NAMING),
	WORD("work", 0, WORD_WORK, 0),
	WORD("zone", 0, TOKEN_KEYWORD, 0),

	KEYWORD("analyse"), KEYWORD("analyze"), KEYWORD("and"), KEYWORD("any"), KEYWORD("array"), KEYWORD("asc"),
	KEYWORD("asymmetric"), KEYWORD("between"), KEYWORD("bigint"), KEYWORD("bit"), KEYWORD("boolean"), KEYWORD("both"),
	KEYWORD("case"), KEYWORD("cast"), KEYWORD("char"), KEYWORD("character"), KEYWORD("check"), KEYWORD("coalesce"),
	KEYWORD("collate"), KEYWORD("column"), KEYWORD("constraint"), KEYWORD("current_catalog"), KEYWORD("current_date"),
	KEYWORD("current_role"), KEYWORD("current_time"), KEYWORD("current_timestamp"), KEYWORD("current_user"),
	KEYWORD("dec"), KEYWORD("decimal"), KEYWORD("deferrable"), KEYWORD("desc"), KEYWORD("else"), KEYWORD("except"),
	KEYWORD("extract"), KEYWORD("false"), KEYWORD("float"), KEYWORD("grant"), KEYWORD("greatest"), KEYWORD("having"),
	KEYWORD("in"), KEYWORD("initially"), KEYWORD("inout"), KEYWORD("int"), KEYWORD("integer"), KEYWORD("intersect"),
	KEYWORD("interval"), KEYWORD("lateral"), KEYWORD("leading"), KEYWORD("least"), KEYWORD("limit"), KEYWORD("localtime"),
	KEYWORD("localtimestamp"), KEYWORD("national"), KEYWORD("nchar"), KEYWORD("none"), KEYWORD("not"), KEYWORD("null"),
	KEYWORD("nullif"), KEYWORD("numeric"), KEYWORD("offset"), KEYWORD("only"), KEYWORD("out"), KEYWORD("placing"),
	KEYWORD("position"), KEYWORD("precision"), KEYWORD("real"), KEYWORD("returning"), KEYWORD("row"),
	KEYWORD("session_user"), KEYWORD("setof"), KEYWORD("smallint"), KEYWORD("some"), KEYWORD("symmetric"),
	KEYWORD("then"), KEYWORD("time"), KEYWORD("timestamp"), KEYWORD("trailing"), KEYWORD("treat"), KEYWORD("trim"),
	KEYWORD("true"), KEYWORD("union"), KEYWORD("unique"), KEYWORD("user"), KEYWORD("using"), KEYWORD("varchar"),
	KEYWORD("variadic"), KEYWORD("when"), KEYWORD("where"), KEYWORD("window"), KEYWORD("xmlattributes"),
	KEYWORD("xmlconcat"), KEYWORD("xmlelement"), KEYWORD("xmlexists"), KEYWORD("xmlforest"), KEYWORD("xmlnamespaces"),
	KEYWORD("xmlparse"), KEYWORD("xmlpi"), KEYWORD("xmlroot"), KEYWORD("xmlserialize"), KEYWORD("xmltable"),

	HARMLESS("abbrev"), HARMLESS("abs"), HARMLESS("acos"), HARMLESS("age"), HARMLESS("any_value"), HARMLESS("array_agg"),
	HARMLESS("array_append"), HARMLESS("array_cat"), HARMLESS("array_dims"), HARMLESS("array_fill"),
	HARMLESS("array_length"), HARMLESS("array_lower"), HARMLESS("array_ndims"), HARMLESS("array_position"),
	HARMLESS("array_positions"), HARMLESS("array_prepend"), HARMLESS("array_remove"), HARMLESS("array_replace"),
	HARMLESS("array_to_json"), HARMLESS("array_to_string"), HARMLESS("array_upper"), HARMLESS("ascii"), HARMLESS("asin"),
	HARMLESS("atan"), HARMLESS("atan2"), HARMLESS("avg"), HARMLESS("bernoulli"), HARMLESS("bit_and"),
	HARMLESS("bit_length"), HARMLESS("bit_or"), HARMLESS("bit_xor"), HARMLESS("bool"), HARMLESS("bool_and"),
	HARMLESS("bool_or"), HARMLESS("bpchar"), HARMLESS("broadcast"), HARMLESS("btrim"), HARMLESS("cardinality"),
	HARMLESS("cbrt"), HARMLESS("ceil"), HARMLESS("ceiling"), HARMLESS("char_length"), HARMLESS("character_length"),
	HARMLESS("chr"), HARMLESS("clock_timestamp"), HARMLESS("col_description"), HARMLESS("concat"), HARMLESS("concat_ws"),
	HARMLESS("convert"), HARMLESS("convert_from"), HARMLESS("convert_to"), HARMLESS("corr"), HARMLESS("cos"),
	HARMLESS("cot"), HARMLESS("count"), HARMLESS("covar_pop"), HARMLESS("covar_samp"), HARMLESS("cube"),
	HARMLESS("cume_dist"), HARMLESS("current_database"), HARMLESS("current_schema"), HARMLESS("current_schemas"),
	HARMLESS("date"), HARMLESS("date_bin"), HARMLESS("date_part"), HARMLESS("date_trunc"), HARMLESS("daterange"),
	HARMLESS("decode"), HARMLESS("degrees"), HARMLESS("dense_rank"), HARMLESS("div"), HARMLESS("encode"),
	HARMLESS("every"), HARMLESS("exp"), HARMLESS("factorial"), HARMLESS("family"), HARMLESS("first_value"),
	HARMLESS("float4"), HARMLESS("float8"), HARMLESS("floor"), HARMLESS("format"), HARMLESS("format_type"),
	HARMLESS("gcd"), HARMLESS("gen_random_uuid"), HARMLESS("generate_series"), HARMLESS("generate_subscripts"),
	HARMLESS("has_any_column_privilege"), HARMLESS("has_column_privilege"), HARMLESS("has_database_privilege"),
	HARMLESS("has_function_privilege"), HARMLESS("has_schema_privilege"), HARMLESS("has_sequence_privilege"),
	HARMLESS("has_table_privilege"), HARMLESS("host"), HARMLESS("hostmask"), HARMLESS("inet_merge"), HARMLESS("initcap"),
	HARMLESS("int2"), HARMLESS("int4"), HARMLESS("int4range"), HARMLESS("int8"), HARMLESS("int8range"),
	HARMLESS("isempty"), HARMLESS("isfinite"), HARMLESS("json"), HARMLESS("json_agg"), HARMLESS("json_array"),
	HARMLESS("json_array_elements"), HARMLESS("json_array_elements_text"), HARMLESS("json_array_length"),
	HARMLESS("json_arrayagg"), HARMLESS("json_build_array"), HARMLESS("json_build_object"), HARMLESS("json_each"),
	HARMLESS("json_each_text"), HARMLESS("json_extract_path"), HARMLESS("json_extract_path_text"),
	HARMLESS("json_object"), HARMLESS("json_object_agg"), HARMLESS("json_object_keys"), HARMLESS("json_objectagg"),
	HARMLESS("json_populate_record"), HARMLESS("json_populate_recordset"), HARMLESS("json_strip_nulls"),
	HARMLESS("json_to_record"), HARMLESS("json_to_recordset"), HARMLESS("json_typeof"), HARMLESS("jsonb"),
	HARMLESS("jsonb_agg"), HARMLESS("jsonb_array_elements"), HARMLESS("jsonb_array_elements_text"),
	HARMLESS("jsonb_array_length"), HARMLESS("jsonb_build_array"), HARMLESS("jsonb_build_object"), HARMLESS("jsonb_each"),
	HARMLESS("jsonb_each_text"), HARMLESS("jsonb_extract_path"), HARMLESS("jsonb_extract_path_text"),
	HARMLESS("jsonb_insert"), HARMLESS("jsonb_object"), HARMLESS("jsonb_object_agg"), HARMLESS("jsonb_object_keys"),
	HARMLESS("jsonb_path_exists"), HARMLESS("jsonb_path_match"), HARMLESS("jsonb_path_query"),
	HARMLESS("jsonb_path_query_array"), HARMLESS("jsonb_path_query_first"), HARMLESS("jsonb_populate_record"),
	HARMLESS("jsonb_populate_recordset"), HARMLESS("jsonb_pretty"), HARMLESS("jsonb_set"), HARMLESS("jsonb_set_lax"),
	HARMLESS("jsonb_strip_nulls"), HARMLESS("jsonb_to_record"), HARMLESS("jsonb_to_recordset"), HARMLESS("jsonb_typeof"),
	HARMLESS("justify_days"), HARMLESS("justify_hours"), HARMLESS("justify_interval"), HARMLESS("lag"),
	HARMLESS("last_value"), HARMLESS("lcm"), HARMLESS("lead"), HARMLESS("left"), HARMLESS("length"), HARMLESS("ln"),
	HARMLESS("log"), HARMLESS("log10"), HARMLESS("lower"), HARMLESS("lower_inc"), HARMLESS("lower_inf"), HARMLESS("lpad"),
	HARMLESS("ltrim"), HARMLESS("make_date"), HARMLESS("make_interval"), HARMLESS("make_time"),
	HARMLESS("make_timestamp"), HARMLESS("make_timestamptz"), HARMLESS("masklen"), HARMLESS("max"), HARMLESS("md5"),
	HARMLESS("min"), HARMLESS("mod"), HARMLESS("mode"), HARMLESS("netmask"), HARMLESS("network"), HARMLESS("normalize"),
	HARMLESS("now"), HARMLESS("nth_value"), HARMLESS("ntile"), HARMLESS("num_nonnulls"), HARMLESS("num_nulls"),
	HARMLESS("numnode"), HARMLESS("numrange"), HARMLESS("obj_description"), HARMLESS("octet_length"),
	HARMLESS("parse_ident"), HARMLESS("percent_rank"), HARMLESS("percentile_cont"), HARMLESS("percentile_disc"),
	HARMLESS("pg_backend_pid"), HARMLESS("pg_column_size"), HARMLESS("pg_database_size"), HARMLESS("pg_encoding_to_char"),
	HARMLESS("pg_function_is_visible"), HARMLESS("pg_get_constraintdef"), HARMLESS("pg_get_expr"),
	HARMLESS("pg_get_functiondef"), HARMLESS("pg_get_indexdef"), HARMLESS("pg_get_serial_sequence"),
	HARMLESS("pg_get_triggerdef"), HARMLESS("pg_get_userbyid"), HARMLESS("pg_get_viewdef"), HARMLESS("pg_has_role"),
	HARMLESS("pg_indexes_size"), HARMLESS("pg_relation_size"), HARMLESS("pg_size_pretty"), HARMLESS("pg_sleep"),
	HARMLESS("pg_table_is_visible"), HARMLESS("pg_table_size"), HARMLESS("pg_total_relation_size"),
	HARMLESS("pg_type_is_visible"), HARMLESS("pg_typeof"), HARMLESS("phraseto_tsquery"), HARMLESS("pi"),
	HARMLESS("plainto_tsquery"), HARMLESS("power"), HARMLESS("querytree"), HARMLESS("quote_ident"),
	HARMLESS("quote_literal"), HARMLESS("quote_nullable"), HARMLESS("radians"), HARMLESS("random"), HARMLESS("range_agg"),
	HARMLESS("range_intersect_agg"), HARMLESS("rank"), HARMLESS("regexp_count"), HARMLESS("regexp_instr"),
	HARMLESS("regexp_like"), HARMLESS("regexp_match"), HARMLESS("regexp_matches"), HARMLESS("regexp_replace"),
	HARMLESS("regexp_split_to_array"), HARMLESS("regexp_split_to_table"), HARMLESS("regexp_substr"),
	HARMLESS("regr_avgx"), HARMLESS("regr_avgy"), HARMLESS("regr_count"), HARMLESS("regr_intercept"), HARMLESS("regr_r2"),
	HARMLESS("regr_slope"), HARMLESS("regr_sxx"), HARMLESS("regr_sxy"), HARMLESS("regr_syy"), HARMLESS("repeat"),
	HARMLESS("reverse"), HARMLESS("right"), HARMLESS("rollup"), HARMLESS("round"), HARMLESS("row_number"),
	HARMLESS("row_to_json"), HARMLESS("rpad"), HARMLESS("rtrim"), HARMLESS("scale"), HARMLESS("setweight"),
	HARMLESS("sha224"), HARMLESS("sha256"), HARMLESS("sha384"), HARMLESS("sha512"), HARMLESS("shobj_description"),
	HARMLESS("sign"), HARMLESS("sin"), HARMLESS("split_part"), HARMLESS("sqrt"), HARMLESS("starts_with"),
	HARMLESS("statement_timestamp"), HARMLESS("stddev"), HARMLESS("stddev_pop"), HARMLESS("stddev_samp"),
	HARMLESS("string_agg"), HARMLESS("string_to_array"), HARMLESS("string_to_table"), HARMLESS("strip"),
	HARMLESS("strpos"), HARMLESS("substr"), HARMLESS("sum"), HARMLESS("system"), HARMLESS("tan"), HARMLESS("text"),
	HARMLESS("timeofday"), HARMLESS("timestamptz"), HARMLESS("timetz"), HARMLESS("timezone"), HARMLESS("to_ascii"),
	HARMLESS("to_char"), HARMLESS("to_date"), HARMLESS("to_hex"), HARMLESS("to_json"), HARMLESS("to_jsonb"),
	HARMLESS("to_number"), HARMLESS("to_regclass"), HARMLESS("to_regtype"), HARMLESS("to_timestamp"),
	HARMLESS("to_tsquery"), HARMLESS("to_tsvector"), HARMLESS("transaction_timestamp"), HARMLESS("translate"),
	HARMLESS("trim_array"), HARMLESS("trunc"), HARMLESS("ts_headline"), HARMLESS("ts_rank"), HARMLESS("ts_rank_cd"),
	HARMLESS("tsrange"), HARMLESS("tstzrange"), HARMLESS("tsvector_to_array"), HARMLESS("unistr"), HARMLESS("unnest"),
	HARMLESS("upper"), HARMLESS("upper_inc"), HARMLESS("upper_inf"), HARMLESS("var_pop"), HARMLESS("var_samp"),
	HARMLESS("varbit"), HARMLESS("variance"), HARMLESS("varying"), HARMLESS("version"), HARMLESS("websearch_to_tsquery"),
	HARMLESS("width_bucket"), HARMLESS("xmlagg"),
};
uint16_t scan_word_slots[SCAN_SLOTS];

/* Also at a buffer's end, where no block of 16 bytes can be read. */
struct scan_spelling scan_word_spell(const char *text, size_t size)
{
	struct scan_spelling spelling = { 0 };
	uint8_t *bytes = (uint8_t *)&spelling;

	for (size_t i = 0; i < size && i < sizeof(spelling); i++)
		bytes[i] = (uint8_t)text[i] | ' ';
	return spelling;
}

bool scan_word_matches_rest(const struct scan_word *word, const char *text)
{
	size_t compared = sizeof(struct scan_spelling);

	return strncasecmp(word->text + compared, text + compared, word->size - compared) == 0;
}

static size_t free_slot(const struct scan_word *word)
{
	size_t slot = scan_word_slot(word->spelling, word->size);

	while (scan_word_slots[slot])
		slot = (slot + 1) % SCAN_SLOTS;
	return slot;
}

static void make_index(void) __attribute__((constructor));

static void make_index(void)
{
	for (size_t i = 1; i < ARRAY_LEN(scan_words); i++) {
		struct scan_word *word = &scan_words[i];

		word->size = (uint8_t)strlen(word->text);
		word->spelling = scan_word_spell(word->text, word->size);
		CHECK(!scan_word_find(word->spelling, word->text, word->size));
		scan_word_slots[free_slot(word)] = (uint16_t)i;
	}
}
