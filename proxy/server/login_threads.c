/* Failure story: nothing fails here but the order of things at the end. Work may be handed in while the threads are
 * being stopped: everything is entered in its thread's list under the mutex, together with the letter that starts it,
 * so that what is in the list when a thread ends is all there is, and what comes later is dropped at once. What has not
 * begun by then still lies in the loop's mailbox, and is dropped with that. */
#include <pthread.h>
#include <stdio.h>

#include "login_work.h"
#include "pgweir/mem.h"
#include "pgweir/server.h"
#include "pgweir/thread.h"

struct login_thread {
	struct thread *thread;
	struct list works;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct login_thread *threads;
static int thread_count;
static unsigned turn;
static bool accepting;

static struct login_work *take_first(struct login_thread *thread)
{
	pthread_mutex_lock(&mutex);
	struct list *first = list_first(&thread->works);

	if (first)
		list_remove(first);
	pthread_mutex_unlock(&mutex);
	return first ? LIST_MEMBER(first, struct login_work, link) : NULL;
}

static void wipe_what_logins_leave(struct loop *loop, void *arg)
{
	(void)loop, (void)arg;
	(void)mem_wipe_freed();
}

/* On the thread, while its loop still exists: connections under way have to leave it. */
static void drop_all(struct loop *loop, void *arg)
{
	struct login_work *work;

	(void)loop;
	while ((work = take_first(arg)))
		if (work->begun)
			work->drop(work);
}

void login_threads_start(int count)
{
	CHECK(!threads && count > 0);
	threads = NEW_ARRAY(struct login_thread, (size_t)count);
	for (int i = 0; i < count; i++) {
		char name[24];

		snprintf(name, sizeof(name), "login-%d", i);
		list_init(&threads[i].works);
		threads[i].thread = thread_start(name, wipe_what_logins_leave, drop_all, &threads[i]);
	}
	pthread_mutex_lock(&mutex);
	thread_count = count;
	accepting = true;
	pthread_mutex_unlock(&mutex);
}

void login_threads_stop(void)
{
	pthread_mutex_lock(&mutex);
	int count = thread_count;

	accepting = false;
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < count; i++)
		thread_stop(&threads[i].thread);
	pthread_mutex_lock(&mutex);
	thread_count = 0;
	mem_free(threads);
	threads = NULL;
	pthread_mutex_unlock(&mutex);
	server_tls_reload();
}

static struct login_thread *next_thread(void)
{
	return &threads[turn++ % (unsigned)thread_count];
}

struct loop *login_threads_next(void)
{
	pthread_mutex_lock(&mutex);
	CHECK(thread_count > 0);
	struct loop *loop = thread_loop(next_thread()->thread);

	pthread_mutex_unlock(&mutex);
	return loop;
}

int login_threads_count(void)
{
	pthread_mutex_lock(&mutex);
	int count = thread_count;

	pthread_mutex_unlock(&mutex);
	return count;
}

static void begin(struct loop_letter *letter)
{
	struct login_work *work = CONTAINER_OF(letter, struct login_work, letter);

	work->begun = true;
	work->begin(work);
}

static void drop_unread(struct loop_letter *letter)
{
	struct login_work *work = CONTAINER_OF(letter, struct login_work, letter);

	work->drop(work);
}

void login_work_start(struct login_work *work)
{
	work->letter.deliver = begin;
	work->letter.drop = drop_unread;
	list_init(&work->link);
	pthread_mutex_lock(&mutex);
	if (!accepting) {
		pthread_mutex_unlock(&mutex);
		work->drop(work);
		return;
	}
	struct login_thread *thread = next_thread();

	work->loop = thread_loop(thread->thread);
	list_push_back(&thread->works, &work->link);
	loop_post(work->loop, &work->letter);
	pthread_mutex_unlock(&mutex);
}

void login_work_end(struct login_work *work)
{
	pthread_mutex_lock(&mutex);
	list_remove(&work->link);
	pthread_mutex_unlock(&mutex);
}
