/* What many clients leave behind when they go.
 *
 * Failure story: of 54 KiB that each handshake takes nothing went back to the system when thousands had gone, since some
 * bytes of each megabyte are still in use, and the C library gives back only what lies at the end of all. So it is told to
 * look. That is done here, on no worker, at most every few seconds, and only where a crowd has gone: clients that come and go
 * find the memory where it was. */
#include "trim.h"

#include "pgweir/descriptors.h"
#include "pgweir/mem.h"

enum { LOOK_MS = 2000, CROWD = 256 };

static struct loop_timer timer;

static void look(void *arg)
{
	(void)arg;
	loop_timer_start(&timer, LOOK_MS);
	if (descriptors_clients_fallen() < CROWD)
		return;
	mem_trim();
	descriptors_forget_most();
}

void trim_start(struct loop *loop)
{
	loop_timer_init(&timer, loop, look, NULL);
	loop_timer_start(&timer, LOOK_MS);
}

void trim_stop(void)
{
	loop_timer_stop(&timer);
}
