/* An epoll set of its own, since libevent's way from there to a callback costs more than all the rest of a small message;
 * and libevent's base, once somebody asks for it, in which that set is one descriptor among others. The mailbox is a
 * lock-free stack with an eventfd. */
#include "loop_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/mem.h"

enum {
	LIMIT_LOOK_MS = 100,
	WAIT_MAX_MS = 60000,
};

static struct loop_letter *take_mail(struct loop *loop)
{
	struct loop_letter *newest = atomic_exchange_explicit(&loop->mail, NULL, memory_order_acquire);
	struct loop_letter *oldest = NULL;

	while (newest) {
		struct loop_letter *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

static void collect_mail(struct loop *loop)
{
	struct loop_letter *oldest = take_mail(loop);

	while (oldest) {
		struct loop_letter *next = oldest->next;

		oldest->deliver(oldest);
		oldest = next;
	}
}

static void mail_arrived(unsigned what, void *arg)
{
	struct loop *loop = arg;
	uint64_t count;

	(void)what;
	if (read(loop->mail_fd, &count, sizeof(count)) == sizeof(count))
		collect_mail(loop);
}

void loop_post(struct loop *loop, struct loop_letter *letter)
{
	struct loop_letter *head = atomic_load_explicit(&loop->mail, memory_order_relaxed);
	uint64_t one = 1;

	do
		letter->next = head;
	while (!atomic_compare_exchange_weak_explicit(&loop->mail, &head, letter, memory_order_release, memory_order_relaxed));
	/* Only the first letter of a batch rings the bell. */
	if (!head) {
		ssize_t written = write(loop->mail_fd, &one, sizeof(one));

		CHECK(written == sizeof(one));
	}
}

struct loop *loop_new(const char *name)
{
	struct loop *loop = NEW(struct loop);

	loop->name = mem_strdup(name);
	loop->refs = 1;
	list_init(&loop->kicked);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->mail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(loop->epoll_fd >= 0 && loop->mail_fd >= 0);
	loop_io_init(&loop->mail_io, loop, loop->mail_fd, mail_arrived, loop);
	loop_io_read(&loop->mail_io, true);
	return loop;
}

void loop_free(struct loop **loop)
{
	struct loop *gone = *loop;

	*loop = NULL;
	if (!gone)
		return;
	loop_io_fini(&gone->mail_io);
	timers_fini(&gone->timers);
	if (gone->base) {
		event_del(&gone->ready_event);
		event_base_free(gone->base);
		gone->base = NULL;
	}
	close(gone->epoll_fd);
	gone->epoll_fd = -1;
	loop_unref(gone);
}

struct loop *loop_ref(struct loop *loop)
{
	atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
	return loop;
}

void loop_unref(struct loop *loop)
{
	if (atomic_fetch_sub_explicit(&loop->refs, 1, memory_order_acq_rel) > 1)
		return;
	struct loop_letter *oldest = take_mail(loop);

	while (oldest) {
		struct loop_letter *next = oldest->next;

		if (oldest->drop)
			oldest->drop(oldest);
		oldest = next;
	}
	close(loop->mail_fd);
	mem_free(loop->name);
	mem_free(loop);
}

void loop_post_and_unref(struct loop *loop, struct loop_letter *letter)
{
	loop_post(loop, letter);
	loop_unref(loop);
}

/* Kicks from within these callbacks wait for the turn after, so that nobody who kicks himself holds up the rest. */
static void deliver_kicks(struct loop *loop)
{
	struct list due;

	list_init(&due);
	for (struct list *link = list_first(&loop->kicked); link; link = list_first(&loop->kicked)) {
		list_remove(link);
		list_push_back(&due, link);
	}
	/* A callback may end any of them, so that the list is taken from its front each time. */
	for (struct list *link = list_first(&due); link; link = list_first(&due)) {
		struct loop_io *io = LIST_MEMBER(link, struct loop_io, kick_link);

		list_remove(link);
		io->callback(LOOP_READ, io->arg);
	}
}

/* --- Turns --- */

static uint64_t monotonic_us(void)
{
	struct timespec now;

	/* Not clock_now_us(): where a test lets time stand still, loops go on. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* How long the kernel may wait before a timer is due. */
static int wait_ms(const struct loop *loop)
{
	const struct loop_timer *first = timers_first(&loop->timers);

	if (!first)
		return WAIT_MAX_MS;
	uint64_t now_us = monotonic_us();
	uint64_t left_ms = first->due_us > now_us ? (first->due_us - now_us + 999) / 1000 : 0;

	return left_ms < WAIT_MAX_MS ? (int)left_ms : WAIT_MAX_MS;
}

/* What of the events is wanted. An error or hang-up shows itself to whatever is tried next. */
static unsigned seen(uint32_t events, unsigned wanted)
{
	unsigned what = 0;

	if (events & (EPOLLERR | EPOLLHUP))
		return wanted;
	if (events & EPOLLIN)
		what |= LOOP_READ;
	if (events & EPOLLOUT)
		what |= LOOP_WRITE;
	if (events & EPOLLRDHUP)
		what |= LOOP_CLOSED;
	return what & wanted;
}

/* Who hears that new settings are in force, and then has a client send something, has that done with them: a letter comes ahead of
 * what became readable after it. The kernel does not say so, for which a socket that was ready in the last turn keeps its place. */
static void deliver_mail(struct loop *loop)
{
	for (int i = 0; i < loop->ready_count; i++) {
		if (loop->ready[i].data.ptr != &loop->mail_io)
			continue;
		loop->ready[i].data.ptr = NULL;
		mail_arrived(LOOP_READ, loop);
		return;
	}
}

static void deliver_ready(struct loop *loop)
{
	while (loop->ready_at < loop->ready_count) {
		const struct epoll_event *event = &loop->ready[loop->ready_at++];
		struct loop_io *io = event->data.ptr;
		unsigned what = io ? seen(event->events, io->watched) : 0;

		if (what)
			io->callback(what, io->arg);
	}
}

/* A timer that is started from in here is due later than now, and waits for another turn. */
static void deliver_due(struct loop *loop)
{
	uint64_t now_us = timers_first(&loop->timers) ? monotonic_us() : 0;

	for (struct loop_timer *first; (first = timers_first(&loop->timers)) && first->due_us < now_us;) {
		timers_take(&loop->timers, first);
		first->callback(first->arg);
	}
}

static void collect(struct loop *loop, int timeout_ms)
{
	int count = epoll_wait(loop->epoll_fd, loop->ready, LOOP_READY_MAX, timeout_ms);

	CHECK(count >= 0 || errno == EINTR);
	loop->now_us = 0;
	loop->ready_at = 0;
	loop->ready_count = count > 0 ? count : 0;
	deliver_mail(loop);
	deliver_ready(loop);
	deliver_due(loop);
}

static void ready_in_base(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	collect(arg, 0);
}

static void wait_in_base(struct loop *loop, int timeout_ms)
{
	struct timeval timeout = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };

	event_add(&loop->ready_event, &timeout);
	event_base_loop(loop->base, EVLOOP_ONCE);
}

void loop_run_once(struct loop *loop, bool wait)
{
	loop->turn++;
	loop->now_us = 0;
	deliver_kicks(loop);
	int timeout_ms = wait && !loop->stopping && list_empty(&loop->kicked) ? wait_ms(loop) : 0;

	if (loop->base)
		wait_in_base(loop, timeout_ms);
	else
		collect(loop, timeout_ms);
}

void loop_run(struct loop *loop)
{
	loop->stopping = false;
	while (!loop->stopping)
		loop_run_once(loop, true);
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

struct limit {
	struct loop_timer timer;
	struct loop *loop;
	const atomic_bool *stop;
};

static void look_at_limit(void *arg)
{
	struct limit *limit = arg;

	if (atomic_load(limit->stop))
		loop_stop(limit->loop);
	else
		loop_timer_start(&limit->timer, LIMIT_LOOK_MS);
}

bool loop_run_until(struct loop *loop, const atomic_bool *stop)
{
	struct limit limit = { .loop = loop, .stop = stop };

	loop_timer_init(&limit.timer, loop, look_at_limit, &limit);
	if (stop)
		loop_timer_start(&limit.timer, LIMIT_LOOK_MS);
	loop_run(loop);
	loop_timer_stop(&limit.timer);
	return !stop || !atomic_load(stop);
}

const char *loop_name(const struct loop *loop)
{
	return loop->name;
}

struct event_base *loop_base(struct loop *loop)
{
	if (loop->base)
		return loop->base;
	struct event_config *config = event_config_new();

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	CHECK(loop->base);
	event_assign(&loop->ready_event, loop->base, loop->epoll_fd, EV_READ | EV_PERSIST, ready_in_base, loop);
	event_add(&loop->ready_event, NULL);
	return loop->base;
}

uint64_t loop_turn(const struct loop *loop)
{
	return loop->turn;
}

uint64_t loop_now_us(struct loop *loop)
{
	if (!loop->now_us)
		loop->now_us = clock_now_us();
	return loop->now_us;
}

/* --- Timers --- */

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_cb *callback, void *arg)
{
	*timer = (struct loop_timer){ .loop = loop, .callback = callback, .arg = arg };
}

void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms)
{
	loop_timer_stop(timer);
	timer->due_us = monotonic_us() + delay_ms * 1000;
	timers_put(&timer->loop->timers, timer);
}

void loop_timer_stop(struct loop_timer *timer)
{
	if (timer->place)
		timers_take(&timer->loop->timers, timer);
}
