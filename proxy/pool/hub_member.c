/* A member of a hub: which channels it listens to, and behind which marker each of them is the hub's to deliver. */
#include <stdatomic.h>

#include "hub_letters.h"
#include "hub_share.h"
#include "pgweir/mem.h"

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
	struct hub_share *listening = hub_share_get(share);
	struct hub_order *order = hub_order_new(share);

	*member = (struct hub_member){ .share = share, .id = id, .calls = calls };
	list_init(&member->due_link);
	list_push_back(&listening->members, &member->link);
	order->members = 1;
	hub_order_post(order);
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
	struct hub_order *order = hub_order_new(member->share);

	if (grows) {
		member->number++;
		member->token = order->token = atomic_fetch_add(&last_token, 1) + 1;
		order->encoding = mem_strdup(encoding);
	}
	/* First those that come: a channel that goes and comes would be forgotten between. */
	each(member, &more, order, add);
	each(member, &fewer, order, drop);
	hub_order_post(order);
	return grows;
}

void hub_member_leave(struct hub_member *member)
{
	struct hub_order *order = hub_order_new(member->share);
	struct buf all = names_missing(&member->channels, NULL);

	each(member, &all, order, drop);
	map_fini(&member->channels);
	list_remove(&member->link);
	list_remove(&member->due_link);
	order->members = -1;
	hub_order_post(order);
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
