/* Failure story: a full house is the only failure, and it is a value. A slot that is never released would lower the
 * limit for good, so every owner (login, session) releases it in its one free function.
 *
 * There are as many slots as clients, so that a slot is no object of its own: all clients of one user on one database
 * point to the same one, which counts them. */
#include "client_slot.h"

#include <pthread.h>
#include <stdatomic.h>

#include "pgweir/list.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"

/* How many clients a database or a user has. Lives as long as it counts somebody. */
struct headcount {
	char *name;
	unsigned clients;
	struct list slots;                      /* Of a user: one for each database. */
};

struct client_slot {
	struct list link;                       /* In the user's. */
	struct headcount *database, *user;
	unsigned clients;
};

static struct client_slot not_joined;
static _Atomic unsigned clients;

static struct {
	pthread_mutex_t mutex;
	struct map databases, users;
} rolls = { .mutex = PTHREAD_MUTEX_INITIALIZER };

struct client_slot *client_slot_new(unsigned limit)
{
	unsigned before = atomic_fetch_add_explicit(&clients, 1, memory_order_relaxed);

	if (!limit || before < limit)
		return &not_joined;
	atomic_fetch_sub_explicit(&clients, 1, memory_order_relaxed);
	return NULL;
}

unsigned client_slot_count(void)
{
	return atomic_load_explicit(&clients, memory_order_relaxed);
}

static bool has_room(const struct map *roll, const char *name, unsigned limit)
{
	const struct headcount *headcount = map_get_text(roll, name);

	return !limit || !headcount || headcount->clients < limit;
}

static struct headcount *enter(struct map *roll, const char *name)
{
	struct headcount *headcount = map_get_text(roll, name);

	if (!headcount) {
		headcount = NEW(struct headcount);
		headcount->name = mem_strdup(name);
		list_init(&headcount->slots);
		map_put_text(roll, name, headcount);
	}
	headcount->clients++;
	return headcount;
}

static void leave(struct map *roll, struct headcount *headcount)
{
	if (--headcount->clients)
		return;
	map_take_text(roll, headcount->name);
	mem_free(headcount->name);
	mem_free(headcount);
	/* An empty map keeps its table; giving it back keeps the leak checker's picture simple. */
	if (!roll->size)
		map_fini(roll);
}

static struct client_slot *slot_of(struct headcount *database, struct headcount *user)
{
	LIST_FOREACH(link, next, &user->slots) {
		struct client_slot *slot = LIST_MEMBER(link, struct client_slot, link);

		if (slot->database == database)
			return slot;
	}
	struct client_slot *slot = NEW(struct client_slot);

	slot->database = database;
	slot->user = user;
	list_push_back(&user->slots, &slot->link);
	return slot;
}

enum client_slot_joined client_slot_join(struct client_slot **slot, const char *database, unsigned database_limit,
	const char *user, unsigned user_limit)
{
	enum client_slot_joined joined = CLIENT_SLOT_JOINED;

	CHECK(*slot == &not_joined);
	pthread_mutex_lock(&rolls.mutex);
	if (!has_room(&rolls.databases, database, database_limit)) {
		joined = CLIENT_SLOT_DATABASE_FULL;
	} else if (!has_room(&rolls.users, user, user_limit)) {
		joined = CLIENT_SLOT_USER_FULL;
	} else {
		*slot = slot_of(enter(&rolls.databases, database), enter(&rolls.users, user));
		(*slot)->clients++;
	}
	pthread_mutex_unlock(&rolls.mutex);
	return joined;
}

static void quit(struct client_slot *slot)
{
	struct headcount *database = slot->database, *user = slot->user;

	if (--slot->clients == 0) {
		list_remove(&slot->link);
		mem_free(slot);
	}
	leave(&rolls.databases, database);
	leave(&rolls.users, user);
}

void client_slot_release(struct client_slot **slot)
{
	struct client_slot *gone = *slot;

	*slot = NULL;
	if (!gone)
		return;
	if (gone != &not_joined) {
		pthread_mutex_lock(&rolls.mutex);
		quit(gone);
		pthread_mutex_unlock(&rolls.mutex);
	}
	atomic_fetch_sub_explicit(&clients, 1, memory_order_relaxed);
}
