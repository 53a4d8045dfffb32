/* Snapshots shown through the table. */
#include "pgweir/settings.h"

#include <string.h>

#include "expand.h"
#include "pgweir/mem.h"
#include "setting.h"

const char settings_mask[] = "********";

/* The value as people may see it; the caller's. */
static char *shown_text(const struct setting *setting, const void *target)
{
	struct buf text = { 0 };

	setting_format(setting, target, &text);
	if (setting->secret && text.size) {
		buf_fini_secret(&text);
		return mem_strdup(settings_mask);
	}
	return buf_take_text(&text);
}

void settings_foreach(const struct config *config, settings_cb *callback, void *arg)
{
	struct config defaults;

	section_init(SECTION_PGWEIR, &defaults);
	for (size_t i = 0; i < settings_pgweir_count; i++) {
		const struct setting *setting = &settings_pgweir[i];
		char *value = shown_text(setting, config), *default_value = shown_text(setting, &defaults);

		callback(&(struct settings_shown){
			.key = setting->name,
			.value = value,
			.default_value = default_value,
			.changeable = setting->applies != APPLIES_RESTART,
		}, arg);
		mem_free(value);
		mem_free(default_value);
	}
	section_clear(SECTION_PGWEIR, &defaults);
}

static void print_setting(const struct setting *setting, const char *key, const void *target, FILE *out)
{
	char *text = shown_text(setting, target);
	struct buf written = { 0 };

	/* In named sections what is not set would only repeat what it inherits. */
	if (*text || setting->default_text) {
		value_write(text, &written);
		fprintf(out, "%s = %.*s\n", key, (int)written.size, written.size ? written.bytes : "");
	}
	buf_fini(&written);
	mem_free(text);
}

static void print_section(enum section_kind kind, const char *name, const void *target, FILE *out)
{
	const struct section_type *type = &section_types[kind];

	fputs(name ? "\n" : "", out);
	settings_write_header(type->word, name, out);
	for (size_t i = 0; i < *type->count; i++)
		print_setting(&type->settings[i], type->settings[i].name, target, out);
}

static void print_peers(const struct config *config, FILE *out)
{
	char key[16];

	if (config->peer_count)
		fputs("\n[peers]\n", out);
	for (size_t i = 0; i < config->peer_count; i++) {
		snprintf(key, sizeof(key), "%u", config->peers[i].id);
		print_setting(&settings_peers[0], key, &config->peers[i], out);
	}
}

void config_print_effective(const struct config *config, FILE *out)
{
	print_section(SECTION_PGWEIR, NULL, config, out);
	for (size_t i = 0; i < config->cluster_count; i++)
		if (!config->clusters[i].implicit)
			print_section(SECTION_CLUSTER, config->clusters[i].name, &config->clusters[i], out);
	for (size_t i = 0; i < config->database_count; i++)
		print_section(SECTION_DATABASE, config->databases[i].name, &config->databases[i], out);
	for (size_t i = 0; i < config->user_count; i++)
		print_section(SECTION_USER, config->users[i].name, &config->users[i], out);
	for (size_t i = 0; i < config->secret_count; i++)
		print_section(SECTION_SECRET, config->secrets[i].name, &config->secrets[i], out);
	for (size_t i = 0; i < config->provision_count; i++)
		print_section(SECTION_PROVISION, config->provisions[i].name, &config->provisions[i], out);
	print_peers(config, out);
}
