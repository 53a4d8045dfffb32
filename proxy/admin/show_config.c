/* SHOW CONFIG: the settings table speaks. */
#include "pgweir/control.h"
#include "pgweir/settings.h"
#include "show.h"

static const struct column config_columns[] = {
	{ "key", COLUMN_TEXT },
	{ "value", COLUMN_TEXT },
	{ "default", COLUMN_TEXT },
	{ "changeable", COLUMN_TEXT },
};
const struct table config_table = TABLE(config_columns);

static void put_setting(const struct settings_shown *shown, void *arg)
{
	struct result *result = arg;

	result_begin(result);
	result_text(result, shown->key);
	result_text(result, shown->value);
	result_text(result, shown->default_value);
	result_text(result, shown->changeable ? "yes" : "no");
	result_end(result);
}

void show_config(struct job *job)
{
	settings_foreach(control_config(), put_setting, &job->result);
	show_done(job);
}
