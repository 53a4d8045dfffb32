/* SHOW EVENTS: what the log has said lately that somebody may want to know. */
#include <stdio.h>
#include <time.h>

#include "pgweir/log_recent.h"
#include "show.h"

static const struct column columns[] = {
	{ "time", COLUMN_TEXT },
	{ "severity", COLUMN_TEXT },
	{ "event", COLUMN_TEXT },
	{ "detail", COLUMN_TEXT },
	{ "count", COLUMN_INT8 },
	{ "first", COLUMN_TEXT },
};
const struct table events_table = TABLE(columns);

static void put_wall(struct result *result, int64_t at_us)
{
	time_t seconds = (time_t)(at_us / 1000000);
	struct tm parts;
	char text[40];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
	result_printf(result, "%s.%03d UTC", text, (int)(at_us / 1000 % 1000));
}

static void put(const struct log_recent *recent, void *arg)
{
	struct result *result = arg;

	result_begin(result);
	put_wall(result, recent->last_us);
	result_text(result, log_level_word(recent->level));
	result_text(result, recent->event);
	result_text(result, recent->detail);
	result_int(result, recent->count);
	put_wall(result, recent->first_us);
	result_end(result);
}

void show_events(struct job *job)
{
	log_recent_foreach(put, &job->result);
	show_done(job);
}
