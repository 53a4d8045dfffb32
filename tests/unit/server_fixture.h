/* A scripted PostgreSQL server on loopback, and a target that leads to it. */
#ifndef SERVER_FIXTURE_H
#define SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgweir/mem.h"
#include "pgweir/server.h"

/* Serves one connection on a thread of its own; the socket is closed when it returns. A script CHECKs, since a test's
 * assertions belong to the test's thread. */
typedef void fake_script(int fd);

enum { FAKE_PID = 4711 };
extern const char fake_key[4];

bool fake_read(int fd, void *bytes, size_t size);
void fake_read_startup(int fd, struct buf *packet);     /* Also SSLRequest and CancelRequest. */
void fake_read_message(int fd, char type, struct buf *body);
void fake_send(int fd, const void *bytes, size_t size);
void fake_send_buf(int fd, struct buf *out);            /* Empties it. */
void fake_put_welcome(struct buf *out);                 /* AuthenticationOk to ReadyForQuery. */
void fake_trust(int fd);                                /* Takes the startup packet and lets everybody in. */
void fake_wait_end(int fd);                             /* Until the other side closes. */

/* --- The test's side --- */

/* `database_lines` goes into [database app], `pgweir_lines` into [pgweir]; either may be NULL. */
void fixture_start(fake_script *script, const char *pgweir_lines, const char *database_lines);
/* As above, but the target leads to `host` (NULL: loopback) and `port` (0: the scripted server's). */
void fixture_start_at(fake_script *script, const char *host, uint16_t port, const char *pgweir_lines,
	const char *database_lines);
void fixture_stop(void);                                /* Waits for the scripts. */
void fixture_stop_worker(void);                         /* The thread that waits for replies, ahead of the rest. */
void fixture_wait_for_scripts(void);                    /* Until no script runs. */

struct server_target *fixture_target(void);             /* For changes before the first opening. */
void fixture_login_state(const char *name, const char *value);
struct loop *fixture_loop(void);                        /* Where replies are wanted. */
uint16_t fixture_port(void);
unsigned fixture_connections(void);                     /* How many the scripted server has had. */
uint16_t fixture_closed_port(void);                     /* One that nobody listens on. */

void fixture_open_start(void);
/* Opens and waits; what comes back is the fixture's. */
const struct server_opened *fixture_open(void);
const struct server_opened *fixture_opened(void);       /* Waits for fixture_open_start()'s answer. */
struct server *fixture_take(void);                      /* The last opening's connection is the test's now. */
unsigned fixture_answers(void);

#endif
