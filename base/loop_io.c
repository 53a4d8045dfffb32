/* Descriptors under watch: what is wanted of each, and what the kernel is told of that. */
#include "loop_internal.h"

/* What was found ready in this turn is not the new owner's of this memory. */
static void forget_ready(struct loop *loop, const struct loop_io *io)
{
	for (int i = loop->ready_at; i < loop->ready_count; i++)
		if (loop->ready[i].data.ptr == io)
			loop->ready[i].data.ptr = NULL;
}

static uint32_t epoll_events(unsigned wanted)
{
	return (wanted & LOOP_READ ? EPOLLIN : 0u) | (wanted & LOOP_WRITE ? EPOLLOUT : 0u)
		| (wanted & LOOP_CLOSED ? EPOLLRDHUP : 0u);
}

/* Brings the kernel in line with what is wanted. */
static void watch(struct loop_io *io)
{
	unsigned wanted = 0;

	if (io->reading)
		wanted |= LOOP_READ;
	if (io->writing)
		wanted |= LOOP_WRITE;
	if (io->closed_only || (io->reading && io->watch_closed))
		wanted |= LOOP_CLOSED;
	if (wanted == io->watched)
		return;
	struct epoll_event event = { .events = epoll_events(wanted), .data.ptr = io };
	int operation = !io->watched ? EPOLL_CTL_ADD : wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
	int result = epoll_ctl(io->loop->epoll_fd, operation, io->fd, &event);

	/* Whoever closed the descriptor first has taken it out already. */
	CHECK(result == 0 || operation == EPOLL_CTL_DEL);
	io->watched = (uint8_t)wanted;
	if (!wanted)
		forget_ready(io->loop, io);
}

void loop_io_init(struct loop_io *io, struct loop *loop, int fd, loop_io_cb *callback, void *arg)
{
	*io = (struct loop_io){ .loop = loop, .callback = callback, .arg = arg, .fd = fd };
	list_init(&io->kick_link);
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
