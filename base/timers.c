#include "timers.h"

#include "pgweir/mem.h"

enum { TIMERS_FIRST_CAPACITY = 8 };

static void place(struct timers *timers, uint32_t at, struct loop_timer *timer)
{
	timers->heap[at] = timer;
	timer->place = at + 1;
}

static void sift_up(struct timers *timers, uint32_t at, struct loop_timer *timer)
{
	while (at && timer->due_us < timers->heap[(at - 1) / 2]->due_us) {
		place(timers, at, timers->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(timers, at, timer);
}

static void sift_down(struct timers *timers, uint32_t at, struct loop_timer *timer)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < timers->count && timers->heap[child + 1]->due_us < timers->heap[child]->due_us)
			child++;
		if (child >= timers->count || timer->due_us <= timers->heap[child]->due_us)
			break;
		place(timers, at, timers->heap[child]);
		at = child;
	}
	place(timers, at, timer);
}

void timers_put(struct timers *timers, struct loop_timer *timer)
{
	CHECK(!timer->place);
	if (timers->count == timers->capacity) {
		timers->capacity = timers->capacity ? timers->capacity * 2 : TIMERS_FIRST_CAPACITY;
		timers->heap = mem_realloc(timers->heap, timers->capacity * sizeof(*timers->heap));
	}
	sift_up(timers, timers->count++, timer);
}

void timers_take(struct timers *timers, struct loop_timer *timer)
{
	if (!timer->place)
		return;
	uint32_t at = timer->place - 1;
	struct loop_timer *last = timers->heap[--timers->count];

	CHECK(timers->heap[at] == timer);
	timer->place = 0;
	if (last == timer)
		return;
	if (last->due_us < timer->due_us)
		sift_up(timers, at, last);
	else
		sift_down(timers, at, last);
}

void timers_fini(struct timers *timers)
{
	for (uint32_t i = 0; i < timers->count; i++)
		timers->heap[i]->place = 0;
	mem_free(timers->heap);
	*timers = (struct timers){ 0 };
}
