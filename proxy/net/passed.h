/* Listening sockets that systemd opened for us (sd_listen_fds(3)). */
#ifndef PGWEIR_PASSED_H
#define PGWEIR_PASSED_H

#include <stddef.h>

/* Those that streams can be accepted on, made non-blocking, the caller's from now on; later calls find none. */
size_t passed_sockets(int *fds, size_t most);

#endif
