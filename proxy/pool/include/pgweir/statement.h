/* Prepared statements: what a Parse message says, shared between those for whom it means the same.
 *
 * A statement is interned in its pool under its text, its parameter types and whatever else its meaning depends on, and
 * has one name on every server connection of the pool. A name is what one client calls it. */
#ifndef PGWEIR_STATEMENT_H
#define PGWEIR_STATEMENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/check.h"
#include "pgweir/list.h"
#include "pgweir/map.h"

struct statement {
	_Atomic unsigned references;
	struct statement_table *table;
	uint64_t id;
	char server_name[24];           /* "pgweir_<id>" */
	_Atomic bool proven;            /* A server has taken it. */
	_Atomic bool outdated;          /* A server has said that its rows would look different now. */
	_Atomic uint32_t effects;       /* Of running it, for whoever prepares it to keep here. 0: not known yet. */
	_Atomic uint64_t harmless_for;  /* The list of functions (functions.h) by which it leaves nothing; 0: none known. */
	_Atomic uint64_t route;         /* What it is for routing, and by which knowledge; 0: not known yet. */
	size_t key_size;
	char *key;                      /* Under which it is interned. */
	size_t parse_size;
	char *parse;                    /* What follows the name in a Parse message: text, types. */
};

/* One per pool; any thread. */
struct statement_table {
	pthread_mutex_t mutex;
	struct map by_key;
};
void statement_table_init(struct statement_table *table);
void statement_table_fini(struct statement_table *table);

/* `scope` is what the meaning depends on beside text and types. Returns a reference. */
struct statement *statement_intern(struct statement_table *table, const void *scope, size_t scope_size,
	const char *parse, size_t parse_size) MUST_USE;
struct statement *statement_ref(struct statement *statement);
void statement_unref(struct statement **statement);

/* A client's name for a statement. Counted, on one worker: the client's map and outstanding requests hold references. */
struct statement_name {
	unsigned references;
	bool described;                 /* The client has been told what its rows look like. */
	bool described_alone;           /* … by a Describe of the statement, and so before it binds. */
	struct statement *statement;
	char text[];
};
struct statement_name *statement_name_new(const char *text, struct statement *statement) MUST_USE; /* Takes the reference. */
struct statement_name *statement_name_ref(struct statement_name *name);
void statement_name_unref(struct statement_name **name);

/* What one server connection has prepared. */
struct prepared {
	struct list lru;                /* Most recently used last. */
	struct map by_id;
};
void prepared_init(struct prepared *prepared);
void prepared_fini(struct prepared *prepared);
void prepared_clear(struct prepared *prepared);
size_t prepared_count(const struct prepared *prepared);
bool prepared_has(struct prepared *prepared, const struct statement *statement);        /* Also marks it as used. */
void prepared_add(struct prepared *prepared, struct statement *statement);
void prepared_remove(struct prepared *prepared, const struct statement *statement);
/* The least recently used one, or NULL. */
struct statement *prepared_oldest(const struct prepared *prepared);

#endif
