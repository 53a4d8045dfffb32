/* Failure story: a message that cannot be sent is logged once and forgotten; nobody waits for systemd. The watchdog is
 * answered by the control loop, so that a control thread that hangs is noticed. */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/log.h"

enum { MESSAGE_MAX = 128 };

static struct {
	int fd;
	struct sockaddr_un address;
	socklen_t address_size;         /* 0: nobody wants to know. */
	bool complained;
	struct loop_timer watchdog;
	uint64_t watchdog_ms;           /* 0: off. */
} notify;

static void tell(const char *message)
{
	if (!notify.address_size)
		return;
	ssize_t sent = sendto(notify.fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&notify.address, notify.address_size);

	if (sent < 0 && !notify.complained) {
		notify.complained = true;
		log_warning("cannot notify systemd", LOG_TEXT("reason", strerror(errno)));
	}
}

static void open_socket(const char *path)
{
	size_t size = path ? strlen(path) : 0;

	if (size < 2 || size >= sizeof(notify.address.sun_path) || (*path != '/' && *path != '@'))
		return;
	notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify.fd < 0)
		return;
	notify.address.sun_family = AF_UNIX;
	memcpy(notify.address.sun_path, path, size);
	if (*path == '@')
		notify.address.sun_path[0] = '\0';
	notify.address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

static bool read_number(const char *name, unsigned long long *value)
{
	const char *text = getenv(name);
	char *end;

	*value = text ? strtoull(text, &end, 10) : 0;
	return text && *text && !*end;
}

static void alive(void *arg)
{
	(void)arg;
	tell("WATCHDOG=1");
	loop_timer_start(&notify.watchdog, notify.watchdog_ms);
}

/* Half of the time there is. */
static void start_watchdog(struct loop *loop)
{
	unsigned long long us, pid;

	loop_timer_init(&notify.watchdog, loop, alive, NULL);
	if (!notify.address_size || !read_number("WATCHDOG_USEC", &us) || us < 2000)
		return;
	if (read_number("WATCHDOG_PID", &pid) && pid != (unsigned long long)getpid())
		return;
	notify.watchdog_ms = us / 2000;
	alive(NULL);
}

void notify_start(struct loop *loop)
{
	open_socket(getenv("NOTIFY_SOCKET"));
	start_watchdog(loop);
}

void notify_stop(void)
{
	loop_timer_stop(&notify.watchdog);
	if (notify.address_size)
		close(notify.fd);
	memset(&notify, 0, sizeof(notify));
}

void notify_ready(void)
{
	tell("READY=1\nSTATUS=serving");
}

/* systemd tells by the time which reload this is about. */
void notify_reloading(void)
{
	char message[MESSAGE_MAX];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
		(unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
	tell(message);
}

void notify_stopping(void)
{
	tell("STOPPING=1\nSTATUS=draining");
}
