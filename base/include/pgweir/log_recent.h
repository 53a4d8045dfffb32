/* The last events of the log that somebody may want to see later: warnings, errors, and what log_notable() says.
 *
 * A bounded ring. An event that differs from a recent one in nothing but the client's address counts as that one again,
 * so that no client can push the others out by itself. Any thread. */
#ifndef PGWEIR_LOG_RECENT_H
#define PGWEIR_LOG_RECENT_H

#include <stdint.h>

#include "pgweir/log.h"

enum { LOG_RECENT_MAX = 200 };

struct log_recent {
	int64_t first_us, last_us;      /* As clock_wall_us(). */
	enum log_level level;
	unsigned count;
	const char *event;
	const char *detail;             /* The fields of the latest, as in the log's text form; "" without any. */
};

/* As log_write(), whatever the threshold is. */
void log_recent_keep(enum log_level level, const char *event, const struct log_field *fields);

/* Newest first. Called with the ring locked: `visit` must not log. */
typedef void log_recent_cb(const struct log_recent *recent, void *arg);
void log_recent_foreach(log_recent_cb *visit, void *arg);
void log_recent_clear(void);            /* For tests. */

#endif
