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
	void (*begin)(struct login_work *work);         /* On the login thread. */
	void (*drop)(struct login_work *work);          /* The threads are stopping: free it, tell nobody. */
};

/* Any thread. */
void login_work_start(struct login_work *work);
/* On the login thread, before the work is freed. */
void login_work_end(struct login_work *work);

#endif
