/* Folders under watch: who has been told of a name that came, went, was closed after writing, or changed its mode.
 *
 * A hint and no more: filesystems without inotify say nothing, so whoever watches looks by itself now and then. */
#ifndef PGWEIR_SECRETS_WATCH_H
#define PGWEIR_SECRETS_WATCH_H

#include "pgweir/loop.h"

/* `number` is what watch_folder() gave for the folder in which something happened. */
typedef void watch_cb(int number, void *arg);

struct watch {
	struct loop_io io;
	watch_cb *callback;
	void *arg;
};

void watch_init(struct watch *watch, struct loop *loop, watch_cb *callback, void *arg);
void watch_fini(struct watch *watch);
/* Where `path` is a folder that, else the one that it lies in. The same folder has the same number; -1: not watched.
 * Asking again is cheap, and finds a folder that took another's place. */
int watch_folder(struct watch *watch, const char *path);

#endif
