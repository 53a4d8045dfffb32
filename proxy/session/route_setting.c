/* What a text says of pgweir's own settings, and what they are. */
#include "route_setting.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "pgweir/scan_tokens.h"
#include "route.h"

static const char *const names[OWN_SETTINGS] = {
	[OWN_ROUTE] = "pgweir.route",
	[OWN_MIN_POSITION] = "pgweir.min_position",
	[OWN_POSITION] = "pgweir.position",
};

static const char *const modes[] = {
	[ROUTING_PRIMARY] = "primary",
	[ROUTING_REPLICA] = "replica",
	[ROUTING_PREFER_REPLICA] = "prefer-replica",
	[ROUTING_AUTO] = "auto",
};

const char *route_setting_name(enum own_setting setting)
{
	return names[setting];
}

/* --- Reading --- */

struct words {
	struct scan_token token;
	const char *end;
};

static void advance(struct words *words)
{
	words->token = scan_token_next(words->token.end, words->end);
}

static bool is(const struct scan_token *token, const char *word)
{
	size_t size = (size_t)(token->end - token->at);

	return token->part != SCAN_PART_END && strlen(word) == size && strncasecmp(token->at, word, size) == 0;
}

static bool take(struct words *words, const char *word)
{
	bool taken = is(&words->token, word);

	if (taken)
		advance(words);
	return taken;
}

static enum own_command take_command(struct words *words)
{
	if (take(words, "show"))
		return OWN_SHOW;
	if (take(words, "reset"))
		return OWN_RESET;
	return take(words, "set") ? OWN_SET : OWN_NONE;
}

/* OWN_SETTINGS: there is none by that name. */
static enum own_setting take_setting(struct words *words)
{
	size_t skip = strlen("pgweir.");

	for (int i = 0; i < OWN_SETTINGS; i++)
		if (take(words, names[i] + skip))
			return (enum own_setting)i;
	advance(words);
	return OWN_SETTINGS;
}

/* What positions of this process begin with: of others it is not known how their clocks stand to ours. */
static uint64_t process_id;
static pthread_once_t process_once = PTHREAD_ONCE_INIT;

static void make_process_id(void)
{
	ssize_t got = getrandom(&process_id, sizeof(process_id), 0);

	CHECK(got == sizeof(process_id));
}

/* Whatever a position of another process stands for was written before it was told. */
static bool read_position(const char *text, uint64_t *min_us)
{
	uint64_t process, at_us;
	int used = 0;

	pthread_once(&process_once, make_process_id);
	if (!*text) {
		*min_us = 0;
		return true;
	}
	if (sscanf(text, "%16" SCNx64 "-%16" SCNx64 "%n", &process, &at_us, &used) != 2 || text[used])
		return false;
	*min_us = process == process_id ? at_us : clock_now_us();
	return true;
}

static enum refusal read_value(struct own_statement *statement, const char *text)
{
	if (statement->setting == OWN_MIN_POSITION)
		return read_position(text, &statement->min_us) ? REFUSAL_NONE : REFUSAL_OWN_POSITION;
	for (int i = 0; i < (int)ARRAY_LEN(modes); i++) {
		if (strcasecmp(text, modes[i]) != 0)
			continue;
		statement->mode = i;
		return REFUSAL_NONE;
	}
	return REFUSAL_OWN_ROUTE;
}

/* A word, words with a hyphen, or a string. */
static enum refusal take_value(struct words *words, struct own_statement *statement)
{
	char text[64];
	size_t before = 0, behind = 0;
	const char *from = words->token.at, *to = words->token.end;

	if (take(words, "default")) {
		statement->to_startup = true;
		return REFUSAL_NONE;
	}
	if (words->token.part >= SCAN_PART_NAME && words->token.part <= SCAN_PART_DOLLAR)
		scan_token_quotes(&words->token, &before, &behind);
	advance(words);
	while (!before && words->token.at == to && words->token.part != SCAN_PART_END && !is(&words->token, ";")) {
		to = words->token.end;
		advance(words);
	}
	size_t size = (size_t)(to - from) - before - behind;

	if (size >= sizeof(text))
		size = sizeof(text) - 1;
	memcpy(text, from + before, size);
	text[size] = '\0';
	return read_value(statement, text);
}

static enum refusal read_rest(struct words *words, struct own_statement *statement, bool local)
{
	enum refusal refusal = REFUSAL_NONE;

	if (statement->setting == OWN_SETTINGS || (statement->setting == OWN_POSITION && statement->command != OWN_SHOW))
		refusal = REFUSAL_OWN_NAME;
	if (statement->command == OWN_SET) {
		if (!take(words, "="))
			take(words, "to");
		enum refusal value = take_value(words, statement);

		if (!refusal)
			refusal = value;
	}
	while (take(words, ";"))
		continue;
	if (words->token.part != SCAN_PART_END || local)
		return REFUSAL_OWN_ALONE;
	return refusal;
}

struct own_statement route_setting_parse(const char *text, size_t size)
{
	struct own_statement statement = { .mode = -1 };
	struct words words = { .end = text + strnlen(text, size) };

	words.token = scan_token_next(text, words.end);
	statement.command = take_command(&words);
	statement.to_startup = statement.command == OWN_RESET;
	bool local = statement.command == OWN_SET && take(&words, "local");

	if (statement.command == OWN_SET && !local)
		take(&words, "session");
	if (statement.command == OWN_NONE || !take(&words, "pgweir") || !take(&words, ".")) {
		statement.command = OWN_NONE;
		return statement;
	}
	statement.setting = take_setting(&words);
	statement.refusal = read_rest(&words, &statement, local);
	return statement;
}

enum refusal route_setting_refusal(const struct session *session, const char *text, size_t size)
{
	struct own_statement statement = { 0 };

	if (route_setting_may_be(text, strnlen(text, size)))
		statement = route_setting_parse(text, size);
	if (statement.command == OWN_NONE)
		return REFUSAL_NONE;
	if (session->backend->status == 'E')
		return REFUSAL_ABORTED;
	return statement.refusal ? statement.refusal : REFUSAL_OWN_ALONE;
}

/* --- Values --- */

/* Whoever has read all that was committed by then has read what this client has written. */
static uint64_t position_us(const struct session *session)
{
	const struct session_route *route = session->route;
	uint64_t all_us = 0;

	if (!session->notes_writes)
		return clock_now_us();
	if (session->guest->settings.read_your_writes == READ_YOUR_WRITES_DATABASE)
		all_us = route_home_last_write(route->home);
	uint64_t own_us = route->last_write_us > route->min_us ? route->last_write_us : route->min_us;

	return own_us > all_us ? own_us : all_us;
}

static char *position_text(uint64_t at_us)
{
	pthread_once(&process_once, make_process_id);
	return mem_printf("%016" PRIx64 "-%" PRIx64, process_id, at_us);
}

char *route_setting_value(struct session *session, enum own_setting setting)
{
	const struct session_route *route = session->route;

	switch (setting) {
	case OWN_ROUTE:
		return mem_strdup(modes[route && route->chosen >= 0 ? (unsigned)route->chosen : session->guest->settings.routing]);
	case OWN_POSITION:
		return position_text(position_us(session));
	default:
		return route && route->min_us ? position_text(route->min_us) : mem_strdup("");
	}
}

void route_setting_apply(struct session *session, const struct own_statement *statement)
{
	if (statement->command == OWN_SHOW)
		return;
	route_prepare(session);
	const struct session_route *route = session->route;

	if (statement->setting == OWN_ROUTE)
		route_choose_mode(session, statement->to_startup ? route->startup_mode : statement->mode);
	else
		route_choose_minimum(session, statement->to_startup ? route->startup_min_us : statement->min_us);
}

void route_setting_reset_all(struct session *session, const char *text, size_t size)
{
	struct words words = { .end = text ? text + strnlen(text, size) : NULL };

	if (!session->route)
		return;
	if (text) {
		words.token = scan_token_next(text, words.end);
		if (!take(&words, "reset") || !take(&words, "all"))
			return;
	}
	route_choose_mode(session, session->route->startup_mode);
	route_choose_minimum(session, session->route->startup_min_us);
}

/* --- At the start --- */

static enum refusal take_startup(struct session *session, const char *name, const char *value)
{
	struct own_statement statement = { .command = OWN_SET, .mode = -1 };

	while (statement.setting < OWN_POSITION && strcmp(name, names[statement.setting]) != 0)
		statement.setting++;
	if (statement.setting == OWN_POSITION)
		return REFUSAL_OWN_NAME;
	enum refusal refusal = read_value(&statement, value);

	if (refusal)
		return refusal;
	route_prepare(session);
	if (statement.setting == OWN_ROUTE)
		session->route->chosen = session->route->startup_mode = statement.mode;
	else
		session->route->min_us = session->route->startup_min_us = statement.min_us;
	return REFUSAL_NONE;
}

enum refusal route_setting_take_startup(struct session *session, struct state **settings)
{
	struct state_builder others = { 0 };
	enum refusal refusal = REFUSAL_NONE;
	bool found = false;

	for (size_t i = 0; i < state_count(*settings) && !refusal; i++) {
		const struct state_pair *pair = &state_pairs(*settings)[i];

		if (strncmp(pair->name, "pgweir.", strlen("pgweir.")) != 0)
			continue;
		if (!found)
			state_builder_copy(&others, *settings);
		found = true;
		state_builder_unset(&others, pair->name);
		refusal = take_startup(session, pair->name, pair->value);
	}
	if (!found)
		return REFUSAL_NONE;
	struct state *left = state_builder_finish(&others);

	state_unref(settings);
	*settings = left;
	return refusal;
}
