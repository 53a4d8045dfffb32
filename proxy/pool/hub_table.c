/* Which workers want which channel, and what the server has been told of it. */
#include <string.h>

#include "hub_internal.h"
#include "pgweir/mem.h"

struct hub_channel {
	uint64_t wanted_by;             /* A bit for each worker. */
	bool listened;                  /* The server has confirmed it. */
	bool asked;                     /* What has been asked for, if `asking`. */
	bool asking;
};

static bool free_channel(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

void hub_table_fini(struct hub_table *table)
{
	map_foreach(&table->channels, free_channel, NULL);
	map_fini(&table->channels);
	table->wanted = 0;
}

void hub_table_want(struct hub_table *table, const char *name, unsigned worker)
{
	struct hub_channel *channel = map_get_text(&table->channels, name);

	if (!channel) {
		channel = NEW(struct hub_channel);
		map_put_text(&table->channels, name, channel);
	}
	if (!channel->wanted_by)
		table->wanted++;
	channel->wanted_by |= UINT64_C(1) << worker;
}

void hub_table_unwant(struct hub_table *table, const char *name, unsigned worker)
{
	struct hub_channel *channel = map_get_text(&table->channels, name);

	if (!channel || !channel->wanted_by)
		return;
	channel->wanted_by &= ~(UINT64_C(1) << worker);
	if (!channel->wanted_by)
		table->wanted--;
}

uint64_t hub_table_workers(const struct hub_table *table, const char *name)
{
	const struct hub_channel *channel = map_get_text(&table->channels, name);

	return channel ? channel->wanted_by : 0;
}

static bool put_missing(const void *key, size_t size, void *value, void *arg)
{
	struct hub_channel *channel = value;
	bool wanted = channel->wanted_by != 0;

	if (wanted == channel->listened)
		return true;
	char *name = mem_strndup(key, size);

	hub_put_listen(arg, wanted ? "LISTEN" : "UNLISTEN", name);
	mem_free(name);
	channel->asking = true;
	channel->asked = wanted;
	return true;
}

bool hub_table_ask(struct hub_table *table, struct buf *sql)
{
	size_t before = sql->size;

	map_foreach(&table->channels, put_missing, sql);
	return sql->size > before;
}

/* What nobody wants and the server does not listen to. */
struct leftovers {
	struct buf names;
};

static bool note_answer(const void *key, size_t size, void *value, void *arg)
{
	struct leftovers *leftovers = arg;
	struct hub_channel *channel = value;

	if (channel->asking)
		channel->listened = channel->asked;
	channel->asking = false;
	if (!channel->listened && !channel->wanted_by) {
		buf_append(&leftovers->names, key, size);
		buf_append_char(&leftovers->names, '\0');
	}
	return true;
}

static void forget(struct hub_table *table, struct leftovers *leftovers)
{
	const char *end = leftovers->names.bytes + leftovers->names.size;

	for (const char *name = leftovers->names.bytes; name < end; name += strlen(name) + 1)
		mem_free(map_take_text(&table->channels, name));
	buf_fini(&leftovers->names);
}

void hub_table_answered(struct hub_table *table)
{
	struct leftovers leftovers = { 0 };

	map_foreach(&table->channels, note_answer, &leftovers);
	forget(table, &leftovers);
}

static bool note_loss(const void *key, size_t size, void *value, void *arg)
{
	struct hub_channel *channel = value;

	channel->listened = false;
	channel->asking = false;
	return note_answer(key, size, value, arg);
}

void hub_table_lost(struct hub_table *table)
{
	struct leftovers leftovers = { 0 };

	map_foreach(&table->channels, note_loss, &leftovers);
	forget(table, &leftovers);
}
