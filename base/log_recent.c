#include "pgweir/log_recent.h"

#include <pthread.h>
#include <string.h>

#include "log_internal.h"
#include "pgweir/clock.h"
#include "pgweir/mem.h"

enum { SAME_WITHIN = 16 };              /* How many of the latest an event is held against. */

struct entry {
	struct log_recent recent;
	char *event, *key, *detail;
};

static struct {
	pthread_mutex_t mutex;
	struct entry entries[LOG_RECENT_MAX];   /* Newest first. */
	size_t count;
} ring = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static char *fields_text(const struct log_field *fields, const char *but)
{
	struct buf text = { 0 };

	log_put_fields(&text, fields, but);
	if (text.size)
		buf_drop_front(&text, 1);
	return buf_take_text(&text);
}

static void entry_fini(struct entry *entry)
{
	mem_free(entry->event);
	mem_free(entry->key);
	mem_free(entry->detail);
}

static size_t find(enum log_level level, const char *event, const char *key)
{
	for (size_t i = 0; i < ring.count && i < SAME_WITHIN; i++) {
		const struct entry *entry = &ring.entries[i];

		if (entry->recent.level == level && strcmp(entry->event, event) == 0 && strcmp(entry->key, key) == 0)
			return i;
	}
	return ring.count;
}

/* Makes room in front; what stood at `at` (or the oldest) is returned. */
static struct entry move_to_front(size_t at)
{
	struct entry moved = { 0 };

	if (at == LOG_RECENT_MAX)
		entry_fini(&ring.entries[--at]);
	else if (at < ring.count)
		moved = ring.entries[at];
	memmove(&ring.entries[1], &ring.entries[0], at * sizeof(struct entry));
	return moved;
}

void log_recent_keep(enum log_level level, const char *event, const struct log_field *fields)
{
	char *key = fields_text(fields, "address"), *detail = fields_text(fields, NULL);
	int64_t now_us = clock_wall_us();

	pthread_mutex_lock(&ring.mutex);
	size_t at = find(level, event, key);
	bool again = at < ring.count;
	struct entry entry = move_to_front(at);

	if (!again) {
		entry = (struct entry){ .recent = { .first_us = now_us, .level = level }, .event = mem_strdup(event), .key = key };
		ring.count += ring.count < LOG_RECENT_MAX;
	} else {
		mem_free(key);
	}
	mem_free(entry.detail);
	entry.detail = detail;
	entry.recent.last_us = now_us;
	entry.recent.count++;
	entry.recent.event = entry.event;
	entry.recent.detail = detail;
	ring.entries[0] = entry;
	pthread_mutex_unlock(&ring.mutex);
}

void log_recent_foreach(log_recent_cb *visit, void *arg)
{
	pthread_mutex_lock(&ring.mutex);
	for (size_t i = 0; i < ring.count; i++)
		visit(&ring.entries[i].recent, arg);
	pthread_mutex_unlock(&ring.mutex);
}

void log_recent_clear(void)
{
	pthread_mutex_lock(&ring.mutex);
	for (size_t i = 0; i < ring.count; i++)
		entry_fini(&ring.entries[i]);
	memset(ring.entries, 0, sizeof(ring.entries));
	ring.count = 0;
	pthread_mutex_unlock(&ring.mutex);
}
