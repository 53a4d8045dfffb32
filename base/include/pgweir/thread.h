/* A thread with a loop of its own. */
#ifndef PGWEIR_THREAD_H
#define PGWEIR_THREAD_H

#include "pgweir/check.h"
#include "pgweir/loop.h"

struct thread;

/* Runs `prepare` (may be NULL) on the new thread, then its loop until thread_stop(), then `finish` (may be NULL).
 * Signals are blocked in it. Returns when `prepare` is done. */
typedef void thread_cb(struct loop *loop, void *arg);
struct thread *thread_start(const char *name, thread_cb *prepare, thread_cb *finish, void *arg) MUST_USE;
void thread_stop(struct thread **thread);       /* From another thread; waits for its end. NULL is fine. */
/* The first half of thread_stop(): ends the thread but keeps its loop, to which others may still post. */
void thread_join(struct thread *thread);
struct loop *thread_loop(const struct thread *thread);

#endif
