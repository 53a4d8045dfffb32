#include "commands.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "act.h"
#include "pgweir/admin.h"
#include "pgweir/mem.h"
#include "pgweir/nearest.h"
#include "show.h"

#define SHOWS(words_, subject, help_) \
	{ .words = "SHOW " words_, .table = &subject##_table, .run = show_##subject, .help = (help_) }
#define ACTS(words_, arguments_, run_, usage_, help_) \
	{ .words = (words_), .arguments = (arguments_), .who = COMMAND_ADMIN_USERS, .run = (run_), .usage = (usage_), \
	  .help = (help_) }
/* What drivers say: anybody may, and it changes nothing but the console's own connection. */
#define CHATTER(words_, arguments_, run_, tag_) \
	{ .words = (words_), .arguments = (arguments_), .run = (run_), .value = (tag_) }
#define ANSWERS(words_, table_, run_, value_) \
	{ .words = (words_), .table = &(table_), .run = (run_), .value = (value_) }

static const struct command commands[] = {
	SHOWS("HELP", help, "this list"),
	{ .words = "EXPLAIN ROUTE", .arguments = ARGUMENTS_SQL, .table = &explain_route_table, .run = explain_route,
	  .usage = "[IN db] sql", .help = "say whether a replica may serve the text, and why" },
	SHOWS("ACTIVE_SOCKETS", active_sockets, "client and server connections that are at work"),
	SHOWS("CLIENTS", clients, "clients"),
	SHOWS("CLUSTERS", clusters, "clusters whose hosts are probed, and which host is the primary"),
	SHOWS("CONFIG", config, "the settings in force"),
	SHOWS("DATABASES", databases, "databases as configured"),
	SHOWS("DNS_HOSTS", dns_hosts, "names looked up; names are not kept, so there are none"),
	SHOWS("DNS_ZONES", dns_zones, "zones watched; there are none"),
	SHOWS("EVENTS", events, "the last warnings, errors and changes that the log has told of"),
	SHOWS("HOSTS", hosts, "servers: their connections, and what probes say of them"),
	SHOWS("LISTENERS", listeners, "connections that listen for clients in transaction mode"),
	SHOWS("LISTS", lists, "how many there are of what"),
	SHOWS("MEM", mem, "memory"),
	SHOWS("PEER_POOLS", peer_pools, "connections kept to the other processes; none is kept"),
	SHOWS("PEERS", peers, "the other processes that cancels are passed on to"),
	SHOWS("PINS", pins, "clients that keep their server connection, by reason"),
	SHOWS("POOLS", pools, "pools of server connections"),
	SHOWS("PROVISION", provision, "backing users that [provision] sections declare: drift, and the age of their passwords"),
	SHOWS("ROUTES", routes, "where statements went, and why, since the start"),
	SHOWS("SECRETS", secrets, "secrets: where they come from and how they fare, never what they hold"),
	SHOWS("SERVERS", servers, "server connections"),
	SHOWS("SOCKETS", sockets, "client and server connections"),
	SHOWS("STATE", state, "whether pgweir is active or paused"),
	SHOWS("STATS", stats, "totals and averages by database"),
	SHOWS("STATS_AVERAGES", stats_averages, "averages by database over the last stats_period"),
	SHOWS("STATS_TOTALS", stats_totals, "totals by database"),
	SHOWS("THREADS", threads, "worker threads: clients, servers, and how late their loops are"),
	SHOWS("TOTALS", totals, "totals and averages of all databases together"),
	SHOWS("USERS", users, "users that are configured or have pools"),
	SHOWS("VERSION", version, "the version"),

	ACTS("DISABLE", ARGUMENTS_ONE, act_disable, "db", "refuse new clients of the database"),
	ACTS("ENABLE", ARGUMENTS_ONE, act_enable, "db", "undo DISABLE"),
	ACTS("KILL", ARGUMENTS_ONE, act_kill, "db", "drop all connections at once, and pause; RESUME goes on"),
	ACTS("KILL_CLIENT", ARGUMENTS_ONE, act_kill_client, "id", "drop one client; id or ptr as in SHOW CLIENTS"),
	ACTS("PAUSE", ARGUMENTS_MAYBE_ONE, act_pause, "[db]", "let transactions end, close server connections, hold queries back"),
	ACTS("PAUSE CLUSTER", ARGUMENTS_ONE, act_pause_cluster, "name", "the same for all databases of a cluster, for a switchover"),
	ACTS("RECONNECT", ARGUMENTS_MAYBE_ONE, act_reconnect, "[db]", "replace server connections as they become free"),
	ACTS("REFRESH SECRET", ARGUMENTS_ONE, act_refresh_secret, "name", "read a secret again, now"),
	ACTS("RELOAD", ARGUMENTS_NONE, act_reload, NULL, "read the configuration again"),
	ACTS("RESUME", ARGUMENTS_MAYBE_ONE, act_resume, "[db]", "undo PAUSE and KILL"),
	ACTS("RESUME CLUSTER", ARGUMENTS_ONE, act_resume_cluster, "name", "undo PAUSE CLUSTER"),
	ACTS("REVOKE SECRET", ARGUMENTS_ONE, act_revoke_secret, "name", "end the grace of its previous value, close what logged in with it"),
	ACTS("SET", ARGUMENTS_SETTING, act_set, "key = value", "change a setting until the next reload"),
	ACTS("SHOW FDS", ARGUMENTS_NONE, act_show_fds, NULL, "not available; SHOW SOCKETS lists the connections"),
	ACTS("SHUTDOWN", ARGUMENTS_NONE, act_shutdown, NULL, "end at once"),
	ACTS("SHUTDOWN WAIT_FOR_SERVERS", ARGUMENTS_NONE, act_shutdown_for_servers, NULL, "end when transactions have ended"),
	ACTS("SHUTDOWN WAIT_FOR_CLIENTS", ARGUMENTS_NONE, act_shutdown_for_clients, NULL, "end when all clients have left"),
	ACTS("SUSPEND", ARGUMENTS_NONE, act_suspend, NULL, "not available; use PAUSE"),
	ACTS("WAIT_CLOSE", ARGUMENTS_MAYBE_ONE, act_wait_close, "[db]", "after RECONNECT: wait until no old connection is left"),

	CHATTER("BEGIN", ARGUMENTS_ANY, chatter_begin, "BEGIN"),
	CHATTER("START TRANSACTION", ARGUMENTS_ANY, chatter_begin, "START TRANSACTION"),
	CHATTER("COMMIT", ARGUMENTS_ANY, chatter_end, "COMMIT"),
	CHATTER("END", ARGUMENTS_ANY, chatter_end, "COMMIT"),
	CHATTER("ROLLBACK", ARGUMENTS_ANY, chatter_end, "ROLLBACK"),
	CHATTER("ABORT", ARGUMENTS_ANY, chatter_end, "ROLLBACK"),
	CHATTER("CLOSE", ARGUMENTS_ANY, chatter_accept, "CLOSE CURSOR ALL"),
	CHATTER("DEALLOCATE ALL", ARGUMENTS_NONE, chatter_forget_statements, "DEALLOCATE ALL"),
	CHATTER("DISCARD ALL", ARGUMENTS_NONE, chatter_forget_statements, "DISCARD ALL"),
	CHATTER("RESET", ARGUMENTS_ANY, chatter_accept, "RESET"),
	CHATTER("UNLISTEN", ARGUMENTS_ANY, chatter_accept, "UNLISTEN"),
	CHATTER("SET APPLICATION_NAME", ARGUMENTS_ANY, chatter_set_application_name, "SET"),
	CHATTER("SET CLIENT_ENCODING", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET CLIENT_MIN_MESSAGES", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET DATESTYLE", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET DEFAULT_TRANSACTION_READ_ONLY", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET EXTRA_FLOAT_DIGITS", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET INTERVALSTYLE", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET LOCK_TIMEOUT", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET NAMES", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET SEARCH_PATH", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET SESSION", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET STANDARD_CONFORMING_STRINGS", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET STATEMENT_TIMEOUT", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET TIME ZONE", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET TIMEZONE", ARGUMENTS_ANY, chatter_accept, "SET"),
	CHATTER("SET TRANSACTION", ARGUMENTS_ANY, chatter_accept, "SET"),

	ANSWERS("SELECT 1", select_one_table, chatter_value, "1"),
	ANSWERS("SELECT CURRENT_USER", select_user_table, chatter_user, NULL),
	ANSWERS("SELECT PG_ADVISORY_UNLOCK_ALL ( )", select_unlock_table, chatter_value, ""),
	ANSWERS("SELECT VERSION ( )", select_version_table, chatter_value, "pgweir " PGWEIR_VERSION),
	ANSWERS("SHOW APPLICATION_NAME", show_application_name_table, chatter_application_name, NULL),
	ANSWERS("SHOW CLIENT_ENCODING", show_encoding_table, chatter_value, "UTF8"),
	ANSWERS("SHOW SERVER_VERSION", show_server_version_table, chatter_value, "15.0/pgweir " PGWEIR_VERSION),
	ANSWERS("SHOW STANDARD_CONFORMING_STRINGS", show_strings_table, chatter_value, "on"),
	ANSWERS("SHOW TRANSACTION ISOLATION LEVEL", show_isolation_table, chatter_value, "read committed"),
	ANSWERS("SHOW TRANSACTION_ISOLATION", show_isolation_table, chatter_value, "read committed"),
	ANSWERS("SHOW TRANSACTION_READ_ONLY", show_read_only_table, chatter_value, "off"),
};

/* How many words the statement begins with that are the command's; 0: it is another one. */
static size_t match(const struct command *command, const struct words *words)
{
	const char *at = command->words;
	size_t matched = 0;

	for (;;) {
		size_t size = strcspn(at, " ");

		if (matched == words->count || !word_is(&words->all[matched], at, size))
			return 0;
		matched++;
		if (at[size] == '\0')
			return matched;
		at += size + 1;
	}
}

static const struct command *find(const struct words *words, size_t *matched)
{
	const struct command *found = NULL;

	*matched = 0;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		size_t length = match(&commands[i], words);

		if (length > *matched) {
			*matched = length;
			found = &commands[i];
		}
	}
	return found;
}

static bool is_name(const struct word *word)
{
	return word->kind != WORD_SYMBOL;
}

static bool is_assignment(const struct word *argument, size_t count)
{
	return count == 3 && argument[0].kind != WORD_STRING && is_name(&argument[0])
		&& (word_is(&argument[1], "=", 1) || word_is(&argument[1], "TO", 2)) && is_name(&argument[2]);
}

static bool arguments_fit(const struct command *command, const struct words *words, size_t at)
{
	size_t count = words->count - at;
	const struct word *argument = &words->all[at];

	switch (command->arguments) {
	case ARGUMENTS_NONE:
		return count == 0;
	case ARGUMENTS_MAYBE_ONE:
		return count == 0 || (count == 1 && is_name(argument));
	case ARGUMENTS_ONE:
		return count == 1 && is_name(argument);
	case ARGUMENTS_SETTING:
		return is_assignment(argument, count);
	case ARGUMENTS_ANY:
	case ARGUMENTS_SQL:
		return true;
	}
	return false;
}

/* The command of the list that was meant, by its first `count` words. */
static const char *meant(const struct words *words, size_t count)
{
	char *said = mem_printf("%s%s%s", words->all[0].text, count > 1 ? " " : "", count > 1 ? words->all[1].text : "");
	struct nearest nearest = { .wanted = said };

	for (char *at = said; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].help && (strchr(commands[i].words, ' ') != NULL) == (count > 1))
			nearest_offer(&nearest, commands[i].words);
	mem_free(said);
	return nearest.best;
}

/* The text lives until the next call; the console has one thread. */
static const char *hint_for(const struct words *words)
{
	static char hint[96];
	const char *best = words->count > 1 ? meant(words, 2) : NULL;

	best = best ? best : meant(words, 1);
	snprintf(hint, sizeof(hint), "%s%s%sSHOW HELP lists the commands.", best ? "Did you mean " : "", best ? best : "",
		best ? "? " : "");
	return hint;
}

static bool recognize(struct call *call, struct error *error, const char **hint)
{
	const struct words *words = &call->words;

	if (words->count == 0)
		return true;
	call->command = find(words, &call->arguments_at);
	if (call->command && arguments_fit(call->command, words, call->arguments_at)
	    && (!words->cut || call->command->arguments == ARGUMENTS_ANY))
		return true;
	*hint = "SHOW HELP lists the commands.";
	if (call->command && call->command->help)
		return error_set(error, "42601", "syntax error, expected: %s%s%s", call->command->words,
			call->command->usage ? " " : "", call->command->usage ? call->command->usage : "");
	*hint = hint_for(words);
	return error_set(error, "42601", "unknown command \"%.60s%s%.60s\"", words->all[0].text, words->count > 1 ? " " : "",
		words->count > 1 ? words->all[1].text : "");
}

static size_t count_words(const char *words)
{
	size_t count = 1;

	while (*words)
		count += *words++ == ' ';
	return count;
}

/* What is behind the words is no statement of the console's, and need not look like one. */
static bool takes_sql(struct call *call, const struct command *command, const char *sql, size_t *used)
{
	struct error error;

	if (!words_parse_front(&call->words, sql, count_words(command->words), used, &error))
		return false;
	call->arguments_at = match(command, &call->words);
	if (!call->arguments_at) {
		words_fini(&call->words);
		return false;
	}
	call->command = command;
	call->sql = mem_strdup(sql + *used);
	*used += strlen(sql + *used);
	return true;
}

bool call_parse(struct call *call, const char *sql, size_t *used, struct error *error, const char **hint)
{
	*call = (struct call){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].arguments == ARGUMENTS_SQL && takes_sql(call, &commands[i], sql, used))
			return true;
	if (!words_parse(&call->words, sql, used, error))
		return false;
	if (recognize(call, error, hint))
		return true;
	call_fini(call);
	return false;
}

void call_fini(struct call *call)
{
	words_fini(&call->words);
	mem_free(call->sql);
	*call = (struct call){ 0 };
}

const char *call_argument(const struct call *call, size_t i)
{
	size_t at = call->arguments_at + i;

	return at < call->words.count ? call->words.all[at].text : NULL;
}

void commands_foreach(command_cb *visit, void *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].help)
			visit(&commands[i], arg);
}

void admin_commands(admin_command_cb *callback, void *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *command = &commands[i];
		const char *columns[TABLE_COLUMNS_MAX];
		size_t count = command->table ? command->table->count : 0;

		if (!command->help)
			continue;
		for (size_t j = 0; j < count; j++)
			columns[j] = command->table->columns[j].name;
		callback(&(struct admin_command){
			.words = command->words, .usage = command->usage, .help = command->help,
			.admins_only = command->who == COMMAND_ADMIN_USERS, .columns = columns, .column_count = count,
		}, arg);
	}
}
