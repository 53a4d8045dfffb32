/* Coarse timers by the thousand: a hashed wheel with slots of WHEEL_SLOT_MS.
 *
 * An entry fires once, between its deadline and a slot later. Nothing is paid per query: owners keep a time stamp,
 * let the entry fire, and set it again when there is time left. */
#ifndef PGWEIR_WHEEL_H
#define PGWEIR_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/list.h"

enum { WHEEL_SLOT_MS = 50, WHEEL_SLOTS = 1024 };

struct wheel_entry;
typedef void wheel_cb(struct wheel_entry *entry);

struct wheel_entry {
	struct list link;
	uint64_t deadline_ms;
	wheel_cb *callback;
};

struct wheel {
	struct list slots[WHEEL_SLOTS];
	uint64_t now_slot;
};

void wheel_init(struct wheel *wheel, uint64_t now_ms);
void wheel_entry_init(struct wheel_entry *entry, wheel_cb *callback);
bool wheel_entry_armed(const struct wheel_entry *entry);
void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t deadline_ms);  /* Moves an armed one. */
void wheel_cancel(struct wheel_entry *entry);                                            /* Fine if not armed. */
void wheel_advance(struct wheel *wheel, uint64_t now_ms);                                /* Fires what is due. */

#endif
