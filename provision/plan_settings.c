/* Settings of a role: ALTER ROLE … SET.
 *
 * A setting is name=value, in the declaration and in the catalog. Values that are lists of names stand in the catalog with
 * the quotes that the server finds necessary, so they are compared, and set, name by name. */
#include <string.h>

#include "pgweir/mem.h"
#include "plan_internal.h"
#include "sql.h"

/* The settings that the server keeps as lists of names. */
static const char *const lists_of_names[] = { "search_path", "temp_tablespaces", "session_preload_libraries",
	"local_preload_libraries", "shared_preload_libraries", "unix_socket_directories" };

static const char *value_of(const char *setting)
{
	return setting + strcspn(setting, "=") + 1;
}

static bool same_name(const char *one, const char *other)
{
	size_t size = strcspn(one, "=");

	return size == strcspn(other, "=") && strncasecmp(one, other, size) == 0;
}

static bool holds_names(const char *setting)
{
	for (size_t i = 0; i < ARRAY_LEN(lists_of_names); i++) {
		size_t size = strlen(lists_of_names[i]);

		if (strncasecmp(setting, lists_of_names[i], size) == 0 && setting[size] == '=')
			return true;
	}
	return false;
}

static bool same_names(const char *one, const char *other)
{
	bool good = true, same = true;

	while (same) {
		char *a = config_name_next(&one, &good), *b = good ? config_name_next(&other, &good) : NULL;
		bool ended = !a && !b;

		same = good && (ended || (a && b && strcmp(a, b) == 0));
		mem_free(a);
		mem_free(b);
		if (ended)
			break;
	}
	return same;
}

static bool same_setting(const char *wanted, const char *actual)
{
	if (!same_name(wanted, actual))
		return false;
	return strcmp(value_of(wanted), value_of(actual)) == 0
		|| (holds_names(wanted) && same_names(value_of(wanted), value_of(actual)));
}

static bool has_setting(const struct names *settings, const char *one)
{
	for (size_t i = 0; i < settings->count; i++)
		if (same_setting(one, settings->items[i]))
			return true;
	return false;
}

/* One literal, or one for each name. An empty list is an empty text. */
static bool append_value(struct pgclient_sync *client, const char *setting, struct buf *sql, struct error *error)
{
	const char *rest = value_of(setting), *between = "";
	bool good = true;
	char *item;

	if (!holds_names(setting) || !*rest)
		return sql_append(client, sql, error, "%L", rest);
	while (good && (item = config_name_next(&rest, &good))) {
		good = sql_append(client, sql, error, "%s%L", between, item);
		between = ", ";
		mem_free(item);
	}
	return good || error_set(error, NULL, "setting %s: a quote is not closed", setting);
}

static bool plan_setting(struct planning *planning, const char *setting)
{
	const char *role = planning->request->role;
	struct buf value = { 0 };

	if (has_setting(&planning->catalog->settings, setting))
		return true;
	if (!append_value(planning->request->place->home, setting, &value, planning->error)) {
		buf_fini(&value);
		return false;
	}
	char *name = mem_strndup(setting, strcspn(setting, "=")), *sql = buf_take_text(&value);
	bool good = planning_add(planning, STEP_CHANGE, mem_printf("role %s does not have the setting %s", role, setting),
		"ALTER ROLE %I SET %I = %s", role, name, sql);

	mem_free(name);
	mem_free(sql);
	return good;
}

static bool is_wanted(const struct names *wanted, const char *setting)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (same_name(wanted->items[i], setting))
			return true;
	return false;
}

/* What holds in one database only is never declared, nor touched: the database's name stands in front. */
static bool plan_extra(struct planning *planning, const char *setting)
{
	const char *role = planning->request->role, *colon = strstr(setting, ": ");
	bool one_database = colon && colon < setting + strcspn(setting, "=");
	char *name = mem_strndup(setting, strcspn(setting, "="));
	bool good = planning_add(planning, one_database ? STEP_EXTRA : planning_extra(planning),
		mem_printf("role %s has the setting %s", role, setting), one_database ? NULL : "ALTER ROLE %I RESET %I", role, name);

	mem_free(name);
	return good;
}

bool planning_settings(struct planning *planning)
{
	const struct names *actual = &planning->catalog->settings, *declared = &planning->request->declaration->settings;
	struct names wanted = { 0 };
	bool good = true;

	for (size_t i = 0; i < declared->count; i++)
		names_add(&wanted, declared->items[i]);
	if (planning->request->clone_of) {
		char *as_original = mem_printf("role=%s", planning->request->clone_of);

		names_add(&wanted, as_original);
		mem_free(as_original);
	}
	for (size_t i = 0; i < wanted.count && good; i++)
		good = plan_setting(planning, wanted.items[i]);
	for (size_t i = 0; i < actual->count && good; i++)
		good = is_wanted(&wanted, actual->items[i]) || plan_extra(planning, actual->items[i]);
	names_fini(&wanted);
	return good;
}
