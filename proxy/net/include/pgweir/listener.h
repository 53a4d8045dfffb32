/* Listening sockets. Accepting pauses while the process has no descriptors left, and goes on when it has. */
#ifndef PGWEIR_LISTENER_H
#define PGWEIR_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct listener;

/* `fd` is non-blocking and the callee's; `peer` is the client's address (AF_UNIX without a path for Unix sockets). */
typedef void listener_cb(int fd, const struct sockaddr_storage *peer, void *arg);

/* Opens what listen_addr, listen_port and unix_socket_dir say, or takes the sockets that systemd has opened instead. NULL: `error` says which address and why. */
struct listener *listener_open(const struct config *config, struct loop *loop, listener_cb *callback, void *arg,
	struct error *error) MUST_USE;
void listener_close(struct listener **listener);        /* Removes the Unix socket's file. NULL is fine. */

#endif
