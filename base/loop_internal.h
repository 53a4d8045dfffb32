/* What the files of the loop share: turns, mail and timers (loop.c), and descriptors (loop_io.c). */
#ifndef PGWEIR_LOOP_INTERNAL_H
#define PGWEIR_LOOP_INTERNAL_H

#include <event2/event_struct.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "pgweir/loop.h"
#include "timers.h"

enum { LOOP_READY_MAX = 256 };                  /* Descriptors per turn. */

struct loop {
	int epoll_fd;
	char *name;
	uint64_t turn;
	uint64_t now_us;                        /* Of this turn; 0: nobody has asked yet. */
	bool stopping;
	struct list kicked;                     /* Called back at the start of the next turn. */
	struct timers timers;
	struct epoll_event ready[LOOP_READY_MAX];       /* Of this turn; from `ready_at` on they have not been called back yet. */
	int ready_at, ready_count;
	struct loop_io mail_io;
	int mail_fd;
	struct event_base *base;                /* NULL unless somebody asked for it. */
	struct event ready_event;               /* In `base`: something of ours is ready, or due. */
	_Atomic unsigned refs;
	_Atomic(struct loop_letter *) mail;     /* Newest first. */
};

#endif
