/* Socket options and addresses. */
#ifndef PGWEIR_SOCKET_H
#define PGWEIR_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "pgweir/config.h"

/* TCP_NODELAY, keepalive and TCP_USER_TIMEOUT as configured. Nothing for Unix sockets. */
void socket_tune(int fd, const struct config *config);

/* A non-blocking connect. Returns the descriptor, or -1 with errno. */
int socket_connect(const struct sockaddr_storage *address, socklen_t size);
int socket_pending_error(int fd);               /* SO_ERROR: 0 once connected. */

enum { SOCKET_ADDRESS_MAX = 80 };
/* "10.0.0.1:5432", "[::1]:5432", or "unix". */
void socket_address_text(const struct sockaddr_storage *address, char *text, size_t size);
void socket_host_text(const struct sockaddr_storage *address, char *text, size_t size);
int socket_port(const struct sockaddr_storage *address);

#endif
