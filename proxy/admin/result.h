/* The rows of an answer, made column by column against a declared table.
 *
 * A result is built where the facts are: on a worker during its part of a tour, or on the control thread. One thread
 * at a time. */
#ifndef PGWEIR_ADMIN_RESULT_H
#define PGWEIR_ADMIN_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/check.h"

enum column_type { COLUMN_TEXT, COLUMN_INT8 };

struct column {
	const char *name;
	enum column_type type;
};

struct table {
	const struct column *columns;
	size_t count;                   /* At most TABLE_COLUMNS_MAX. */
};

enum { TABLE_COLUMNS_MAX = 64 };

struct result {
	const struct table *table;
	uint64_t binary;                /* A bit for each column that the client wants in binary. */
	struct buf rows;                /* DataRow messages. */
	size_t begun;                   /* Where the length word of the row at hand lies. */
	unsigned column;                /* The next one of that row. */
	size_t count;                   /* Rows that are complete. */
};

void result_init(struct result *result, const struct table *table, uint64_t binary);
void result_fini(struct result *result);

/* result_begin(), one call for each column in its order and of its type, result_end(). */
void result_begin(struct result *result);
void result_text(struct result *result, const char *text);     /* NULL is the NULL of SQL. */
void result_printf(struct result *result, const char *format, ...) PRINTF_LIKE(2, 3);
void result_int(struct result *result, int64_t value);
void result_null(struct result *result);
void result_end(struct result *result);

/* Appends a RowDescription. */
void result_put_description(const struct table *table, uint64_t binary, struct buf *out);
/* Appends rows from byte `from` on, at most `most` of them (0: all). Returns where the next one begins. */
size_t result_put_rows(const struct result *result, size_t from, uint32_t most, struct buf *out);

#endif
