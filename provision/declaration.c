#include "declaration.h"

#include <string.h>

#include "pgweir/mem.h"

enum {
	SELECT = 1 << 0, INSERT = 1 << 1, UPDATE = 1 << 2, DELETE = 1 << 3, TRUNCATE = 1 << 4, REFERENCES = 1 << 5,
	TRIGGER = 1 << 6, MAINTAIN = 1 << 7, USAGE = 1 << 8, CREATE = 1 << 9, CONNECT = 1 << 10, TEMPORARY = 1 << 11,
	TABLE_ALL = SELECT | INSERT | UPDATE | DELETE | TRUNCATE | REFERENCES | TRIGGER,
	TABLE_ANY = TABLE_ALL | MAINTAIN,
	SEQUENCE_ALL = SELECT | UPDATE | USAGE,
};

static const struct {
	const char *word;
	uint32_t bit;
} privilege_words[] = {
	{ "SELECT", SELECT }, { "INSERT", INSERT }, { "UPDATE", UPDATE }, { "DELETE", DELETE }, { "TRUNCATE", TRUNCATE },
	{ "REFERENCES", REFERENCES }, { "TRIGGER", TRIGGER }, { "MAINTAIN", MAINTAIN }, { "USAGE", USAGE },
	{ "CREATE", CREATE }, { "CONNECT", CONNECT }, { "TEMPORARY", TEMPORARY },
};

static const char *const kind_words[] = {
	[OBJECT_DATABASE] = "database", [OBJECT_SCHEMA] = "schema", [OBJECT_TABLE] = "table", [OBJECT_SEQUENCE] = "sequence",
	[OBJECT_FUTURE_TABLES] = "future tables", [OBJECT_FUTURE_SEQUENCES] = "future sequences",
};

/* The profiles. Future objects get what the present ones have. */
static const struct {
	uint32_t database, schema, table, sequence;
	bool replication;               /* REPLICATION, or rds_replication. */
	bool owners;                    /* Member of the owners, so that it may alter what is theirs. */
	const char *member_of;
} profiles[] = {
	[PROVISION_PROFILE_NONE] = { 0 },
	[PROVISION_PROFILE_READ_ONLY] = { .database = CONNECT, .schema = USAGE, .table = SELECT, .sequence = SELECT },
	[PROVISION_PROFILE_READ_WRITE] = { .database = CONNECT | TEMPORARY, .schema = USAGE,
		.table = SELECT | INSERT | UPDATE | DELETE, .sequence = SEQUENCE_ALL },
	[PROVISION_PROFILE_OWNER] = { .database = CONNECT | TEMPORARY | CREATE, .schema = USAGE | CREATE, .table = TABLE_ALL,
		.sequence = SEQUENCE_ALL, .owners = true },
	[PROVISION_PROFILE_MONITORING] = { .database = CONNECT, .member_of = "pg_monitor" },
	[PROVISION_PROFILE_REPLICATION] = { .database = CONNECT, .replication = true },
};

/* --- Names --- */

void names_add(struct names *names, const char *name)
{
	names->items = mem_realloc(names->items, (names->count + 1) * sizeof(names->items[0]));
	names->items[names->count++] = mem_strdup(name);
}

bool names_have(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return true;
	return false;
}

void names_fini(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		mem_free(names->items[i]);
	mem_free(names->items);
	*names = (struct names){ 0 };
}

/* Nothing more from where the list is not well-formed, which the configuration does not let through. */
static void split(const char *list, struct names *names)
{
	bool good;
	char *item;

	while ((item = config_name_next(&list, &good))) {
		if (*item && !names_have(names, item))
			names_add(names, item);
		mem_free(item);
	}
}

/* --- Privileges --- */

static uint32_t privilege_of_word(const char *word, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(privilege_words); i++)
		if (strlen(privilege_words[i].word) == size && strncasecmp(privilege_words[i].word, word, size) == 0)
			return privilege_words[i].bit;
	return 0;
}

uint32_t declaration_privileges(const char *words)
{
	uint32_t privileges = 0;

	while (words && *words) {
		size_t size = strcspn(words, ",");

		privileges |= privilege_of_word(words, size);
		words += size + (words[size] == ',');
	}
	return privileges;
}

void declaration_append_privileges(struct buf *text, uint32_t privileges)
{
	const char *between = "";

	for (size_t i = 0; i < ARRAY_LEN(privilege_words); i++) {
		if (!(privileges & privilege_words[i].bit))
			continue;
		buf_printf(text, "%s%s", between, privilege_words[i].word);
		between = ", ";
	}
}

const char *declaration_kind_word(enum object_kind kind)
{
	return kind_words[kind];
}

/* --- The section --- */

/* Listed privileges are for tables and sequences; what reaches them is implied. */
static bool take_listed(const char *listed, uint32_t privileges[], struct error *error)
{
	struct names words = { 0 };
	bool good = true;

	split(listed, &words);
	for (size_t i = 0; i < words.count && good; i++) {
		uint32_t bit = privilege_of_word(words.items[i], strlen(words.items[i]));

		if (!(bit & (TABLE_ANY | SEQUENCE_ALL)))
			good = error_set(error, NULL, "privileges: \"%s\" is none of tables or sequences", words.items[i]);
		privileges[OBJECT_TABLE] |= bit & TABLE_ANY;
		privileges[OBJECT_SEQUENCE] |= bit & SEQUENCE_ALL;
	}
	names_fini(&words);
	privileges[OBJECT_DATABASE] = CONNECT;
	privileges[OBJECT_SCHEMA] = USAGE;
	return good;
}

static void take_profile(enum provision_profile profile, struct declaration *declaration)
{
	declaration->privileges[OBJECT_DATABASE] = profiles[profile].database;
	declaration->privileges[OBJECT_SCHEMA] = profiles[profile].schema;
	declaration->privileges[OBJECT_TABLE] = profiles[profile].table;
	declaration->privileges[OBJECT_SEQUENCE] = profiles[profile].sequence;
	declaration->replication = declaration->replication || profiles[profile].replication;
	if (profiles[profile].member_of && !names_have(&declaration->member_of, profiles[profile].member_of))
		names_add(&declaration->member_of, profiles[profile].member_of);
	for (size_t i = 0; profiles[profile].owners && i < declaration->owners.count; i++)
		if (!names_have(&declaration->member_of, declaration->owners.items[i]))
			names_add(&declaration->member_of, declaration->owners.items[i]);
}

/* Without the blanks around the equals sign. */
static bool tidy_setting(char *setting, struct error *error)
{
	char *equals = strchr(setting, '='), *end = equals;

	while (end && end > setting && end[-1] == ' ')
		end--;
	if (!end || end == setting)
		return error_set(error, NULL, "settings: \"%s\" is not name=value", setting);
	char *value = equals + 1 + strspn(equals + 1, " ");

	*end++ = '=';
	memmove(end, value, strlen(value) + 1);
	return true;
}

static bool tidy_settings(const struct names *settings, struct error *error)
{
	for (size_t i = 0; i < settings->count; i++)
		if (!tidy_setting(settings->items[i], error))
			return false;
	return true;
}

bool declaration_make(const struct config_provision *section, struct declaration *declaration, struct error *error)
{
	uint32_t *privileges = declaration->privileges;
	bool good = true;

	*declaration = (struct declaration){ .section = section, .replication = section->replication };
	split(section->databases, &declaration->databases);
	split(section->schemas ? section->schemas : "public", &declaration->schemas);
	split(section->owners, &declaration->owners);
	split(section->member_of, &declaration->member_of);
	split(section->settings, &declaration->settings);
	if (section->privileges)
		good = take_listed(section->privileges, privileges, error);
	else
		take_profile(section->profile, declaration);
	privileges[OBJECT_FUTURE_TABLES] = privileges[OBJECT_TABLE];
	privileges[OBJECT_FUTURE_SEQUENCES] = privileges[OBJECT_SEQUENCE];
	good = good && tidy_settings(&declaration->settings, error);
	if (good && (privileges[OBJECT_TABLE] || privileges[OBJECT_DATABASE]) && !declaration->databases.count)
		good = error_set(error, NULL, "database: a profile or privileges need one");
	return good || error_prepend(error, "[provision %s]", section->name);
}

void declaration_fini(struct declaration *declaration)
{
	names_fini(&declaration->databases);
	names_fini(&declaration->schemas);
	names_fini(&declaration->owners);
	names_fini(&declaration->member_of);
	names_fini(&declaration->settings);
}
