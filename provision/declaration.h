/* What a [provision] section asks for, ready to be compared with what a server has.
 *
 * Privileges are sets of bits; which object takes which, and what a profile means, stands in the tables of
 * declaration.c and nowhere else. Nothing here talks to a server. */
#ifndef PGWEIR_PROVISION_DECLARATION_H
#define PGWEIR_PROVISION_DECLARATION_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/config.h"
#include "pgweir/error.h"

enum object_kind {
	OBJECT_DATABASE,
	OBJECT_SCHEMA,
	OBJECT_TABLE,
	OBJECT_SEQUENCE,
	OBJECT_FUTURE_TABLES,           /* Default privileges of one owner in one schema. */
	OBJECT_FUTURE_SEQUENCES,
	OBJECT_KIND_COUNT,
};

struct names {
	char **items;
	size_t count;
};

struct declaration {
	const struct config_provision *section;
	uint32_t privileges[OBJECT_KIND_COUNT];
	bool replication;
	struct names databases, schemas, owners, member_of, settings;
};

/* False: the section asks for what does not exist. `declaration` is to be freed either way. */
bool declaration_make(const struct config_provision *section, struct declaration *declaration, struct error *error) MUST_USE;
void declaration_fini(struct declaration *declaration);

void names_add(struct names *names, const char *name);         /* Copied. */
bool names_have(const struct names *names, const char *name);
void names_fini(struct names *names);

/* "SELECT,INSERT" to bits; words that it does not know count for nothing. */
uint32_t declaration_privileges(const char *words);
/* ", "-separated, in the order of the manual. */
void declaration_append_privileges(struct buf *text, uint32_t privileges);
const char *declaration_kind_word(enum object_kind kind);

#endif
