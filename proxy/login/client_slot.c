/* Failure story: a full house is the only failure, and it is a value. A slot that is never released would lower the
 * limit for good, so every owner (login, session) releases it in its one free function. */
#include "client_slot.h"

#include <pthread.h>
#include <stdatomic.h>

#include "pgweir/map.h"
#include "pgweir/mem.h"

/* How many clients a database or a user has. Lives as long as it counts somebody. */
struct headcount {
	char *name;
	unsigned clients;
};

struct client_slot {
	struct headcount *database, *user;      /* NULL until it has joined. */
};

static _Atomic unsigned clients;

static struct {
	pthread_mutex_t mutex;
	struct map databases, users;
} rolls = { .mutex = PTHREAD_MUTEX_INITIALIZER };

struct client_slot *client_slot_new(unsigned limit)
{
	unsigned before = atomic_fetch_add_explicit(&clients, 1, memory_order_relaxed);

	if (!limit || before < limit)
		return NEW(struct client_slot);
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
		map_put_text(roll, name, headcount);
	}
	headcount->clients++;
	return headcount;
}

static void leave(struct map *roll, struct headcount *headcount)
{
	if (!headcount || --headcount->clients)
		return;
	map_take_text(roll, headcount->name);
	mem_free(headcount->name);
	mem_free(headcount);
	/* An empty map keeps its table; giving it back keeps the leak checker's picture simple. */
	if (!roll->size)
		map_fini(roll);
}

enum client_slot_joined client_slot_join(struct client_slot *slot, const char *database, unsigned database_limit,
	const char *user, unsigned user_limit)
{
	enum client_slot_joined joined = CLIENT_SLOT_JOINED;

	CHECK(!slot->database && !slot->user);
	pthread_mutex_lock(&rolls.mutex);
	if (!has_room(&rolls.databases, database, database_limit)) {
		joined = CLIENT_SLOT_DATABASE_FULL;
	} else if (!has_room(&rolls.users, user, user_limit)) {
		joined = CLIENT_SLOT_USER_FULL;
	} else {
		slot->database = enter(&rolls.databases, database);
		slot->user = enter(&rolls.users, user);
	}
	pthread_mutex_unlock(&rolls.mutex);
	return joined;
}

void client_slot_release(struct client_slot **slot)
{
	struct client_slot *gone = *slot;

	*slot = NULL;
	if (!gone)
		return;
	pthread_mutex_lock(&rolls.mutex);
	leave(&rolls.databases, gone->database);
	leave(&rolls.users, gone->user);
	pthread_mutex_unlock(&rolls.mutex);
	mem_free(gone);
	atomic_fetch_sub_explicit(&clients, 1, memory_order_relaxed);
}
