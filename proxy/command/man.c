/* Manual pages, from the tables of commands, of settings and of the console. */
#include <string.h>

#include "command.h"
#include "pgweir/admin.h"
#include "pgweir/mem.h"
#include "pgweir/settings.h"

/* --- roff --- */

/* The next character of UTF-8, as one number. */
static unsigned take_character(const char **at)
{
	const unsigned char *bytes = (const unsigned char *)*at;
	int more = bytes[0] >= 0xf0 ? 3 : bytes[0] >= 0xe0 ? 2 : bytes[0] >= 0xc0 ? 1 : 0;
	unsigned value = more ? bytes[0] & (0x3fu >> more) : bytes[0];

	for (int i = 1; i <= more && bytes[i]; i++)
		value = value << 6 | (bytes[i] & 0x3fu);
	*at += 1 + more;
	return value;
}

static void put_character(unsigned value, FILE *out)
{
	if (value == '\\')
		fputs("\\e", out);
	else if (value == '-')
		fputs("\\-", out);
	else if (value == '"')
		fputs("\\(dq", out);
	else if (value == '\'')
		fputs("\\(aq", out);
	else if (value == '^' || value == '~')
		fputs(value == '^' ? "\\(ha" : "\\(ti", out);
	else if (value > 126)
		fprintf(out, "\\[u%04X]", value);
	else
		fputc((int)value, out);
}

/* `Words` in backquotes come out bold; an empty line ends a paragraph. A line must not begin with a dot. */
static void put_text(const char *text, FILE *out)
{
	bool bold = false, begins = true;

	while (*text) {
		unsigned value = take_character(&text);

		if (value == '`') {
			bold = !bold;
			fputs(bold ? "\\fB" : "\\fR", out);
		} else if (value == '\n' && begins) {
			fputs(".PP\n", out);
		} else if (value == '\n') {
			fputc('\n', out);
		} else {
			if (begins && value == '.')
				fputs("\\&", out);
			put_character(value, out);
		}
		begins = value == '\n';
	}
}

static void put_line(const char *text, FILE *out)
{
	put_text(text, out);
	fputc('\n', out);
}

static void put_heading(const char *title, const char *section, const char *what, FILE *out)
{
	fprintf(out, ".\\\" Made by `pgweir describe man`.\n.TH %s %s \"\" \"pgweir " PGWEIR_VERSION "\" \"pgweir\"\n.SH NAME\n%s \\- ",
		title, section, title);
	put_line(what, out);
}

/* --- pgweir(1) --- */

static void put_usage(const struct command *command, FILE *out)
{
	char *usage = NULL;
	size_t size;
	FILE *text = open_memstream(&usage, &size);

	CHECK(text);
	command_print_usage(command, text);
	fclose(text);
	fputs("\\fB", out);
	put_text(usage, out);
	fputs("\\fR\n", out);
	mem_free(usage);
}

static void put_commands(FILE *out)
{
	for (size_t i = 0; i < command_count; i++) {
		fputs(".TP\n", out);
		put_usage(&command_table[i], out);
		put_text(command_table[i].summary, out);
		fputs(".\n", out);
		if (command_table[i].detail)
			put_line(command_table[i].detail, out);
	}
}

static void put_options(FILE *out)
{
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct command_option *option = &command_options[id];

		if (!option->help)
			continue;
		fputs(".TP\n", out);
		if (option->letter)
			fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
		fputs("\\fB", out);
		put_text("--", out);
		put_text(option->name, out);
		fprintf(out, "\\fR%s%s\n", option->value ? " " : "", option->value ? option->value : "");
		put_line(option->help, out);
	}
}

static void print_program(FILE *out)
{
	put_heading("pgweir", "1", "connection-pooling proxy for PostgreSQL", out);
	fputs(".SH SYNOPSIS\n", out);
	for (size_t i = 0; i < command_count; i++) {
		fputs(i ? ".br\n" : "", out);
		put_usage(&command_table[i], out);
	}
	fputs(".SH DESCRIPTION\n", out);
	put_line("Applications connect to pgweir instead of the database; it keeps a small number of server connections and lends "
		"them out, one transaction at a time. Settings and prepared statements follow the client.", out);
	fputs(".SH COMMANDS\n", out);
	put_commands(out);
	fputs(".SH OPTIONS\n", out);
	put_options(out);
	fputs(".SH SIGNALS\n.TP\n.B SIGHUP\nreads the configuration again.\n.TP\n.B SIGTERM\n"
		"drains: accepts for drain_delay, closes idle clients bit by bit, and ends by drain_timeout.\n.TP\n.B SIGINT\n"
		"ends when transactions have ended.\n.TP\n.B SIGQUIT\nends at once.\n.TP\n"
		".B SIGUSR1, SIGUSR2\nas PAUSE and RESUME on the console.\n", out);
	fputs(".SH ENVIRONMENT\n.TP\n.B NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS\nas systemd sets them: it is told of "
		"readiness, reloads and the end, and sockets it has opened are used.\n", out);
	fputs(".SH EXIT STATUS\n0 all is well, 1 it failed, 2 wrong usage.\n"
		".SH FILES\n.TP\n.I /etc/pgweir/pgweir.ini\nthe configuration that the packaged service uses.\n"
		".SH SEE ALSO\n.BR pgweir.ini (5),\n.BR pgweir\\-console (7)\n", out);
}

/* --- pgweir.ini(5) --- */

struct settings_page {
	FILE *out;
	const char *section;            /* Of the row before. */
};

static void put_setting(const struct settings_row *row, void *arg)
{
	struct settings_page *page = arg;

	if (!page->section || strcmp(page->section, row->section) != 0) {
		fprintf(page->out, ".SH [%s%s]\n", row->section, row->section_named ? " NAME" : "");
		put_line(row->section_summary, page->out);
	}
	page->section = row->section;
	fprintf(page->out, ".TP\n.B %s\n", row->key);
	put_line(row->summary, page->out);
	if (row->detail)
		put_line(row->detail, page->out);
	fputs(".br\n", page->out);
	put_text(row->form, page->out);
	fputs(".\n", page->out);
}

static void print_settings(FILE *out)
{
	struct settings_page page = { .out = out };

	put_heading("pgweir.ini", "5", "configuration of pgweir", out);
	fputs(".SH DESCRIPTION\n", out);
	size_t size = strlen(settings_head);

	/* Its last empty line would be an empty paragraph. */
	for (size_t at = 0; at < size; ) {
		const char *end = strstr(settings_head + at, "\n\n");
		char *paragraph = mem_strndup(settings_head + at, end ? (size_t)(end - settings_head) - at : size - at);

		fputs(at ? ".PP\n" : "", out);
		put_line(paragraph, out);
		at = end ? (size_t)(end - settings_head) + 2 : size;
		mem_free(paragraph);
	}
	settings_rows(put_setting, &page);
	fputs(".SH SEE ALSO\n.BR pgweir (1),\n.BR pgweir\\-console (7)\n", out);
}

/* --- pgweir-console(7) --- */

static void put_console_command(const struct admin_command *command, void *arg)
{
	FILE *out = arg;

	fprintf(out, ".TP\n\\fB%s\\fR%s%s\n", command->words, command->usage ? " " : "", command->usage ? command->usage : "");
	put_text(command->help, out);
	fputs(command->admins_only ? "; for admin_users.\n" : ".\n", out);
	if (!command->column_count)
		return;
	fputs(".br\nColumns: ", out);
	for (size_t i = 0; i < command->column_count; i++)
		fprintf(out, "%s%s", i ? ", " : "", command->columns[i]);
	fputs(".\n", out);
}

static void print_console(FILE *out)
{
	put_heading("pgweir-console", "7", "admin console of pgweir", out);
	fputs(".SH SYNOPSIS\n.B psql \\-p 6432 \\-U admin pgweir\n.SH DESCRIPTION\n", out);
	put_line("Whoever is in admin_users or stats_users and connects to the database `pgweir` (`pgbouncer` is another name for it) "
		"is on the console. It takes the commands of PgBouncer, and answers with PgBouncer's columns first, so that tools made "
		"for that one work. Simple and extended queries are taken; several commands are separated by semicolons.", out);
	fputs(".SH COMMANDS\n", out);
	admin_commands(put_console_command, out);
	fputs(".SH SEE ALSO\n.BR pgweir (1),\n.BR pgweir.ini (5)\n", out);
}

enum command_status man_command(const struct command_line *line)
{
	static const struct {
		const char *page;
		void (*print)(FILE *out);
	} pages[] = { { "pgweir.1", print_program }, { "pgweir.ini.5", print_settings }, { "pgweir-console.7", print_console } };

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (strcmp(line->operands[0], pages[i].page) == 0) {
			pages[i].print(stdout);
			return COMMAND_GOOD;
		}
	}
	return command_usage_error("which page? %s", line->command->operands);
}
