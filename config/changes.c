/* What differs between two snapshots, and SET, which makes one that differs. */
#include <string.h>

#include "load.h"
#include "pgweir/mem.h"
#include "pgweir/settings.h"
#include "setting.h"
#include "source.h"

struct comparison {
	config_change_cb *callback;
	void *arg;
};

static void compare_setting(const struct comparison *comparison, const struct setting *setting, const char *key,
	const char *section, const void *before, const void *after)
{
	struct buf old_text = { 0 }, new_text = { 0 };

	setting_format(setting, before, &old_text);
	setting_format(setting, after, &new_text);
	bool differs = old_text.size != new_text.size
		|| (old_text.size && memcmp(old_text.bytes, new_text.bytes, old_text.size) != 0);

	buf_append_char(&old_text, '\0');
	buf_append_char(&new_text, '\0');
	if (differs)
		comparison->callback(&(struct config_change){
			.section = section,
			.key = key,
			.old_value = setting->secret && *old_text.bytes ? settings_mask : old_text.bytes,
			.new_value = setting->secret && *new_text.bytes ? settings_mask : new_text.bytes,
			.needs_restart = setting->applies == APPLIES_RESTART,
		}, comparison->arg);
	buf_fini_secret(&old_text);
	buf_fini_secret(&new_text);
}

static void compare_section(const struct comparison *comparison, enum section_kind kind, const char *section,
	const void *before, const void *after)
{
	const struct section_type *type = &section_types[kind];

	for (size_t i = 0; i < *type->count; i++)
		compare_setting(comparison, &type->settings[i], type->settings[i].name, section, before, after);
}

/* An array of sections of one kind, in either snapshot, with its index by name. */
struct family {
	const void *items;
	size_t count;
	const struct map *index;
};

static struct family family_of(const struct config *config, enum section_kind kind)
{
	const struct snapshot *snapshot = snapshot_of(config);

	switch (kind) {
	case SECTION_CLUSTER:
		return (struct family){ config->clusters, config->cluster_count, &snapshot->clusters };
	case SECTION_DATABASE:
		return (struct family){ config->databases, config->database_count, &snapshot->databases };
	case SECTION_USER:
		return (struct family){ config->users, config->user_count, &snapshot->users };
	case SECTION_SECRET:
		return (struct family){ config->secrets, config->secret_count, &snapshot->secrets };
	case SECTION_PROVISION:
		return (struct family){ config->provisions, config->provision_count, &snapshot->provisions };
	case SECTION_PGWEIR:
	case SECTION_PEERS:
	case SECTION_KINDS:
		break;
	}
	return (struct family){ 0 };
}

static void report_section(const struct comparison *comparison, const char *section, bool came)
{
	comparison->callback(&(struct config_change){
		.section = section,
		.old_value = "",
		.new_value = "",
		.came = came,
		.went = !came,
	}, comparison->arg);
}

/* With `only_missing`, reports what `from` has and `to` lacks; else also compares what both have. */
static void walk(const struct comparison *comparison, enum section_kind kind, const struct config *from,
	const struct config *to, bool only_missing)
{
	struct family items = family_of(from, kind), others = family_of(to, kind);

	for (size_t i = 0; i < items.count; i++) {
		const char *item = (const char *)items.items + i * section_types[kind].size;
		const char *name = *(char *const *)(const void *)item;
		const void *other = map_get_text(others.index, name);
		char *section = mem_printf("%s %s", section_types[kind].word, name);

		if (!other)
			report_section(comparison, section, only_missing);
		else if (!only_missing)
			compare_section(comparison, kind, section, item, other);
		mem_free(section);
	}
}

static const struct config_peer *find_peer(const struct config *config, unsigned id)
{
	static const struct config_peer none;

	for (size_t i = 0; i < config->peer_count; i++)
		if (config->peers[i].id == id)
			return &config->peers[i];
	return &none;
}

static void compare_peers(const struct comparison *comparison, const struct config *before, const struct config *after)
{
	const struct config *sides[] = { before, after };
	char key[16];

	for (size_t side = 0; side < ARRAY_LEN(sides); side++) {
		for (size_t i = 0; i < sides[side]->peer_count; i++) {
			unsigned id = sides[side]->peers[i].id;

			/* Those in both were compared in the first round. */
			if (side == 1 && find_peer(before, id)->host)
				continue;
			snprintf(key, sizeof(key), "%u", id);
			compare_setting(comparison, &settings_peers[0], key, "peers", find_peer(before, id), find_peer(after, id));
		}
	}
}

void config_changes(const struct config *before, const struct config *after, config_change_cb *callback, void *arg)
{
	struct comparison comparison = { callback, arg };

	compare_section(&comparison, SECTION_PGWEIR, "pgweir", before, after);
	for (enum section_kind kind = SECTION_CLUSTER; kind <= SECTION_PROVISION; kind++) {
		walk(&comparison, kind, before, after, false);
		walk(&comparison, kind, after, before, true);
	}
	compare_peers(&comparison, before, after);
}

struct keeping {
	struct config *config;
	const struct config *running;
	struct comparison comparison;
};

static void keep_setting(const struct config_change *change, void *arg)
{
	struct keeping *keeping = arg;
	const struct setting *setting = setting_find(SECTION_PGWEIR, change->key);
	struct setting_base base = { .folder = "/" };
	struct buf text = { 0 };
	struct error error;

	keeping->comparison.callback(change, keeping->comparison.arg);
	setting_format(setting, keeping->running, &text);
	bool is_set = text.size > 0 || setting->default_text;

	buf_append_char(&text, '\0');
	setting_clear(setting, keeping->config);
	CHECK(!is_set || setting_parse(setting, &base, text.bytes, keeping->config, &error));
	buf_fini(&text);
}

void config_keep_running(struct config *config, const struct config *running, config_change_cb *callback, void *arg)
{
	struct keeping keeping = { config, running, { callback, arg } };
	struct comparison comparison = { keep_setting, &keeping };

	for (size_t i = 0; i < settings_pgweir_count; i++)
		if (settings_pgweir[i].applies == APPLIES_RESTART)
			compare_setting(&comparison, &settings_pgweir[i], settings_pgweir[i].name, "pgweir", running, config);
}

/* --- SET --- */

static bool check_set(const struct config *old, const char *key, const char *value, struct error *error)
{
	const struct setting *setting = setting_find(SECTION_PGWEIR, key);
	const char *nearest = setting_nearest(SECTION_PGWEIR, key);

	if (!setting && nearest)
		return error_set(error, "42704", "there is no setting \"%s\"; did you mean \"%s\"?", key, nearest);
	if (!setting)
		return error_set(error, "42704", "there is no setting \"%s\"", key);
	if (setting->applies == APPLIES_RESTART)
		return error_set(error, "55P02", "%s cannot be changed without a restart", key);
	char *folder = source_path_folder(old->path);
	struct setting_base base = { .folder = folder };
	struct config scratch;

	section_init(SECTION_PGWEIR, &scratch);
	bool ok = setting_parse(setting, &base, value, &scratch, error);

	section_clear(SECTION_PGWEIR, &scratch);
	mem_free(folder);
	if (ok)
		return true;
	error_prepend(error, "%s", key);
	memcpy(error->sqlstate, "22023", sizeof(error->sqlstate));
	return false;
}

struct config *config_set(const struct config *old, const char *key, const char *value, struct error *error)
{
	const struct snapshot *snapshot = snapshot_of(old);
	struct snapshot wishes = { 0 };
	struct config_problems problems;

	if (!check_set(old, key, value, error))
		return NULL;
	for (size_t i = 0; i < snapshot->override_count; i++)
		snapshot_override(&wishes, snapshot->overrides[i].key, snapshot->overrides[i].value);
	snapshot_override(&wishes, key, value);
	struct config *config = load_with_overrides(old->path, wishes.overrides, wishes.override_count, &problems);

	if (!config)
		error_set(error, "22023", "%s", problems.texts[0]);
	config_problems_fini(&problems);
	snapshot_drop_overrides(&wishes);
	return config;
}
