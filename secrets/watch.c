#include "watch.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/log.h"
#include "pgweir/mem.h"

enum {
	WATCHED = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB,
	AT_ONCE = 4096,
};

static void readable(unsigned what, void *arg)
{
	struct watch *watch = arg;
	_Alignas(struct inotify_event) char bytes[AT_ONCE];
	ssize_t got;

	(void)what;
	while ((got = read(watch->io.fd, bytes, sizeof(bytes))) > 0) {
		const struct inotify_event *event;

		for (const char *at = bytes; at < bytes + got; at += sizeof(*event) + event->len) {
			event = (const void *)at;
			watch->callback(event->wd, watch->arg);
		}
	}
}

void watch_init(struct watch *watch, struct loop *loop, watch_cb *callback, void *arg)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	*watch = (struct watch){ .io.fd = fd, .callback = callback, .arg = arg };
	if (fd < 0) {
		log_warning("no inotify: files of secrets are looked at now and then only");
		return;
	}
	loop_io_init(&watch->io, loop, fd, readable, watch);
	loop_io_read(&watch->io, true);
}

void watch_fini(struct watch *watch)
{
	if (watch->io.fd < 0)
		return;
	loop_io_fini(&watch->io);
	close(watch->io.fd);
	watch->io.fd = -1;
}

int watch_folder(struct watch *watch, const char *path)
{
	struct stat status;
	bool is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
	const char *slash = strrchr(path, '/');

	if (watch->io.fd < 0)
		return -1;
	if (is_folder)
		return inotify_add_watch(watch->io.fd, path, WATCHED);
	char *folder = slash && slash != path ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup(slash ? "/" : ".");
	int number = inotify_add_watch(watch->io.fd, folder, WATCHED);

	mem_free(folder);
	return number;
}
