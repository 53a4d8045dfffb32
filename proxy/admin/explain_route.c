/* EXPLAIN ROUTE: what is made of one text, where routing = auto.
 *
 * It says what the text and the catalog say. Whether a replica is fresh enough, and what the session is in the middle of, is
 * not in a text. */
#include <stdatomic.h>
#include <string.h>

#include "pgweir/control.h"
#include "pgweir/functions.h"
#include "pgweir/mem.h"
#include "pgweir/reads.h"
#include "show.h"

static const struct column columns[] = {
	{ "database", COLUMN_TEXT },
	{ "decision", COLUMN_TEXT },            /* replica: it may; primary: it must. */
	{ "reason", COLUMN_TEXT },              /* As in enum route_reason. */
	{ "name", COLUMN_TEXT },                /* Of the function or relation that is the reason. */
	{ "explanation", COLUMN_TEXT },
};
const struct table explain_route_table = TABLE(columns);

struct subject {
	char *database_name;
	const struct config_database *database;
	const char *sql;
};

static bool fail(struct job *job, const char *sqlstate, const char *text, const char *hint)
{
	job_fail(job, sqlstate, text, hint);
	return false;
}

/* IN database */
static bool take_named(struct job *job, struct subject *subject)
{
	struct words words;
	struct error error;
	size_t used;

	if (!words_parse_front(&words, subject->sql, 2, &used, &error))
		return true;
	bool named = words.count == 2 && word_is(&words.all[0], "IN", 2) && words.all[1].kind != WORD_SYMBOL;

	if (named) {
		subject->database_name = mem_strdup(words.all[1].text);
		subject->database = config_find_database(control_config(), subject->database_name);
		subject->sql += used;
	}
	words_fini(&words);
	if (!named || subject->database)
		return true;
	error_set(&error, "3D000", "database \"%s\" does not exist", subject->database_name);
	return fail(job, error.sqlstate, error.text, "SHOW DATABASES lists them.");
}

/* The only one there is, or the only one that routes. */
static const struct config_database *obvious_database(const struct config *config)
{
	const struct config_database *found = NULL;
	size_t routed = 0;

	for (size_t i = 0; i < config->database_count; i++) {
		if (config->databases[i].routing != ROUTING_AUTO)
			continue;
		found = &config->databases[i];
		routed++;
	}
	if (routed == 0 && config->database_count == 1)
		return &config->databases[0];
	return routed == 1 ? found : NULL;
}

static bool take_subject(struct job *job, struct subject *subject)
{
	subject->sql = job->call.sql;
	if (!take_named(job, subject))
		return false;
	if (!subject->database) {
		subject->database = obvious_database(control_config());
		if (!subject->database || strcmp(subject->database->name, "*") == 0)
			return fail(job, "42601", "more than one database may be meant", "Say EXPLAIN ROUTE IN database sql.");
		subject->database_name = mem_strdup(subject->database->name);
	}
	if (subject->sql[strspn(subject->sql, " \t\r\n\f\v;")] == '\0')
		return fail(job, "42601", "syntax error, expected: EXPLAIN ROUTE [IN db] sql", NULL);
	return true;
}

/* The list of the database's functions if it is up to date, as a reference; else NULL. */
static struct functions *functions_of(const struct subject *subject)
{
	char *key = pool_functions_key(subject->database, subject->database_name);
	struct functions_home *home = functions_home_find(key);
	struct functions *functions = home ? functions_current(home) : NULL;

	mem_free(key);
	if (functions && functions->epoch != atomic_load(&home->epoch))
		functions_unref(&functions);
	return functions;
}

static void put_notices(struct job *job, const struct subject *subject, bool known)
{
	if (subject->database->routing != ROUTING_AUTO)
		job_notice(job, "the database's routing is not auto: this is what it would be with it", NULL);
	if (!known)
		job_notice(job, "the functions and views of the database are not known",
			"Where routing = auto they are read after a client's first transaction, and again after DDL.");
}

static void put_answer(struct job *job, const struct subject *subject, const struct route_names *names)
{
	char name[SCAN_WORD_MAX + 1];
	enum route_reason reason = reads_judge(&(struct reads_question){
		.text = subject->sql, .size = strlen(subject->sql), .names = names, .name = name });

	result_begin(&job->result);
	result_text(&job->result, subject->database_name);
	result_text(&job->result, route_reason_allows_replica(reason) ? "replica" : "primary");
	result_text(&job->result, route_reason_word(reason));
	result_text(&job->result, name[0] ? name : NULL);
	result_text(&job->result, route_reason_explanation(reason));
	result_end(&job->result);
}

void explain_route(struct job *job)
{
	struct subject subject = { 0 };

	if (take_subject(job, &subject)) {
		struct functions *functions = functions_of(&subject);
		const struct route_names *names = functions ? functions->names : NULL;

		put_notices(job, &subject, names != NULL);
		put_answer(job, &subject, names);
		functions_unref(&functions);
		job_done(job, "EXPLAIN");
	}
	mem_free(subject.database_name);
}
