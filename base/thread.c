#include "pgweir/thread.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>

#include "pgweir/mem.h"

struct thread {
	pthread_t id;
	sem_t prepared;
	struct loop *loop;
	thread_cb *prepare, *finish;
	void *arg;
	struct loop_letter stop;
	bool joined;
};

static void *run(void *arg)
{
	struct thread *thread = arg;

	if (thread->prepare)
		thread->prepare(thread->loop, thread->arg);
	sem_post(&thread->prepared);
	loop_run(thread->loop);
	if (thread->finish)
		thread->finish(thread->loop, thread->arg);
	return NULL;
}

struct thread *thread_start(const char *name, thread_cb *prepare, thread_cb *finish, void *arg)
{
	struct thread *thread = NEW(struct thread);
	sigset_t all, before;

	thread->loop = loop_new(name);
	thread->prepare = prepare;
	thread->finish = finish;
	thread->arg = arg;
	sem_init(&thread->prepared, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&thread->id, NULL, run, thread);

	CHECK(!failed);
	pthread_setname_np(thread->id, name);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	while (sem_wait(&thread->prepared) != 0)
		continue;
	return thread;
}

static void stop(struct loop_letter *letter)
{
	loop_stop(CONTAINER_OF(letter, struct thread, stop)->loop);
}

void thread_join(struct thread *thread)
{
	if (thread->joined)
		return;
	thread->joined = true;
	thread->stop.deliver = stop;
	loop_post(thread->loop, &thread->stop);
	pthread_join(thread->id, NULL);
}

void thread_stop(struct thread **thread)
{
	struct thread *gone = *thread;

	*thread = NULL;
	if (!gone)
		return;
	thread_join(gone);
	loop_free(&gone->loop);
	sem_destroy(&gone->prepared);
	mem_free(gone);
}

struct loop *thread_loop(const struct thread *thread)
{
	return thread->loop;
}
