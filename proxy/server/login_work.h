/* Work on the login threads: an opening, or a cancel. Each belongs to one thread, which frees it if it is stopped
 * before the work is done. */
#ifndef PGWEIR_LOGIN_WORK_H
#define PGWEIR_LOGIN_WORK_H

#include "pgweir/list.h"
#include "pgweir/loop.h"

struct login_work {
	struct list link;
	struct loop *loop;                              /* From `begin` on. */
	struct loop_letter letter;
	bool begun;
	void (*begin)(struct login_work *work);         /* On the login thread. */
	/* The threads are stopping: free it, tell nobody. On the login thread while its loop is still there; on any
	 * thread, and without a loop, if it was never begun. */
	void (*drop)(struct login_work *work);
};

/* Any thread. */
void login_work_start(struct login_work *work);
/* On the login thread, before the work is freed. */
void login_work_end(struct login_work *work);

#endif
