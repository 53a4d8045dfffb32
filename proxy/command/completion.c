/* What shells offer behind "pgweir ": all of it from the two tables. */
#include <string.h>

#include "command.h"

/* --- What the tables hold --- */

static void print_options(const struct command *command, FILE *out)
{
	for (enum command_option_id id = 0; id < OPTION_COUNT; id++) {
		if (!command_shows(command, id))
			continue;
		if (command_options[id].letter)
			fprintf(out, "-%c ", command_options[id].letter);
		fprintf(out, "--%s ", command_options[id].name);
	}
	fputs("--help", out);
}

/* "bash|zsh|fish" are offered; what is in capitals is the user's to know. */
static void print_choices(const struct command *command, FILE *out)
{
	const char *operands = command->operands ? command->operands : "";

	if (!strchr(operands, '|'))
		return;
	for (; *operands; operands++)
		fputc(*operands == '|' ? ' ' : *operands, out);
	fputc(' ', out);
}

/* The first words, or the second ones of those that begin with `group`. */
static void print_words(const char *group, size_t size, FILE *out)
{
	const char *last = "";
	size_t last_size = 0;

	for (size_t i = 0; i < command_count; i++) {
		const char *words = command_table[i].words;

		if (size && (strncmp(words, group, size) != 0 || words[size] != ' '))
			continue;
		words += size ? size + 1 : 0;
		size_t word = strcspn(words, " ");

		if (!word || (word == last_size && memcmp(words, last, word) == 0))
			continue;
		fprintf(out, "%.*s ", (int)word, words);
		last = words;
		last_size = word;
	}
}

/* True the first time that a command of two words begins with its first. */
static bool opens_group(size_t i, size_t *size)
{
	const char *words = command_table[i].words;

	*size = strcspn(words, " ");
	return words[*size] == ' ' && (i == 0 || strncmp(command_table[i - 1].words, words, *size + 1) != 0);
}

/* --- bash, and zsh, which has the same `case` --- */

static void print_file_options(FILE *out)
{
	const char *separator = "";

	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct command_option *option = &command_options[id];

		if (!option->value || strcmp(option->value, "FILE") != 0)
			continue;
		fprintf(out, "%s-%c|--%s", separator, option->letter, option->name);
		separator = "|";
	}
}

static void print_cases(FILE *out)
{
	size_t size;

	fputs("\tcase \"$said \" in\n", out);
	for (size_t i = 1; i < command_count; i++) {
		fprintf(out, "\t\"%s \"*) offers=\"", command_table[i].words);
		print_choices(&command_table[i], out);
		print_options(&command_table[i], out);
		fputs("\" ;;\n", out);
	}
	for (size_t i = 1; i < command_count; i++) {
		if (!opens_group(i, &size))
			continue;
		fprintf(out, "\t\"%.*s \"*) offers=\"", (int)size, command_table[i].words);
		print_words(command_table[i].words, size, out);
		fputs("--help\" ;;\n", out);
	}
	fputs("\t*) offers=\"", out);
	print_words("", 0, out);
	print_options(&command_table[0], out);
	fputs(" --version\" ;;\n\tesac\n", out);
}

static void print_bash(FILE *out)
{
	fputs("# bash completion of pgweir\n_pgweir()\n{\n"
		"\tlocal word=${COMP_WORDS[COMP_CWORD]} said=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" offers\n"
		"\tCOMPREPLY=()\n\tcase ${COMP_WORDS[COMP_CWORD-1]} in\n\t", out);
	print_file_options(out);
	fputs(") return ;;\n\tesac\n", out);
	print_cases(out);
	fputs("\tCOMPREPLY=($(compgen -W \"$offers\" -- \"$word\"))\n}\ncomplete -o default -F _pgweir pgweir\n", out);
}

static void print_zsh(FILE *out)
{
	fputs("#compdef pgweir\n_pgweir()\n{\n\tlocal said=\"${words[2,CURRENT-1]}\" offers\n\tcase ${words[CURRENT-1]} in\n\t", out);
	print_file_options(out);
	fputs(") _files; return ;;\n\tesac\n", out);
	print_cases(out);
	/* As a function of its own folder the file is run at the first tab, which wants its answer. */
	fputs("\tcompadd -- ${=offers} || _files\n}\n"
		"if [[ ${funcstack[1]} = _pgweir ]]; then _pgweir; else compdef _pgweir pgweir; fi\n", out);
}

/* --- fish --- */

static void print_fish_help(const char *text, FILE *out)
{
	fputs(" -d '", out);
	for (; *text; text++)
		fprintf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
	fputs("'\n", out);
}

static void print_fish_options(const struct command *command, FILE *out)
{
	for (enum command_option_id id = 0; id < OPTION_COUNT; id++) {
		const struct command_option *option = &command_options[id];

		if (!command_shows(command, id))
			continue;
		fprintf(out, "complete -c pgweir -n '__pgweir_said \"%s\"' -l %s", command->words, option->name);
		if (option->letter)
			fprintf(out, " -s %c", option->letter);
		fputs(!option->value ? "" : strcmp(option->value, "FILE") == 0 ? " -rF" : " -x", out);
		print_fish_help(option->help, out);
	}
}

static void print_fish(FILE *out)
{
	size_t size;

	fputs("# fish completion of pgweir\n"
		"function __pgweir_said\n\tset -l said (commandline -opc)\n\tstring match -q -- \"$argv[1]\" \"$said[2..]\"\n"
		"\tor string match -q -- \"$argv[1] *\" \"$said[2..]\"\nend\n"
		"function __pgweir_said_no_more\n\tset -l said (commandline -opc)\n\ttest \"$said[2..]\" = \"$argv[1]\"\nend\n"
		"complete -c pgweir -f\n", out);
	for (size_t i = 1; i < command_count; i++) {
		const struct command *command = &command_table[i];
		const char *space = strchr(command->words, ' ');

		if (space)
			fprintf(out, "complete -c pgweir -n '__pgweir_said_no_more \"%.*s\"' -a %s",
				(int)(space - command->words), command->words, space + 1);
		else
			fprintf(out, "complete -c pgweir -n '__pgweir_said_no_more \"\"' -a %s", command->words);
		print_fish_help(command->summary, out);
		if (opens_group(i, &size))
			fprintf(out, "complete -c pgweir -n '__pgweir_said_no_more \"\"' -a %.*s\n", (int)size, command->words);
		if (command->operands && strchr(command->operands, '|')) {
			fprintf(out, "complete -c pgweir -n '__pgweir_said_no_more \"%s\"' -a '", command->words);
			print_choices(command, out);
			fputs("'\n", out);
		}
		print_fish_options(command, out);
	}
	print_fish_options(&command_table[0], out);
}

enum command_status completion_command(const struct command_line *line)
{
	static const struct {
		const char *shell;
		void (*print)(FILE *out);
	} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(line->operands[0], shells[i].shell) == 0) {
			shells[i].print(stdout);
			return COMMAND_GOOD;
		}
	}
	return command_usage_error("completion for which shell? %s", line->command->operands);
}
