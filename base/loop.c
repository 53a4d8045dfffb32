/* libevent without its locks: only the mailbox is shared, and it is a lock-free stack with an eventfd. */
#include "pgweir/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "pgweir/mem.h"

struct loop {
	struct event_base *base;
	char *name;
	uint64_t turn;
	bool stopping;
	struct list kicked;                     /* Called back at the start of the next turn. */
	struct event mail_event;
	int mail_fd;
	_Atomic unsigned refs;
	_Atomic(struct loop_letter *) mail;     /* Newest first. */
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

static void mail_arrived(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		collect_mail(arg);
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
	struct event_config *config = event_config_new();

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	CHECK(loop->base);
	loop->name = mem_strdup(name);
	loop->refs = 1;
	list_init(&loop->kicked);
	loop->mail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(loop->mail_fd >= 0);
	event_assign(&loop->mail_event, loop->base, loop->mail_fd, EV_READ | EV_PERSIST, mail_arrived, loop);
	event_add(&loop->mail_event, NULL);
	return loop;
}

void loop_free(struct loop **loop)
{
	if (!*loop)
		return;
	event_del(&(*loop)->mail_event);
	event_base_free((*loop)->base);
	(*loop)->base = NULL;
	loop_unref(*loop);
	*loop = NULL;
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

void loop_run(struct loop *loop)
{
	loop->stopping = false;
	while (!loop->stopping) {
		loop->turn++;
		deliver_kicks(loop);
		bool wait = !loop->stopping && list_empty(&loop->kicked);
		event_base_loop(loop->base, wait ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

const char *loop_name(const struct loop *loop)
{
	return loop->name;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

uint64_t loop_turn(const struct loop *loop)
{
	return loop->turn;
}

static void io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;
	unsigned seen = 0;

	(void)fd;
	if (what & EV_READ)
		seen |= LOOP_READ;
	if (what & EV_WRITE)
		seen |= LOOP_WRITE;
	if (what & EV_CLOSED)
		seen |= LOOP_CLOSED;
	io->callback(seen, io->arg);
}

/* Brings the event in line with what is wanted. */
static void watch(struct loop_io *io)
{
	short wanted = 0;

	if (io->reading)
		wanted |= EV_READ;
	if (io->writing)
		wanted |= EV_WRITE;
	if (io->closed_only || (io->reading && io->watch_closed))
		wanted |= EV_CLOSED;
	if (wanted == io->watched)
		return;
	if (io->watched)
		event_del(&io->event);
	io->watched = wanted;
	if (!wanted)
		return;
	event_assign(&io->event, io->loop->base, event_get_fd(&io->event), (short)(wanted | EV_PERSIST), io_ready, io);
	event_add(&io->event, NULL);
}

void loop_io_init(struct loop_io *io, struct loop *loop, int fd, loop_io_cb *callback, void *arg)
{
	*io = (struct loop_io){ .loop = loop, .callback = callback, .arg = arg };
	list_init(&io->kick_link);
	event_assign(&io->event, loop->base, fd, EV_READ | EV_PERSIST, io_ready, io);
}

void loop_io_fini(struct loop_io *io)
{
	if (!io->loop)
		return;
	list_remove(&io->kick_link);
	io->reading = io->writing = io->closed_only = false;
	watch(io);
}

void loop_io_read(struct loop_io *io, bool wanted)
{
	if (!wanted)
		list_remove(&io->kick_link);
	io->reading = wanted;
	io->closed_only = false;
	watch(io);
}

void loop_io_closed_only(struct loop_io *io)
{
	loop_io_read(io, false);
	io->closed_only = true;
	watch(io);
}

void loop_io_write(struct loop_io *io, bool wanted)
{
	io->writing = wanted;
	watch(io);
}

void loop_io_kick(struct loop_io *io)
{
	list_remove(&io->kick_link);
	list_push_back(&io->loop->kicked, &io->kick_link);
}

void loop_io_watch_closed(struct loop_io *io)
{
	CHECK(!io->reading);
	io->watch_closed = true;
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	timer->callback(timer->arg);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_cb *callback, void *arg)
{
	*timer = (struct loop_timer){ .loop = loop, .callback = callback, .arg = arg };
	event_assign(&timer->event, loop->base, -1, 0, timer_fired, timer);
}

void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms)
{
	struct timeval delay = { .tv_sec = (time_t)(delay_ms / 1000), .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000) };

	event_add(&timer->event, &delay);
}

void loop_timer_stop(struct loop_timer *timer)
{
	event_del(&timer->event);
}
