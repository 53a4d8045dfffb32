/* Regular expressions are POSIX extended ones; PostgreSQL's own dialect is a superset that such maps do not use. */
#include "ident.h"

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

static bool compile(struct ident_entry *entry, const char *path, unsigned line, struct config_problems *problems)
{
	char reason[128];
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

static bool check_line(const struct auth_rules_line *line, const char *path, struct config_problems *problems)
{
	const char *problem = line->problem;

	if (!problem && line->count != 3)
		problem = "expected three fields: map name, system name, role";
	for (size_t i = 0; !problem && i < line->count; i++)
		if (line->fields[i].count != 1)
			problem = "a list is not possible here";
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
