/* Regular expressions are POSIX extended ones, read by the C library. What means something else in PostgreSQL's own dialect is
 * refused: there \d is a digit, to the C library a d, and the wrong people would be let in. */
#include "ident.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>

#include "auth_rules.h"
#include "files.h"
#include "pgweir/buf.h"
#include "pgweir/mem.h"

enum { IDENT_ENTRIES_MAX = 10000 };

struct ident_entry {
	char *map, *system_name, *user;
	bool is_regex;
	regex_t regex;
};

struct ident {
	struct ident_entry *entries;
	size_t count;
};

static void entry_fini(struct ident_entry *entry)
{
	mem_free(entry->map);
	mem_free(entry->system_name);
	mem_free(entry->user);
	if (entry->is_regex)
		regfree(&entry->regex);
}

void ident_free(struct ident **ident)
{
	struct ident *gone = *ident;

	*ident = NULL;
	if (!gone)
		return;
	for (size_t i = 0; i < gone->count; i++)
		entry_fini(&gone->entries[i]);
	mem_free(gone->entries);
	mem_free(gone);
}

/* --- Reading the file --- */

/* Behind a bracket expression that begins at `at`; NULL: it has a backslash, which PostgreSQL takes for an escape. */
static const char *skip_bracket(const char *at)
{
	at += at[1] == '^' ? 2 : 1;
	at += *at == ']';
	while (*at && *at != ']') {
		const char *class_end = at[0] == '[' && at[1] && strchr(":.=", at[1]) ? strchr(at + 2, at[1]) : NULL;

		if (*at == '\\')
			return NULL;
		at = class_end && class_end[1] == ']' ? class_end + 2 : at + 1;
	}
	return *at ? at + 1 : at;
}

static bool is_escape_of_both(char c)
{
	return c && (strchr("wWsS", c) || !(isalnum((unsigned char)c) || strchr("<>`'", c)));
}

/* What follows a quantifier would make it another one: `*?` takes as little as possible. */
static bool means_the_same_to_postgresql(const char *at)
{
	static const char quantifiers[] = "*+?{";

	if (strncmp(at, "***", 3) == 0)
		return false;
	while (*at) {
		char c = *at;

		if (c == '[') {
			at = skip_bracket(at);
			if (!at)
				return false;
			continue;
		}
		if (c == '\\' && !is_escape_of_both(*++at))
			return false;
		at++;
		if ((c == '(' && *at == '?') || (c == '{' && !isdigit((unsigned char)*at)))
			return false;
		if (strchr("*+?}", c) && *at && strchr(quantifiers, *at))
			return false;
	}
	return true;
}

static bool compile(struct ident_entry *entry, const char *path, unsigned line, struct config_problems *problems)
{
	char reason[128];

	if (!means_the_same_to_postgresql(entry->system_name + 1)) {
		files_problem(problems, path, line, "the regular expression \"%s\" has what only PostgreSQL's have: only "
			"\\w, \\W, \\s and \\S may stand behind a backslash, none in brackets, and no ? behind a quantifier or a parenthesis",
			entry->system_name + 1);
		return false;
	}
	int status = regcomp(&entry->regex, entry->system_name + 1, REG_EXTENDED);

	if (status) {
		regerror(status, &entry->regex, reason, sizeof(reason));
		files_problem(problems, path, line, "invalid regular expression \"%s\": %s", entry->system_name + 1, reason);
		return false;
	}
	entry->is_regex = true;
	if (!strstr(entry->user, "\\1") || entry->regex.re_nsub > 0)
		return true;
	files_problem(problems, path, line, "\"\\1\" needs a parenthesised part in the regular expression \"%s\"",
		entry->system_name + 1);
	return false;
}

/* To PostgreSQL 16 and later. */
static bool has_meaning_to_newer(const struct auth_rules_word *role)
{
	return role->text[0] == '/' || auth_rules_is(role, "all") || (role->text[0] == '+' && !role->quoted);
}

static bool check_line(const struct auth_rules_line *line, const char *path, struct config_problems *problems)
{
	const char *problem = line->problem;

	if (!problem && line->count != 3)
		problem = "expected three fields: map name, system name, role";
	for (size_t i = 0; !problem && i < line->count; i++)
		if (line->fields[i].count != 1)
			problem = "a list is not possible here";
	if (!problem && has_meaning_to_newer(&line->fields[2].items[0]))
		problem = "\"all\", \"+role\" and \"/regex\" as the role are not supported here; name it";
	if (problem)
		files_problem(problems, path, line->number, "%s", problem);
	return !problem;
}

static void add_entry(struct ident *ident, const struct auth_rules_line *line, const char *path,
	struct config_problems *problems)
{
	struct ident_entry entry = { 0 };

	if (!check_line(line, path, problems))
		return;
	entry.map = mem_strdup(line->fields[0].items[0].text);
	entry.system_name = mem_strdup(line->fields[1].items[0].text);
	entry.user = mem_strdup(line->fields[2].items[0].text);
	if (entry.system_name[0] == '/' && !compile(&entry, path, line->number, problems)) {
		entry_fini(&entry);
		return;
	}
	ident->entries = mem_realloc(ident->entries, (ident->count + 1) * sizeof(*ident->entries));
	ident->entries[ident->count++] = entry;
}

struct ident *ident_parse(const char *path, const char *text, size_t size, struct config_problems *problems)
{
	struct ident *ident = NEW(struct ident);
	struct auth_rules_line line;
	const char *at = text, *end = text + size;
	size_t before = problems->count;
	unsigned number = 0;

	while (auth_rules_next(&at, end, &number, &line)) {
		if (ident->count < IDENT_ENTRIES_MAX)
			add_entry(ident, &line, path, problems);
		else
			files_problem(problems, path, line.number, "more than %d entries", IDENT_ENTRIES_MAX);
		auth_rules_line_fini(&line);
		if (ident->count == IDENT_ENTRIES_MAX && problems->count > before)
			break;
	}
	if (problems->count > before)
		ident_free(&ident);
	return ident;
}

/* --- Asking it --- */

/* The role with what stands for \1 in its place. */
static bool expanded_equals(const struct ident_entry *entry, const char *system_name, const regmatch_t *part,
	const char *user)
{
	const char *mark = strstr(entry->user, "\\1");

	if (!mark)
		return strcmp(entry->user, user) == 0;
	if (part->rm_so < 0)
		return false;
	struct buf expected = { 0 };

	buf_append(&expected, entry->user, (size_t)(mark - entry->user));
	buf_append(&expected, system_name + part->rm_so, (size_t)(part->rm_eo - part->rm_so));
	buf_append_cstring(&expected, mark + 2);
	bool equal = strcmp(expected.bytes, user) == 0;
	buf_fini(&expected);
	return equal;
}

static bool entry_allows(const struct ident_entry *entry, const char *system_name, const char *user)
{
	regmatch_t parts[2];

	if (!entry->is_regex)
		return strcmp(entry->system_name, system_name) == 0 && strcmp(entry->user, user) == 0;
	return regexec(&entry->regex, system_name, ARRAY_LEN(parts), parts, 0) == 0 &&
		expanded_equals(entry, system_name, &parts[1], user);
}

bool ident_has(const struct ident *ident, const char *map)
{
	for (size_t i = 0; ident && i < ident->count; i++)
		if (strcmp(ident->entries[i].map, map) == 0)
			return true;
	return false;
}

bool ident_allows(const struct ident *ident, const char *map, const char *system_name, const char *user)
{
	if (!ident)
		return false;
	for (size_t i = 0; i < ident->count; i++)
		if (strcmp(ident->entries[i].map, map) == 0 && entry_allows(&ident->entries[i], system_name, user))
			return true;
	return false;
}
