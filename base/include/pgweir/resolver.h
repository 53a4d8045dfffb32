/* Names to addresses without blocking a loop: lookups run on threads of their own with getaddrinfo(). */
#ifndef PGWEIR_RESOLVER_H
#define PGWEIR_RESOLVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "pgweir/check.h"

enum { RESOLVER_ADDRESSES_MAX = 16 };

struct resolver_answer {
	unsigned count;                                    /* 0: `error_text` says why. */
	struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];
	socklen_t sizes[RESOLVER_ADDRESSES_MAX];
	char error_text[128];
};

struct loop;

/* Called once, on `loop`'s thread, never from within resolver_lookup(), and not at all once the loop is freed. The
 * answer lives only during the call. */
typedef void resolver_cb(const struct resolver_answer *answer, void *arg);
/* Instead of it, once the loop is freed; any thread. */
typedef void resolver_forget_cb(void *arg);

/* `host` is a name, an address, or a directory of a Unix socket (starts with '/' or '@'). `forget` may be NULL. */
void resolver_lookup(struct loop *loop, const char *host, uint16_t port, resolver_cb *callback, resolver_forget_cb *forget,
	void *arg);

/* The same for a thread that may wait, and has no loop. False: `until_ms` (of clock_now_ms()) has passed, or `stop` (may be
 * NULL) has become true; the lookup goes on by itself and is not heard of any more. */
bool resolver_wait(const char *host, uint16_t port, const atomic_bool *stop, uint64_t until_ms,
	struct resolver_answer *answer) MUST_USE;

/* Whether `address`, an IPv4 or IPv6 address as text, is among them. */
bool resolver_answer_has(const struct resolver_answer *answer, const char *address);

#endif
