/* A list of functions, made from the rows of the server's catalog.
 *
 * Each row's body is read at once and forgotten; what stays is what it does by itself and whom it calls. In the end what
 * the called leave is handed to their callers, until nothing changes any more.
 *
 * Failure story: if the server does not answer, or not in time, every function is taken to leave anything, until the next
 * attempt. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "functions_internal.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

enum { CALLS_MAX = 4096 };

/* All names and operators are those of pg_catalog, whatever the client's search_path is; both settings end with the query.
 *
 * Functions of C that belong to an extension compute: they leave nothing behind but those of the extensions named here.
 * Kinds: b(ody), h(idden), r(emains). Used by: w(rites), r(eads), d(dl). A constraint of a domain's is looked at by casts. */
static const char question[] =
	"SET LOCAL search_path = pg_catalog; SET LOCAL statement_timeout = 3000; SET LOCAL jit = off;"
	" SELECT p.proname,"
	" CASE WHEN p.prokind = 'a' THEN 'b' WHEN l.lanname IN ('sql', 'plpgsql') AND octet_length(p.prosrc) <= 262144 THEN 'b'"
	" WHEN e.extname = 'pg_trgm' THEN 'b'"
	" WHEN e.extname IS NOT NULL AND l.lanname IN ('c', 'internal') THEN 'r' ELSE 'h' END,"
	" CASE WHEN EXISTS (SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND (d.classid"
	" IN ('pg_trigger'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass)"
	" OR (d.classid = 'pg_type'::regclass AND EXISTS (SELECT 1 FROM pg_type y WHERE y.oid = d.objid AND y.typtype = 'd'))))"
	" THEN 'w' ELSE '' END"
	" || CASE WHEN EXISTS (SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND (d.classid"
	" IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass)"
	" OR (d.classid = 'pg_constraint'::regclass AND EXISTS (SELECT 1 FROM pg_constraint k WHERE k.oid = d.objid AND k.contypid <> 0))))"
	" THEN 'r' ELSE '' END"
	" || CASE WHEN EXISTS (SELECT 1 FROM pg_event_trigger t WHERE t.evtfoid = p.oid) THEN 'd' ELSE '' END,"
	" coalesce((SELECT string_agg('SET LOCAL ' || split_part(c, '=', 1) || ' = 1; ', '') FROM unnest(p.proconfig) c), '')"
	" || CASE WHEN p.prokind = 'a' THEN 'SELECT ' || coalesce((SELECT string_agg(quote_ident(f.proname) || '()', ', ')"
	" FROM pg_aggregate a JOIN pg_proc f ON f.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggminvtransfn,"
	" a.aggmfinalfn) WHERE a.aggfnoid = p.oid), '')"
	" WHEN l.lanname = 'sql' AND p.prosrc = '' "
	/* What a column of the result is called says nothing. */
	" THEN replace(pg_get_functiondef(p.oid), ' AS set_config', '')"
	" WHEN l.lanname IN ('sql', 'plpgsql') AND octet_length(p.prosrc) <= 262144 THEN p.prosrc"
	/* What set_limit sets, the server lists. */
	" WHEN e.extname = 'pg_trgm' THEN 'SET pg_trgm.similarity_threshold = 1' ELSE '' END"
	" FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
	" LEFT JOIN LATERAL (SELECT x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid"
	" WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'"
	" LIMIT 1) e ON true"
	" WHERE p.oid >= 16384 AND (e.extname IS NULL OR l.lanname NOT IN ('c', 'internal') OR e.extname IN ('dblink', 'hypopg',"
	" 'orafce', 'pg_background', 'pg_variables', 'session_variable', 'set_user', 'tablefunc', 'temporal_tables', 'xml2')"
	" OR (e.extname, p.proname) IN (('pg_trgm', 'set_limit'), ('http', 'http_set_curlopt'), ('hll', 'hll_set_defaults'),"
	" ('hll', 'hll_set_max_sparse'), ('hll', 'hll_set_output_version'), ('plpgsql_check', 'plpgsql_check_profiler'),"
	" ('plpgsql_check', 'plpgsql_check_tracer')))";

/* PostgreSQL's own that run SQL which they are given as text. */
static const char *const own_that_run_text[] = {
	"query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "ts_stat", "ts_rewrite",
};

/* … and that leave what ends with the server process only: a backup, the origin of what is replayed, perhaps a temporary slot. */
static const char *const own_that_remain[] = {
	"pg_backup_start", "pg_start_backup", "pg_replication_origin_session_setup", "pg_create_physical_replication_slot",
	"pg_create_logical_replication_slot", "pg_copy_physical_replication_slot", "pg_copy_logical_replication_slot",
};

/* Overloads of a name are one. */
struct entry {
	struct functions_mark mark;
	bool on_write, on_read, on_ddl;
	bool own;                       /* In every database: it says nothing of those that are not known by name. */
	struct map calls;               /* Names. */
};

struct functions_builder {
	struct functions_home *home;
	uint64_t epoch;
	struct map entries;
	bool names_wanted;
	char encoding[32];
	struct route_names *names;      /* Not NULL: all functions have been told before. */
};

static struct entry *entry_of(struct functions_builder *builder, const char *name, size_t size)
{
	struct entry *entry = map_get(&builder->entries, name, size);

	if (entry)
		return entry;
	entry = NEW(struct entry);
	map_put(&builder->entries, name, size, entry);
	return entry;
}

struct functions_builder *functions_builder_new(struct functions_home *home)
{
	struct functions_builder *builder = NEW(struct functions_builder);

	builder->home = home;
	builder->epoch = atomic_load(&home->epoch);
	builder->names_wanted = atomic_load(&home->names_wanted);
	for (size_t i = 0; i < ARRAY_LEN(own_that_run_text); i++)
		entry_of(builder, own_that_run_text[i], strlen(own_that_run_text[i]))->mark.flags = FUNCTIONS_LEAVE | FUNCTIONS_HIDE;
	for (size_t i = 0; i < ARRAY_LEN(own_that_remain); i++) {
		struct entry *entry = entry_of(builder, own_that_remain[i], strlen(own_that_remain[i]));

		entry->mark.flags = FUNCTIONS_LEAVE | FUNCTIONS_REMAIN;
		entry->own = true;
	}
	return builder;
}

char *functions_builder_question(const struct functions_builder *builder)
{
	return mem_printf("%s%s%s", question, functions_trees_question(), builder->names_wanted ? functions_names_question() : "");
}

static bool free_entry(const void *key, size_t size, void *value, void *arg)
{
	struct entry *entry = value;

	(void)key, (void)size, (void)arg;
	state_unref(&entry->mark.custom);
	map_fini(&entry->calls);
	mem_free(entry);
	return true;
}

void functions_builder_free(struct functions_builder **builder)
{
	struct functions_builder *gone = *builder;

	*builder = NULL;
	if (!gone)
		return;
	map_foreach(&gone->entries, free_entry, NULL);
	map_fini(&gone->entries);
	route_names_free(&gone->names);
	mem_free(gone);
}

void functions_builder_set_encoding(struct functions_builder *builder, const char *encoding)
{
	snprintf(builder->encoding, sizeof(builder->encoding), "%s", encoding ? encoding : "");
}

/* --- One function --- */

static void note_call(const char *name, size_t size, void *arg)
{
	struct entry *entry = arg;

	if (entry->calls.size < CALLS_MAX)
		map_put(&entry->calls, name, size, entry);
	else
		entry->mark.flags |= FUNCTIONS_LEAVE | FUNCTIONS_HIDE;
}

static void note_custom(const char *name, void *arg)
{
	struct entry *entry = arg;
	struct state_builder names = { 0 };

	state_builder_copy(&names, entry->mark.custom);
	state_builder_set(&names, name, "");
	state_unref(&entry->mark.custom);
	entry->mark.custom = state_builder_finish(&names);
}

uint32_t functions_flags_of(const struct scan_body *body)
{
	uint32_t flags = body->effects & SCAN_BODY_LEAVES ? FUNCTIONS_LEAVE : 0;

	if (body->effects & SCAN_SEEDS)
		flags |= FUNCTIONS_SEED;
	if (body->effects & SCAN_LOADS)
		flags |= FUNCTIONS_LOAD;
	if (body->effects & (SCAN_LISTENS | SCAN_UNLISTENS))
		flags |= FUNCTIONS_LISTEN;
	if (body->effects & SCAN_UNKNOWN || body->opaque)
		flags |= FUNCTIONS_LEAVE | FUNCTIONS_HIDE;
	if (body->computes)
		flags |= FUNCTIONS_LEAVE | FUNCTIONS_COMPUTE;
	return flags | (body->writes ? FUNCTIONS_WRITE : 0) | (body->defines ? FUNCTIONS_DEFINE : 0);
}

static uint32_t flags_of(struct entry *entry, char kind, const char *text)
{
	struct scan_body body = { .called = note_call, .custom = note_custom, .arg = entry };

	/* What its own SET clauses say is in front of any body. */
	scan_body(&body, text, strlen(text));
	if (kind == 'r')
		return FUNCTIONS_LEAVE | FUNCTIONS_REMAIN;
	if (kind != 'b')
		return FUNCTIONS_LEAVE | FUNCTIONS_HIDE | FUNCTIONS_WRITE;
	return functions_flags_of(&body);
}

void functions_builder_row(struct functions_builder *builder, const char *name, const char *kind, const char *used,
	const char *body)
{
	if (functions_names_row(&builder->names, name, kind[0], body))
		return;
	struct entry *entry = entry_of(builder, name, strlen(name));

	entry->mark.flags |= flags_of(entry, kind[0], body);
	entry->on_write |= strchr(used, 'w') != NULL;
	entry->on_read |= strchr(used, 'r') != NULL;
	entry->on_ddl |= strchr(used, 'd') != NULL;
}

/* --- All of them --- */

static struct state *both(struct state *some, struct state *more)
{
	struct state_builder names = { 0 };

	state_builder_copy(&names, some);
	state_builder_copy(&names, more);
	return state_builder_finish(&names);
}

/* True if it says more than before. */
static bool add(struct functions_mark *mark, const struct functions_mark *more)
{
	uint32_t flags = mark->flags | more->flags;
	bool grows = flags != mark->flags;

	mark->flags = flags;
	if (!more->custom || state_names_within(more->custom, mark->custom))
		return grows;
	struct state *custom = both(mark->custom, more->custom);

	state_unref(&mark->custom);
	mark->custom = custom;
	return true;
}

struct closure {
	struct functions_builder *builder;
	struct functions *functions;
	struct entry *entry;
	bool grows;
};

static bool add_called(const void *key, size_t size, void *value, void *arg)
{
	struct closure *closure = arg;
	const struct entry *called = map_get(&closure->builder->entries, key, size);

	(void)value;
	if (called && called != closure->entry)
		closure->grows |= add(&closure->entry->mark, &called->mark);
	return true;
}

static bool close_one(const void *key, size_t size, void *value, void *arg)
{
	struct closure *closure = arg;
	struct entry *entry = value;
	struct functions *functions = closure->functions;

	(void)key, (void)size;
	closure->entry = entry;
	map_foreach(&entry->calls, add_called, closure);
	/* What writes calls what writing calls, and DDL what event triggers do. */
	if (entry->mark.flags & FUNCTIONS_WRITE && functions->on_write.flags & FUNCTIONS_LEAVE)
		closure->grows |= add(&entry->mark, &functions->on_write);
	if (entry->mark.flags & FUNCTIONS_DEFINE && functions->on_ddl.flags & FUNCTIONS_LEAVE)
		closure->grows |= add(&entry->mark, &functions->on_ddl);
	if (entry->on_write && entry->mark.flags & FUNCTIONS_LEAVE)
		closure->grows |= add(&functions->on_write, &entry->mark);
	if (entry->on_read && entry->mark.flags & FUNCTIONS_LEAVE)
		closure->grows |= add(&functions->on_read, &entry->mark);
	if (entry->on_ddl && entry->mark.flags & FUNCTIONS_LEAVE)
		closure->grows |= add(&functions->on_ddl, &entry->mark);
	return true;
}

static bool take_over(const void *key, size_t size, void *value, void *arg)
{
	struct functions *functions = arg;
	const struct entry *entry = value;

	if (!(entry->mark.flags & (FUNCTIONS_LEAVE | FUNCTIONS_DEFINE)))
		return true;
	struct functions_mark *mark = NEW(struct functions_mark);

	*mark = (struct functions_mark){ entry->mark.flags, state_ref(entry->mark.custom) };
	map_put(&functions->by_name, key, size, mark);
	if (!entry->own)
		add(&functions->any, mark);
	if (functions->names)
		functions_names_add_mark(functions->names, key, size, mark->flags);
	return true;
}

static struct functions *finish(struct functions_builder *builder)
{
	struct functions *functions = NEW(struct functions);
	struct closure closure = { .builder = builder, .functions = functions };

	functions->names = builder->names;
	builder->names = NULL;
	memcpy(functions->encoding, builder->encoding, sizeof(functions->encoding));
	do {
		closure.grows = false;
		map_foreach(&builder->entries, close_one, &closure);
	} while (closure.grows);
	map_foreach(&builder->entries, take_over, functions);
	return functions;
}

/* What whoever runs pgweir should know, once: lists come and go with every change of a function. */
enum { TOLD_FAILED = 1, TOLD_ON_READ = 2, TOLD_WITHOUT_NAMES = 4 };

static unsigned worth_telling(const struct functions *functions)
{
	unsigned facts = functions->failed ? TOLD_FAILED : functions->on_read.flags ? TOLD_ON_READ : 0;

	return facts | (functions->names_asked && !functions->names ? TOLD_WITHOUT_NAMES : 0);
}

/* What has not been told since it last was otherwise. Of a catalog that cannot be read nothing else is known to have changed. */
static unsigned take_news(struct functions_home *home, unsigned facts)
{
	unsigned told = atomic_load(&home->told);

	while (!atomic_compare_exchange_weak(&home->told, &told, facts & TOLD_FAILED ? told | facts : facts))
		continue;
	return facts & ~told;
}

static void tell(struct functions_home *home, const struct functions *functions)
{
	unsigned news = take_news(home, worth_telling(functions));

	if (news & TOLD_FAILED)
		log_warning("functions could not be read: each is taken to leave state behind", LOG_TEXT("database", home->key));
	if (news & TOLD_ON_READ)
		log_warning("a view, rule, policy, operator or cast calls a function that may leave state behind: every"
			" transaction is followed by a question", LOG_TEXT("database", home->key));
	if (news & TOLD_WITHOUT_NAMES)
		log_warning("functions and views could not be read for routing: the primary serves all reads", LOG_TEXT("database", home->key));
	log_debug("functions were read", LOG_TEXT("database", home->key), LOG_INT("may_leave_state", functions->by_name.size));
}

void functions_publish(struct functions_builder **builder, bool failed, uint64_t now_us)
{
	static _Atomic uint64_t serials;
	struct functions_home *home = (*builder)->home;
	bool names_failed = failed && (*builder)->names;

	if (names_failed)
		route_names_free(&(*builder)->names);
	failed &= !names_failed;
	struct functions *functions = failed ? NEW(struct functions) : finish(*builder);

	if (failed)
		functions->any.flags = FUNCTIONS_LEAVE | FUNCTIONS_HIDE;
	if (failed)
		functions->on_write.flags = FUNCTIONS_LEAVE;
	functions->failed = failed;
	functions->names_asked = (*builder)->names_wanted;
	functions->epoch = (*builder)->epoch;
	functions->refresh_us = now_us + (failed || names_failed ? FUNCTIONS_RETRY_US : FUNCTIONS_REFRESH_US);
	functions->serial = atomic_fetch_add(&serials, 1) + 1;
	atomic_init(&functions->references, 1);
	tell(home, functions);
	functions_replace(home, functions);
	functions_builder_free(builder);
}
