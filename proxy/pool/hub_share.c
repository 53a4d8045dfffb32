/* A worker's part of listening: which of its members want which channel, and the letters to and from the hub. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "hub_internal.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* Of a share, from its first member on. */
struct hub_share {
	struct map channels;            /* By name: struct local_channel. */
	struct list members;
	struct list due;                /* Members that flush() is due for. */
};

struct local_channel {
	char *name;
	struct list memberships;
};

struct hub_membership {
	struct list link;               /* In the channel. */
	struct local_channel *channel;
	struct hub_member *member;
	unsigned number;                /* Of the marker behind which it is the shared connection's to deliver. */
};

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

/* --- Texts --- */

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

/* --- Letters to the hub --- */

void hub_order_free(struct hub_order *order)
{
	config_unref(&order->config);
	credentials_unref(&order->credentials);
	mem_free(order->database_name);
	mem_free(order->user);
	mem_free(order->encoding);
	buf_fini(&order->wants);
	buf_fini(&order->unwants);
	mem_free(order);
}

static void drop_order(struct loop_letter *letter)
{
	hub_order_free(CONTAINER_OF(letter, struct hub_order, letter));
}

/* The same for all workers, and not the same for all pools. */
static struct worker *home_of(const struct pool *pool)
{
	return worker_at((unsigned)(map_hash(pool->key, strlen(pool->key)) % workers_count()));
}

static struct hub_order *order_new(const struct pool_share *share)
{
	struct hub_order *order = NEW(struct hub_order);

	order->letter = (struct loop_letter){ .deliver = hub_take_order, .drop = drop_order };
	order->to = home_of(share->pool);
	order->from = share->worker->index;
	order->config = config_ref(share->config);
	order->database = share->database;
	order->database_name = mem_strdup(share->database_name);
	order->user = mem_strdup(share->user_name);
	order->credentials = credentials_ref(share->credentials);
	return order;
}

static void post_order(struct hub_order *order)
{
	loop_post(order->to->loop, &order->letter);
}

/* --- Members --- */

static struct hub_share *listening_of(struct pool_share *share)
{
	if (share->listening)
		return share->listening;
	share->listening = NEW(struct hub_share);
	list_init(&share->listening->members);
	list_init(&share->listening->due);
	return share->listening;
}

void hub_share_free(struct hub_share **listening)
{
	struct hub_share *gone = *listening;

	*listening = NULL;
	if (!gone)
		return;
	CHECK(list_empty(&gone->members) && gone->channels.size == 0);
	map_fini(&gone->channels);
	mem_free(gone);
}

static void add(struct hub_member *member, const char *name, struct hub_order *order)
{
	struct map *channels = &member->share->listening->channels;
	struct local_channel *channel = map_get_text(channels, name);
	struct hub_membership *membership = NEW(struct hub_membership);

	if (!channel) {
		channel = NEW(struct local_channel);
		channel->name = mem_strdup(name);
		list_init(&channel->memberships);
		map_put_text(channels, name, channel);
		buf_append_cstring(&order->wants, name);
	}
	membership->channel = channel;
	membership->member = member;
	membership->number = member->number;
	list_push_back(&channel->memberships, &membership->link);
	map_put_text(&member->channels, name, membership);
}

static void drop(struct hub_member *member, const char *name, struct hub_order *order)
{
	struct hub_membership *membership = map_take_text(&member->channels, name);
	struct local_channel *channel = membership->channel;

	list_remove(&membership->link);
	mem_free(membership);
	if (!list_empty(&channel->memberships))
		return;
	buf_append_cstring(&order->unwants, channel->name);
	map_take_text(&member->share->listening->channels, channel->name);
	mem_free(channel->name);
	mem_free(channel);
}

void hub_member_join(struct hub_member *member, struct pool_share *share, uint64_t id,
	const struct hub_calls *calls)
{
	struct hub_share *listening = listening_of(share);
	struct hub_order *order = order_new(share);

	*member = (struct hub_member){ .share = share, .id = id, .calls = calls };
	list_init(&member->due_link);
	list_push_back(&listening->members, &member->link);
	order->members = 1;
	post_order(order);
}

/* Names of one map that are not in another. */
struct difference {
	const struct map *other;
	struct buf names;
};

static bool note_difference(const void *key, size_t size, void *value, void *arg)
{
	struct difference *difference = arg;

	(void)value;
	if (!difference->other || !map_get(difference->other, key, size)) {
		buf_append(&difference->names, key, size);
		buf_append_char(&difference->names, '\0');
	}
	return true;
}

static struct buf names_missing(const struct map *from, const struct map *in)
{
	struct difference difference = { .other = in };

	map_foreach(from, note_difference, &difference);
	return difference.names;
}

static void each(struct hub_member *member, struct buf *names, struct hub_order *order,
	void (*visit)(struct hub_member *member, const char *name, struct hub_order *order))
{
	const char *end = names->bytes + names->size;

	for (const char *name = names->bytes; name < end; name += strlen(name) + 1)
		visit(member, name, order);
	buf_fini(names);
}

bool hub_member_set(struct hub_member *member, const struct map *wanted, const char *encoding)
{
	static _Atomic uint64_t last_token;
	struct buf fewer = names_missing(&member->channels, wanted), more = names_missing(wanted, &member->channels);
	bool grows = more.size > 0;

	if (!grows && !fewer.size)
		return false;
	struct hub_order *order = order_new(member->share);

	if (grows) {
		member->number++;
		member->token = order->token = atomic_fetch_add(&last_token, 1) + 1;
		order->encoding = mem_strdup(encoding);
	}
	/* First those that come: a channel that goes and comes would be forgotten between. */
	each(member, &more, order, add);
	each(member, &fewer, order, drop);
	post_order(order);
	return grows;
}

void hub_member_leave(struct hub_member *member)
{
	struct hub_order *order = order_new(member->share);
	struct buf all = names_missing(&member->channels, NULL);

	each(member, &all, order, drop);
	map_fini(&member->channels);
	list_remove(&member->link);
	list_remove(&member->due_link);
	order->members = -1;
	post_order(order);
}

static bool renumber(const void *key, size_t size, void *value, void *arg)
{
	struct hub_membership *membership = value;
	struct hub_member *member = arg;

	(void)key, (void)size;
	if (membership->number > member->own_number)
		membership->number = member->number;
	return true;
}

void hub_member_renumber(struct hub_member *member)
{
	member->number++;
	map_foreach(&member->channels, renumber, member);
}

bool hub_member_has(const struct hub_member *member, const char *channel)
{
	return map_get_text(&member->channels, channel) != NULL;
}

bool hub_member_hears_itself(const struct hub_member *member, const char *channel)
{
	const struct hub_membership *membership = map_get_text(&member->channels, channel);

	return !membership || membership->number > member->own_number;
}

static bool has_moved(const void *key, size_t size, void *value, void *arg)
{
	const struct hub_membership *membership = value;
	const struct hub_member *member = arg;

	(void)key, (void)size;
	return membership->number <= member->own_number;
}

struct search {
	const struct hub_member *member;
	bool found;
};

static bool look_for_moving(const void *key, size_t size, void *value, void *arg)
{
	struct search *search = arg;

	search->found = !has_moved(key, size, value, (void *)(uintptr_t)search->member);
	return !search->found;
}

bool hub_member_moves(const struct hub_member *member)
{
	struct search search = { .member = member };

	map_foreach(&member->channels, look_for_moving, &search);
	return search.found;
}

/* --- Letters from the hub --- */

static void mail_free(struct loop_letter *letter)
{
	struct hub_mail *mail = CONTAINER_OF(letter, struct hub_mail, letter);

	buf_fini(&mail->messages);
	mem_free(mail);
}

void hub_mail_post(struct worker *to, struct pool *pool, enum hub_mail_kind kind, uint64_t token,
	struct buf *messages)
{
	struct hub_mail *mail = NEW(struct hub_mail);

	*mail = (struct hub_mail){
		.letter = { .deliver = hub_take_mail, .drop = mail_free }, .to = to, .pool = pool, .kind = kind, .token = token,
	};
	if (messages) {
		mail->messages = *messages;
		*messages = (struct buf){ 0 };
	}
	loop_post(to->loop, &mail->letter);
}

static void make_due(struct hub_member *member)
{
	list_remove(&member->due_link);
	list_push_back(&member->share->listening->due, &member->due_link);
}

static void take_marker(struct hub_share *listening, const char *payload)
{
	LIST_FOREACH(link, next, &listening->members) {
		struct hub_member *member = LIST_MEMBER(link, struct hub_member, link);
		unsigned number;

		if (!hub_is_marker_of(member, payload, &number))
			continue;
		if (number > member->shared_number) {
			member->shared_number = number;
			member->calls->marked(member);
			make_due(member);
		}
		return;
	}
}

static void take_notification(struct hub_share *listening, const char *message, size_t size)
{
	struct notification notification;

	if (!notification_parse(message, size, &notification))
		return;
	if (strcmp(notification.channel, hub_marker()) == 0) {
		take_marker(listening, notification.payload);
		return;
	}
	struct local_channel *channel = map_get_text(&listening->channels, notification.channel);

	if (!channel)
		return;
	LIST_FOREACH(link, next, &channel->memberships) {
		const struct hub_membership *membership = LIST_MEMBER(link, struct hub_membership, link);

		if (membership->number > membership->member->shared_number)
			continue;
		membership->member->calls->deliver(membership->member, message, size);
		make_due(membership->member);
	}
}

static void take_messages(struct hub_share *listening, const struct buf *messages)
{
	for (size_t at = 0; at < messages->size;) {
		size_t size = wire_message_size(messages->bytes + at);

		take_notification(listening, messages->bytes + at, size);
		at += size;
	}
}

static void take_answer(struct hub_share *listening, const struct hub_mail *mail)
{
	LIST_FOREACH(link, next, &listening->members) {
		struct hub_member *member = LIST_MEMBER(link, struct hub_member, link);

		if (member->token != mail->token)
			continue;
		member->token = 0;
		if (mail->kind == HUB_MAIL_READY)
			member->calls->ready(member);
		else
			member->calls->refused(member);
		make_due(member);
		return;
	}
}

static void tell_all(struct hub_share *listening)
{
	LIST_FOREACH(link, next, &listening->members) {
		struct hub_member *member = LIST_MEMBER(link, struct hub_member, link);

		member->calls->interrupted(member);
		make_due(member);
	}
}

void hub_take_mail(struct loop_letter *letter)
{
	struct hub_mail *mail = CONTAINER_OF(letter, struct hub_mail, letter);
	struct pool_share *share = atomic_load(&mail->pool->marks[mail->to->index].share);
	struct hub_share *listening = share ? share->listening : NULL;

	worker_now(mail->to);
	if (listening && mail->kind == HUB_MAIL_MESSAGES)
		take_messages(listening, &mail->messages);
	else if (listening && mail->kind == HUB_MAIL_INTERRUPTED)
		tell_all(listening);
	else if (listening)
		take_answer(listening, mail);
	mail_free(letter);
	/* Whoever is flushed may end, and others with it. */
	for (struct list *first; listening && (first = list_first(&listening->due));) {
		list_remove(first);
		struct hub_member *member = LIST_MEMBER(first, struct hub_member, due_link);

		member->calls->flush(member);
	}
}
