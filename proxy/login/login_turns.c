/* Failure story: none. A client that goes away, or whose time is over, leaves its place. */
#include "login_turns.h"

#include <netinet/in.h>
#include <string.h>

#include "login_internal.h"
#include "pgweir/mem.h"

enum { ORIGIN_KEY_SIZE = 9 };

struct login_origin {
	struct list link;               /* In the order of turns. */
	struct list waiting;            /* Logins. */
	unsigned char key[ORIGIN_KEY_SIZE];     /* First byte: the family. */
};

static void make_key(const struct sockaddr_storage *address, unsigned char key[ORIGIN_KEY_SIZE])
{
	memset(key, 0, ORIGIN_KEY_SIZE);
	key[0] = (unsigned char)address->ss_family;
	if (address->ss_family == AF_INET)
		memcpy(key + 1, &((const struct sockaddr_in *)address)->sin_addr, sizeof(struct in_addr));
	else if (address->ss_family == AF_INET6)
		memcpy(key + 1, &((const struct sockaddr_in6 *)address)->sin6_addr, ORIGIN_KEY_SIZE - 1);
}

static struct login_origin *origin_of(struct login_turns *turns, const struct sockaddr_storage *address)
{
	unsigned char key[ORIGIN_KEY_SIZE];

	make_key(address, key);
	struct login_origin *origin = map_get(&turns->origins, key, sizeof(key));

	if (origin)
		return origin;
	origin = NEW(struct login_origin);
	memcpy(origin->key, key, sizeof(key));
	list_init(&origin->waiting);
	list_push_back(&turns->order, &origin->link);
	map_put(&turns->origins, key, sizeof(key), origin);
	return origin;
}

static void forget(struct login_turns *turns, struct login_origin *origin)
{
	list_remove(&origin->link);
	map_take(&turns->origins, origin->key, sizeof(origin->key));
	mem_free(origin);
}

void login_turns_leave(struct login_turns *turns, struct login *login)
{
	struct login_origin *origin = login->turn.origin;

	if (!origin)
		return;
	list_remove(&login->turn.link);
	login->turn.origin = NULL;
	if (list_empty(&origin->waiting))
		forget(turns, origin);
	if (list_empty(&turns->order))
		loop_timer_stop(&turns->timer);
}

/* With a delay of nothing: what else is ready comes in between. */
static void next_turn(void *arg)
{
	struct login_turns *turns = arg;
	struct login_origin *origin = LIST_MEMBER(list_first(&turns->order), struct login_origin, link);
	struct login *login = LIST_MEMBER(list_first(&origin->waiting), struct login, turn.link);

	list_remove(&origin->link);
	list_push_back(&turns->order, &origin->link);
	login_turns_leave(turns, login);
	if (!list_empty(&turns->order))
		loop_timer_start(&turns->timer, 0);
	login_continue(login, login_take_turn(login));
}

void login_turns_wait(struct login_turns *turns, struct login *login)
{
	if (login->turn.origin)
		return;
	if (list_empty(&turns->order))
		loop_timer_start(&turns->timer, 0);
	login->turn.origin = origin_of(turns, &login->address);
	list_push_back(&login->turn.origin->waiting, &login->turn.link);
}

void login_turns_init(struct login_turns *turns, struct loop *loop)
{
	list_init(&turns->order);
	loop_timer_init(&turns->timer, loop, next_turn, turns);
}

void login_turns_fini(struct login_turns *turns)
{
	CHECK(list_empty(&turns->order));
	map_fini(&turns->origins);
}
