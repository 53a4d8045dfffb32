/* Keys that people who come from PgBouncer look for in vain. */
#ifndef PGWEIR_CONFIG_ABSENT_H
#define PGWEIR_CONFIG_ABSENT_H

#include <stdbool.h>

struct config_absent {
	const char *section;            /* The word in the section's header, as in "database". */
	const char *key;
	const char *why;                /* For people. */
	bool matters;                   /* Who has it switched on must decide what to do without it. */
};

/* NULL: PgBouncer has no such key, or pgweir has it too. */
const struct config_absent *config_absent_find(const char *section, const char *key);

#endif
