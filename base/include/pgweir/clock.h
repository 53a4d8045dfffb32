/* The one source of time. A test replaces it with clock_fake(). */
#ifndef PGWEIR_CLOCK_H
#define PGWEIR_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

uint64_t clock_now_us(void);          /* Monotonic, precise. */
uint64_t clock_now_ms(void);
int64_t clock_wall_us(void);          /* Since 1970, for people and for AWS. */

void clock_fake(uint64_t now_us);     /* From now on time stands at `now_us`; 0 returns to real time. */

#endif
