/* pgweir.ini from what was read of PgBouncer's. Comments that begin with "#!" want somebody to decide; what comes out is
 * read back at the end, so that what `pgweir check` would refuse is said at once. */
#include "import.h"

#include <string.h>
#include <strings.h>

#include "command.h"
#include "pgweir/config.h"
#include "pgweir/config_absent.h"
#include "pgweir/mem.h"
#include "pgweir/settings.h"

struct import {
	const struct import_source *source;
	FILE *out;
	unsigned written, explained, undecided;
	bool has_password;
};

/* --- Keys --- */

static bool is_off(const char *value)
{
	static const char *const words[] = { "", "0", "off", "no", "false" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(value, words[i]) == 0)
			return true;
	return false;
}

static void explain(struct import *import, bool decide, const char *key, const char *value, const char *why)
{
	fprintf(import->out, "#%s %s%s%s: %s.\n", decide ? "!" : "", key, value && *value ? " = " : "", value ? value : "", why);
	import->explained++;
	import->undecided += decide;
}

static void write_key(struct import *import, const char *key, const char *value)
{
	settings_write(key, value, import->out);
	import->written++;
}

static void write_translated(struct import *import, const struct import_rule *rule, const char *value)
{
	struct import_word word = { 0 };
	const char *ours = rule->ours ? rule->ours : rule->key;

	rule->translate(import->source, value, &word);
	if (word.note)
		explain(import, word.decide, rule->key, value, word.note);
	buf_append_char(&word.value, '\0');
	if (word.dropped || (word.decide && word.value.size == 1))
		import->explained += !word.note;
	else
		write_key(import, ours, word.value.bytes);
	buf_fini_secret(&word.value);
}

static void write_pair(struct import *import, enum import_place place, const struct import_pair *pair)
{
	const struct import_rule *rule = import_rule_find(place, pair->key);
	const struct config_absent *absent = rule ? NULL : config_absent_find(import_rules[place].ours, pair->key);

	if (absent)
		explain(import, absent->matters && !is_off(pair->value), pair->key, pair->value, absent->why);
	else if (!rule)
		explain(import, true, pair->key, NULL, "is not a key of PgBouncer 1.18 to 1.25; it may be misspelt, or too new");
	else if (rule->translate)
		write_translated(import, rule, pair->value);
	else
		write_key(import, rule->ours ? rule->ours : rule->key, pair->value);
	import->has_password = import->has_password || strcasecmp(pair->key, "password") == 0;
}

/* The last one counts. */
static bool is_overridden(const struct import_pairs *pairs, size_t at)
{
	for (size_t i = at + 1; i < pairs->count; i++)
		if (strcasecmp(pairs->all[i].key, pairs->all[at].key) == 0)
			return true;
	return false;
}

static void write_pairs(struct import *import, enum import_place place, const struct import_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (!is_overridden(pairs, i))
			write_pair(import, place, &pairs->all[i]);
}

/* --- [pgweir] --- */

static void write_main(struct import *import)
{
	const struct import_pairs *pairs = &import->source->places[IMPORT_PGBOUNCER];
	const struct import_rules *rules = &import_rules[IMPORT_PGBOUNCER];
	bool said = false;

	settings_write_header("pgweir", NULL, import->out);
	write_pairs(import, IMPORT_PGBOUNCER, pairs);
	for (size_t i = 0; i < *rules->count; i++) {
		const struct import_rule *rule = &rules->rules[i];

		if (!rule->bouncer_default || import_value(pairs, rule->key))
			continue;
		fputs(said ? "" : "# PgBouncer's defaults, where pgweir has others:\n", import->out);
		said = true;
		write_key(import, rule->key, rule->bouncer_default);
	}
}

/* --- [database] --- */

/* Names of several hosts become a [cluster]. */
static void write_cluster(struct import *import, const char *name, const char *hosts, const char *port)
{
	struct buf list = { 0 };
	char *item;

	fputc('\n', import->out);
	settings_write_header("cluster", name, import->out);
	explain(import, true, "host", hosts, "PgBouncer takes these hosts in turn. pgweir finds out which one is the primary and sends "
		"writes there; for reads on the others see routing in docs/routing.md");
	while ((item = config_list_next(&hosts))) {
		bool bracket = strchr(item, ':');

		buf_printf(&list, bracket ? "%s[%s]:%s" : "%s%s:%s", list.size ? ", " : "", item, port ? port : "5432");
		mem_free(item);
	}
	buf_append_char(&list, '\0');
	write_key(import, "hosts", list.bytes);
	buf_fini(&list);
}

/* Without a host PgBouncer looks for the server's socket where it has its own. */
static void write_socket_host(struct import *import)
{
	const char *folder = import_value(&import->source->places[IMPORT_PGBOUNCER], "unix_socket_dir");
	bool known = !folder || *folder == '/';

	explain(import, !known, "host", NULL, known ? "not set: the server's socket is looked for in PgBouncer's unix_socket_dir"
		: "not set, and no folder with the server's socket either; this is a guess");
	write_key(import, "host", !folder ? "/tmp" : known ? folder : "/var/run/postgresql");
}

static void write_database_key(struct import *import, const char *cluster, const struct import_pair *pair)
{
	if (cluster && strcasecmp(pair->key, "host") == 0)
		write_key(import, "cluster", cluster);
	else if (!cluster || strcasecmp(pair->key, "port") != 0)
		write_pair(import, IMPORT_DATABASES, pair);
}

static void write_database(struct import *import, const char *name, const struct import_pairs *pairs)
{
	const char *host = import_value(pairs, "host");
	const char *cluster = !host || !strchr(host, ',') ? NULL : strcmp(name, "*") == 0 ? "any" : name;

	if (cluster)
		write_cluster(import, cluster, host, import_value(pairs, "port"));
	fputc('\n', import->out);
	settings_write_header("database", name, import->out);
	if (!host || !*host)
		write_socket_host(import);
	for (size_t i = 0; i < pairs->count; i++)
		if (!is_overridden(pairs, i) && !(strcasecmp(pairs->all[i].key, "host") == 0 && !*pairs->all[i].value))
			write_database_key(import, cluster, &pairs->all[i]);
}

/* --- [user], [peers] --- */

static void write_user(struct import *import, const char *name, const struct import_pairs *pairs)
{
	fputc('\n', import->out);
	settings_write_header("user", name, import->out);
	write_pairs(import, IMPORT_USERS, pairs);
}

static void write_peer(struct import *import, const char *name, const struct import_pairs *pairs)
{
	const char *host = import_value(pairs, "host"), *port = import_value(pairs, "port");
	char *value = mem_printf("host=%s port=%s", host ? host : "", port ? port : "6432");

	write_key(import, name, value);
	mem_free(value);
}

typedef void write_cb(struct import *import, const char *name, const struct import_pairs *pairs);

static bool write_place(struct import *import, enum import_place place, write_cb *write, struct error *error)
{
	const struct import_pairs *entries = &import->source->places[place];
	bool good = true;

	for (size_t i = 0; i < entries->count && good; i++) {
		const struct import_pair *entry = &entries->all[i];
		struct import_pairs pairs = { 0 };

		if (is_overridden(entries, i))
			continue;
		good = import_read_pairs(&pairs, entry->value, error);
		if (good)
			write(import, entry->key, &pairs);
		else
			error_prepend(error, "%s:%u: %s", entry->file, entry->line, entry->key);
		import_pairs_fini(&pairs);
	}
	return good;
}

static bool write_all(struct import *import, struct error *error)
{
	write_main(import);
	if (import->source->places[IMPORT_PEERS].count)
		fputs("\n[peers]\n", import->out);
	return write_place(import, IMPORT_PEERS, write_peer, error) && write_place(import, IMPORT_DATABASES, write_database, error)
		&& write_place(import, IMPORT_USERS, write_user, error);
}

/* --- The whole --- */

static void write_head(const struct import *import, FILE *out)
{
	fputs("# pgweir.ini, made from", out);
	for (size_t i = 0; i < import->source->file_count; i++)
		fprintf(out, "%s %s", i ? "," : "", import->source->files[i]);
	fputs(".\n# While PgBouncer still runs, give this one another listen_port, logfile and pidfile.\n", out);
	if (import->undecided)
		fputs("# Lines that begin with \"#!\" want a decision of yours.\n", out);
	fputc('\n', out);
}

/* What pgweir itself says of it. */
static bool proof_read(const char *text, size_t size, FILE *out)
{
	struct config_problems problems = { 0 };
	struct config *config = config_load_text("pgweir.ini", text, size, &problems);
	bool good = config;

	for (size_t i = 0; i < problems.count; i++)
		fprintf(out, "#! pgweir check says (lines counted from [pgweir] on): %s\n", problems.texts[i]);
	config_problems_fini(&problems);
	config_unref(&config);
	return good;
}

static bool deliver(const struct command_line *line, struct import *import, const char *text, size_t size)
{
	FILE *out = command_open_output(line);

	if (!out)
		return false;
	write_head(import, out);
	import->undecided += !proof_read(text, size, out);
	fwrite(text, 1, size, out);
	if (!command_close_output(line, out))
		return false;
	if (import->has_password && out == stdout)
		fputs("pgweir: it holds a password; let nobody else read the file (-o FILE sees to that)\n", stderr);
	fprintf(stderr, "pgweir: %u keys written, %u explained, %u want a decision\n", import->written, import->explained,
		import->undecided);
	return import->undecided == 0;
}

enum command_status import_command(const struct command_line *line)
{
	struct import_source source = { 0 };
	struct import import = { .source = &source };
	struct error error = { 0 };
	char *text = NULL;
	size_t size = 0;
	bool good = import_read(&source, line->operands[0], &error);

	import.out = open_memstream(&text, &size);
	CHECK(import.out);
	good = good && write_all(&import, &error);
	fclose(import.out);
	if (!good)
		fprintf(stderr, "pgweir: %s\n", error.text);
	good = good && deliver(line, &import, text, size);
	mem_wipe(text, size);
	mem_free(text);
	import_source_fini(&source);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}
