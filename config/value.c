/* Each type of setting, and a row of the settings table through its type. */
#include "value.h"

static const struct value_type *const types[SETTING_TYPES] = {
	[SETTING_BOOL] = &value_bool,
	[SETTING_INT] = &value_int,
	[SETTING_UINT] = &value_uint,
	[SETTING_PORT] = &value_port,
	[SETTING_MODE] = &value_mode,
	[SETTING_ENUM] = &value_enum,
	[SETTING_DURATION] = &value_duration,
	[SETTING_DURATION_INT] = &value_duration_int,
	[SETTING_SIZE] = &value_size,
	[SETTING_TEXT] = &value_text,
	[SETTING_WORD] = &value_word,
	[SETTING_LIST] = &value_list,
	[SETTING_NAMES] = &value_names,
	[SETTING_PATH] = &value_path,
	[SETTING_ADDRESS] = &value_address,
	[SETTING_HOSTS] = &value_hosts,
	[SETTING_PEER] = &value_peer,
};

const char *setting_type_word(enum setting_type type)
{
	return types[type]->word;
}

bool setting_parse(const struct setting *setting, const struct setting_base *base, const char *text, void *target,
	struct error *error)
{
	return types[setting->type]->parse(setting, base, text, (char *)target + setting->offset, error);
}

void setting_format(const struct setting *setting, const void *target, struct buf *out)
{
	types[setting->type]->format(setting, (const char *)target + setting->offset, out);
}

void setting_clear(const struct setting *setting, void *target)
{
	if (types[setting->type]->clear)
		types[setting->type]->clear(setting, (char *)target + setting->offset);
}
