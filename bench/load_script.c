/* The packets of each mode, built once and sent by every client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_options.h"

#define STATEMENT_NAME "bench"

const struct load_state load_states[2] = {
	{ "bench", "bench_a, public", "UTC" },
	{ "bench_b", "bench_b, public", "Europe/Berlin" },
};

/* Valid SQL of the wanted length, so that the same run works against a real server. */
static char *query_text(size_t length)
{
	static const char head[] = "SELECT 1";
	static const char more[] = " WHERE 1 = 1";
	static const char pad[] = " AND 1 = 1";
	size_t used = strlen(head);
	char *text;

	length = length > used ? length : used;
	text = malloc(length + 1);
	if (!text)
		exit(1);
	memset(text, ' ', length);
	text[length] = 0;
	memcpy(text, head, used);
	if (length < used + strlen(more))
		return text;
	memcpy(text + used, more, strlen(more));
	for (used += strlen(more); used + strlen(pad) <= length; used += strlen(pad))
		memcpy(text + used, pad, strlen(pad));
	return text;
}

static void append_parse(struct bytes *out, const char *name, const char *text)
{
	size_t begun_at = wire_begin(out, 'P');

	bytes_append_string(out, name);
	bytes_append_string(out, text);
	bytes_append_u16(out, 0);               /* no parameter types */
	wire_end(out, begun_at);
}

static void append_bind(struct bytes *out, const char *statement)
{
	size_t begun_at = wire_begin(out, 'B');

	bytes_append_string(out, "");
	bytes_append_string(out, statement);
	bytes_append_u16(out, 0);               /* formats of the parameters, the parameters, of the results */
	bytes_append_u16(out, 0);
	bytes_append_u16(out, 0);
	wire_end(out, begun_at);
}

static void append_describe_portal(struct bytes *out)
{
	size_t begun_at = wire_begin(out, 'D');

	bytes_append_string(out, "P");
	wire_end(out, begun_at);
}

static void append_execute(struct bytes *out)
{
	size_t begun_at = wire_begin(out, 'E');

	bytes_append_string(out, "");
	bytes_append_u32(out, 0);               /* all rows */
	wire_end(out, begun_at);
}

static void prepare_simple(struct script *script, const char *text)
{
	wire_string_message(&script->steps[0], 'Q', text);
	script->step_count = 1;
}

static void prepare_extended(struct script *script, const char *text)
{
	struct bytes *out = &script->steps[0];

	append_parse(out, "", text);
	append_bind(out, "");
	append_describe_portal(out);
	append_execute(out);
	wire_empty_message(out, 'S');
	script->step_count = 1;
}

static void prepare_prepared(struct script *script, const char *text)
{
	append_parse(&script->setup, STATEMENT_NAME, text);
	wire_empty_message(&script->setup, 'S');
	append_bind(&script->steps[0], STATEMENT_NAME);
	append_execute(&script->steps[0]);
	wire_empty_message(&script->steps[0], 'S');
	script->step_count = 1;
}

static void prepare_transaction(struct script *script, const char *text)
{
	wire_string_message(&script->steps[0], 'Q', "BEGIN");
	wire_string_message(&script->steps[1], 'Q', text);
	wire_string_message(&script->steps[2], 'Q', "COMMIT");
	script->step_count = 3;
}

/* As clients do without a pooler that remembers for them: settings and question in one packet, those of two clients in turn. */
static void prepare_batch(struct script *script, const char *text)
{
	char settings[256];

	for (size_t i = 0; i < 2; i++) {
		const struct load_state *state = &load_states[i];

		snprintf(settings, sizeof(settings), "BEGIN; SET application_name = '%s'; SET search_path = %s; SET timezone = '%s'; COMMIT",
			 state->application_name, state->search_path, state->timezone);
		wire_string_message(&script->steps[i], 'Q', settings);
		wire_string_message(&script->steps[i], 'Q', text);
	}
	script->step_count = 2;
	script->answers = 2;
}

static const struct mode {
	const char *name;
	void (*prepare)(struct script *script, const char *text);
} modes[] = {
	{ "simple", prepare_simple },
	{ "extended", prepare_extended },
	{ "prepared", prepare_prepared },
	{ "transaction", prepare_transaction },
	{ "batch", prepare_batch },
};

bool load_script_prepare(struct load_options *options)
{
	char *text = options->text ? strdup(options->text) : query_text(options->text_bytes);
	bool found = false;

	options->script.answers = 1;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, options->mode) != 0)
			continue;
		modes[i].prepare(&options->script, text);
		found = true;
	}
	free(text);
	return found;
}

const char *load_script_names(void)
{
	return "simple | extended | prepared | transaction | batch";
}
