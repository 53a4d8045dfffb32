/* Failure story: these files are written by people and tools while we read. A line that makes no sense is passed over, as
 * AWS's tools do; what is missing then is missed by whoever needs it. */
#include "aws_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/list.h"
#include "pgweir/mem.h"

enum { FILE_MAX = 1024 * 1024 };

struct entry {
	struct list link;
	char *section;                  /* "profile NAME" or "services NAME". */
	char *key, *value;              /* A key within another one as "outer.inner". */
};

struct aws_profiles {
	struct list entries;            /* Those of the credentials file first. */
};

struct parse {
	struct aws_profiles *profiles;
	bool is_config;
	char *section;                  /* NULL: one that is none of ours. */
	char *outer;                    /* The key whose value is the indented lines that follow; or NULL. */
};

/* --- Parsing --- */

static char *trimmed(char *text)
{
	text += strspn(text, " \t\r");
	size_t size = strlen(text);

	while (size && strchr(" \t\r", text[size - 1]))
		text[--size] = '\0';
	return text;
}

static void take_section(struct parse *parse, char *line)
{
	char *end = strchr(line, ']');

	mem_free(parse->section);
	mem_free(parse->outer);
	parse->section = parse->outer = NULL;
	if (!end)
		return;
	*end = '\0';
	char *name = trimmed(line + 1);
	bool marked = strncmp(name, "profile ", strlen("profile ")) == 0;

	if (strncmp(name, "services ", strlen("services ")) == 0)
		parse->section = mem_strdup(name);
	else if (marked)
		parse->section = mem_printf("profile %s", trimmed(name + strlen("profile ")));
	else if (!parse->is_config || strcmp(name, "default") == 0)
		parse->section = mem_printf("profile %s", name);
}

static void add_entry(struct parse *parse, const char *outer, const char *key, const char *value)
{
	struct entry *entry = NEW(struct entry);

	entry->section = mem_strdup(parse->section);
	entry->key = outer ? mem_printf("%s.%s", outer, key) : mem_strdup(key);
	entry->value = mem_secret_dup(value);
	list_push_back(&parse->profiles->entries, &entry->link);
}

static void take_key(struct parse *parse, char *line, bool indented)
{
	char *equals = strchr(line, '=');

	if (!equals || !parse->section || (indented && !parse->outer))
		return;
	*equals = '\0';
	char *key = trimmed(line), *value = trimmed(equals + 1);

	if (indented) {
		add_entry(parse, parse->outer, key, value);
		return;
	}
	mem_free(parse->outer);
	parse->outer = *value ? NULL : mem_strdup(key);
	add_entry(parse, NULL, key, value);
}

static void take_line(struct parse *parse, char *line)
{
	bool indented = *line == ' ' || *line == '\t';
	char *text = trimmed(line);

	if (*text == '[')
		take_section(parse, text);
	else if (*text && *text != '#' && *text != ';')
		take_key(parse, text, indented);
}

static void parse_file(struct aws_profiles *profiles, const char *path, bool is_config)
{
	struct parse parse = { .profiles = profiles, .is_config = is_config };
	FILE *file = path ? fopen(path, "re") : NULL;

	if (!file)
		return;
	char *text = mem_alloc(FILE_MAX + 1), *rest = text;
	size_t size = fread(text, 1, FILE_MAX, file);

	fclose(file);
	for (char *line; (line = strsep(&rest, "\n"));)
		take_line(&parse, line);
	mem_wipe(text, size);
	mem_free(text);
	mem_free(parse.section);
	mem_free(parse.outer);
}

static char *path_of(const char *variable, const char *below_home)
{
	const char *path = getenv(variable), *home = getenv("HOME");

	if (path && strncmp(path, "~/", 2) == 0 && home)
		return mem_printf("%s/%s", home, path + 2);
	if (path && *path)
		return mem_strdup(path);
	return home ? mem_printf("%s/%s", home, below_home) : NULL;
}

struct aws_profiles *aws_profiles_load(void)
{
	struct aws_profiles *profiles = NEW(struct aws_profiles);
	char *credentials = path_of("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
	char *config = path_of("AWS_CONFIG_FILE", ".aws/config");

	list_init(&profiles->entries);
	parse_file(profiles, credentials, false);
	parse_file(profiles, config, true);
	mem_free(credentials);
	mem_free(config);
	return profiles;
}

void aws_profiles_free(struct aws_profiles **profiles)
{
	struct aws_profiles *gone = *profiles;

	*profiles = NULL;
	if (!gone)
		return;
	LIST_FOREACH(link, next, &gone->entries) {
		struct entry *entry = LIST_MEMBER(link, struct entry, link);

		mem_free(entry->section);
		mem_free(entry->key);
		mem_secret_free(entry->value);
		mem_free(entry);
	}
	mem_free(gone);
}

/* --- Asking --- */

const char *aws_profile_name(const char *chosen)
{
	const char *name = chosen ? chosen : getenv("AWS_PROFILE");

	return name && *name ? name : "default";
}

/* `key` NULL: any. */
static const char *find(const struct aws_profiles *profiles, const char *kind, const char *name, const char *key)
{
	size_t kind_size = strlen(kind);

	LIST_FOREACH(link, next, &profiles->entries) {
		const struct entry *entry = LIST_MEMBER(link, struct entry, link);
		bool here = strncmp(entry->section, kind, kind_size) == 0 && entry->section[kind_size] == ' '
			&& strcmp(entry->section + kind_size + 1, name) == 0;

		if (here && (!key || strcmp(entry->key, key) == 0))
			return entry->value;
	}
	return NULL;
}

bool aws_profile_exists(const struct aws_profiles *profiles, const char *name)
{
	return find(profiles, "profile", name, NULL) != NULL;
}

const char *aws_profile_get(const struct aws_profiles *profiles, const char *name, const char *key)
{
	const char *value = find(profiles, "profile", name, key);

	return value && *value ? value : NULL;
}

const char *aws_profile_endpoint(const struct aws_profiles *profiles, const char *name, const char *service)
{
	const char *services = aws_profile_get(profiles, name, "services");
	char *key = mem_printf("%s.endpoint_url", service);
	const char *value = services ? find(profiles, "services", services, key) : NULL;

	mem_free(key);
	return value && *value ? value : aws_profile_get(profiles, name, "endpoint_url");
}
