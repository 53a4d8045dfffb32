/* How long until the next look at a host. No clock. */
#ifndef PGWEIR_PACE_H
#define PGWEIR_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PACE_HASTE = 5,                 /* So many times as often while something is not as it should be, */
	PACE_HASTY_MS = 20,             /* but not more often than this. */
	PACE_DOWN_MS = 2000,            /* The longest wait for a host that is down, */
	PACE_DOWN_HASTY_MS = 250,       /* while the cluster needs it, */
	PACE_BLIND_MS = 30000,          /* and for one that refuses us: it may count refusals. */
};

struct pace {
	uint64_t interval_ms;           /* As configured: the longest time between looks at a host that answers. */
	unsigned agreement;
	bool hasty;                     /* The cluster has no primary, or somebody has seen something odd. */
};

uint64_t pace_after_answer_ms(const struct pace *pace);
/* `failures` in a row, this one included; `blind`: a refusal. */
uint64_t pace_after_failure_ms(const struct pace *pace, unsigned failures, bool blind);

#endif
