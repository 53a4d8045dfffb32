/* Failure story: the counts are read and changed without a lock, so that several threads may each take what looked like the
 * last one. There is no harm in that: what is kept for the control plane is far more than there are threads. Should the
 * kernel run out all the same, those who open something hear it from the kernel. */
#include "pgweir/descriptors.h"

#include <limits.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	FOR_CONTROL = 64,               /* Also what opens later and is no connection of a client or to a server. */
	FOR_LOGINS = 256,
	FOR_LOGINS_LEAST = 16,
	FOR_ADMINISTRATORS = 10,        /* Of those for logins. */
	OWN_GUESS = 64,                 /* Loops, listening sockets and the like of a process that is not this one. */
};

/* Connections of clients, and all; and the most there were of the former. */
static _Atomic unsigned clients, connections, most_clients;

/* A division: servers and sessions share `shared`, of which sessions get `sessions` at most. Before the first there is no end. */
static _Atomic unsigned shared = UINT_MAX / 2, sessions = UINT_MAX / 2, logins = UINT_MAX / 4;

static uint64_t least(uint64_t one, uint64_t other) { return one < other ? one : other; }
static uint64_t most(uint64_t one, uint64_t other) { return one > other ? one : other; }

/* The lowest number that is free: all below are taken. */
static uint64_t taken(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		return 0;
	close(fd);
	return (uint64_t)fd;
}

static unsigned others(void)
{
	unsigned all = atomic_load(&connections), of_clients = atomic_load(&clients);

	return all > of_clients ? all - of_clients : 0;
}

void descriptors_plan(uint64_t limit, uint64_t servers)
{
	static uint64_t own;

	if (!own)
		own = taken() - least(atomic_load(&connections), taken());
	uint64_t rest = least(limit > own ? limit - own : 0, UINT_MAX / 4);

	rest -= least(FOR_CONTROL, rest / 4);
	uint64_t of_logins = least(most(least(rest / 16, FOR_LOGINS), FOR_LOGINS_LEAST), rest / 4);

	rest -= of_logins;
	atomic_store(&logins, (unsigned)of_logins);
	atomic_store(&shared, (unsigned)rest);
	atomic_store(&sessions, (unsigned)(rest - least(servers, rest / 2)));
}

uint64_t descriptors_wanted(uint64_t of_clients, uint64_t servers)
{
	return OWN_GUESS + FOR_CONTROL + FOR_LOGINS + servers + of_clients;
}

unsigned descriptors_for_sessions(void)
{
	unsigned all = atomic_load(&shared), of_others = others(), free = all > of_others ? all - of_others : 0;

	return (unsigned)most(least(free, atomic_load(&sessions)), 1);
}

unsigned descriptors_for_administrators(void)
{
	return (unsigned)least(FOR_ADMINISTRATORS, atomic_load(&logins) / 2);
}

/* `part` of those for logins are left. */
static bool has_room(unsigned part)
{
	unsigned of_clients = atomic_load(&clients);

	return of_clients < atomic_load(&sessions) + part && of_clients + others() < atomic_load(&shared) + part;
}

bool descriptors_for_client(void)
{
	return has_room(atomic_load(&logins));
}

bool descriptors_crowded(void)
{
	return !has_room(atomic_load(&logins) / 2);
}

bool descriptors_for_server(void)
{
	unsigned of_sessions = (unsigned)least(atomic_load(&clients), atomic_load(&sessions));

	return others() + of_sessions < atomic_load(&shared);
}

unsigned descriptors_clients_fallen(void)
{
	unsigned now = atomic_load(&clients), before = atomic_load(&most_clients);

	return before > now ? before - now : 0;
}

void descriptors_forget_most(void)
{
	atomic_store(&most_clients, atomic_load(&clients));
}

void descriptors_count(bool client, int change)
{
	atomic_fetch_add(&connections, (unsigned)change);
	if (!client)
		return;
	unsigned now = atomic_fetch_add(&clients, (unsigned)change) + (unsigned)change;

	/* They come on one thread. */
	if (change > 0 && now > atomic_load(&most_clients))
		atomic_store(&most_clients, now);
}
