/* The running timers of one loop, the one due first in front: a binary heap. */
#ifndef PGWEIR_TIMERS_H
#define PGWEIR_TIMERS_H

#include "pgweir/loop.h"

struct timers {
	struct loop_timer **heap;
	uint32_t count, capacity;
};

void timers_fini(struct timers *timers);        /* None of them runs any more. */
void timers_put(struct timers *timers, struct loop_timer *timer);       /* Due at timer->due_us; it must not be in yet. */
void timers_take(struct timers *timers, struct loop_timer *timer);      /* Fine if it is not in. */

static inline struct loop_timer *timers_first(const struct timers *timers)
{
	return timers->count ? timers->heap[0] : NULL;
}

#endif
