/* A command that prints something: run without a shell, on a loop, within a time. */
#ifndef PGWEIR_SECRETS_PROCESS_H
#define PGWEIR_SECRETS_PROCESS_H

#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct process;

enum { PROCESS_OUTPUT_MAX = 64 * 1024 };

/* Once, on the loop, never from within process_start(), not after process_cancel(). `error` NULL: it ended well, and has
 * printed `output`, which is wiped after the call. */
typedef void process_cb(const struct buf *output, const struct error *error, void *arg);

/* The words of `command` as a shell would take them apart, with quotes and backslashes, and without its other tricks. */
struct process *process_start(struct loop *loop, const char *command, uint64_t timeout_ms, process_cb *callback, void *arg)
	MUST_USE;
void process_cancel(struct process **process);          /* NULL is fine. Kills it. */

#endif
