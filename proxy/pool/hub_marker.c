/* The marker that tells where one connection's notifications end and another's begin, and the texts that go with it. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "pgweir/hub.h"
#include "pgweir/wire.h"
#include "pgweir/worker.h"

static char marker_name[32];
static pthread_once_t marker_once = PTHREAD_ONCE_INIT;

static void make_marker(void)
{
	uint64_t random;
	ssize_t got = getrandom(&random, sizeof(random), 0);

	CHECK(got == sizeof(random));
	snprintf(marker_name, sizeof(marker_name), "pgweir_%016" PRIx64, random);
}

const char *hub_marker(void)
{
	pthread_once(&marker_once, make_marker);
	return marker_name;
}

void hub_put_listen(struct buf *sql, const char *command, const char *channel)
{
	buf_append_text(sql, command);
	buf_append_text(sql, " \"");
	for (; *channel; channel++) {
		if (*channel == '"')
			buf_append_char(sql, '"');
		buf_append_char(sql, *channel);
	}
	buf_append_text(sql, "\";");
}

static void put_notify(const struct hub_member *member, struct buf *sql)
{
	buf_printf(sql, "NOTIFY \"%s\", '%u.%" PRIu64 ".%u'", hub_marker(), member->share->worker->index, member->id,
		member->number);
}

void hub_put_marker(const struct hub_member *member, struct buf *sql)
{
	hub_put_listen(sql, "LISTEN", hub_marker());
	put_notify(member, sql);
}

void hub_put_fence(struct hub_member *member, struct buf *sql)
{
	member->number++;
	put_notify(member, sql);
}

bool hub_is_marker_of(const struct hub_member *member, const char *payload, unsigned *number)
{
	unsigned worker;
	uint64_t id;

	return sscanf(payload, "%u.%" SCNu64 ".%u", &worker, &id, number) == 3 && id == member->id;
}

bool notification_parse(const char *message, size_t size, struct notification *notification)
{
	const char *channel = message + WIRE_HEADER_SIZE + 4, *end = message + size;

	if (size < WIRE_HEADER_SIZE + 6 || end[-1] != '\0')
		return false;
	notification->pid = wire_u32(message + WIRE_HEADER_SIZE);
	notification->channel = channel;
	notification->payload = channel + strlen(channel) + 1;
	return notification->payload < end;
}
