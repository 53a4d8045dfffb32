/* One event loop per thread: descriptors, timers, and a mailbox for other threads.
 *
 * This is libevent's only home. Everything here belongs to the loop's own thread, but for loop_post(). */
#ifndef PGWEIR_LOOP_H
#define PGWEIR_LOOP_H

#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/list.h"

struct loop;

enum loop_what {
	LOOP_READ = 1,          /* Readable, or the peer is gone: read to find out. */
	LOOP_WRITE = 2,
	LOOP_CLOSED = 4,        /* The peer has shut down its sending side (EPOLLRDHUP). May come with LOOP_READ. */
};

typedef void loop_io_cb(unsigned what, void *arg);
typedef void loop_timer_cb(void *arg);

/* A descriptor under watch. Embedded in its owner; reading stays registered, writing only while wanted. */
struct loop_io {
	loop_io_cb *callback;
	void *arg;
	struct loop *loop;
	struct list kick_link;
	int fd;
	uint8_t watched;        /* The loop_what bits that the kernel looks for; 0: it knows nothing of the descriptor. */
	bool reading, writing, watch_closed, closed_only;
};

struct loop_timer {
	struct loop *loop;
	loop_timer_cb *callback;
	void *arg;
	uint64_t due_us;
	uint32_t place;         /* Among those that run (timers.h); 0: it does not. */
};

struct loop *loop_new(const char *name);
void loop_free(struct loop **loop);            /* NULL is fine. Letters not yet delivered are dropped. */
struct loop *loop_ref(struct loop *loop);      /* From the loop's own thread: loop_post() stays safe after loop_free(). */
void loop_unref(struct loop *loop);            /* From any thread. */
void loop_run(struct loop *loop);              /* Until loop_stop(). */
void loop_run_once(struct loop *loop, bool wait);      /* One turn; with `wait` until there is something to do. */
void loop_stop(struct loop *loop);             /* From the loop's own thread. */
/* As loop_run(). False: it ended because `stop` became true, which is looked at several times a second; NULL: never. */
bool loop_run_until(struct loop *loop, const atomic_bool *stop) MUST_USE;
const char *loop_name(const struct loop *loop);
/* For libraries that speak libevent (evhttp, libcurl's socket callbacks), and for signals. Made when first asked for. */
struct event_base *loop_base(struct loop *loop);

/* Counts turns of the loop: equal values mean "in the same turn". */
uint64_t loop_turn(const struct loop *loop);
/* clock_now_us(), read once after each wait: as late as the callbacks of one turn take together. */
uint64_t loop_now_us(struct loop *loop);

void loop_io_init(struct loop_io *io, struct loop *loop, int fd, loop_io_cb *callback, void *arg);
void loop_io_fini(struct loop_io *io);         /* Does not close the descriptor. */
void loop_io_read(struct loop_io *io, bool wanted);
void loop_io_closed_only(struct loop_io *io);   /* Reading off, but LOOP_CLOSED still comes. */
void loop_io_write(struct loop_io *io, bool wanted);
void loop_io_kick(struct loop_io *io);         /* Calls back with LOOP_READ in the next turn, whatever the kernel
                                                * says, unless reading is turned off before. */
void loop_io_watch_closed(struct loop_io *io); /* Before the first loop_io_read(): ask for LOOP_CLOSED too. */

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_cb *callback, void *arg);
void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms);  /* Restarts a running one. */
void loop_timer_stop(struct loop_timer *timer);

/* A letter to another thread. The sender embeds it in what it sends; from loop_post() on it belongs to the
 * receiver, whose thread calls `deliver` once, in order of posting per sender. A loop that goes away calls `drop`
 * instead (may be NULL, from the thread that lets go last). Senders end before loop_free(), or hold a loop_ref(). */
struct loop_letter {
	struct loop_letter *next;
	void (*deliver)(struct loop_letter *letter);
	void (*drop)(struct loop_letter *letter);
};
void loop_post(struct loop *loop, struct loop_letter *letter);
/* The same, and gives up the loop_ref() that the letter's struct holds: once posted, it may be gone at any moment. */
void loop_post_and_unref(struct loop *loop, struct loop_letter *letter);

#endif
