/* A text scanned in every way that it may come; all must tell the same. */
#ifndef PGWEIR_SCAN_FIXTURE_H
#define PGWEIR_SCAN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/mem.h"
#include "pgweir/scan.h"

struct scanned {
	uint32_t effects, statements, facts;
	struct scan_names names;
	char calls[512];        /* "f g " */
	char mentions[512];     /* All names. */
};

/* Whole, byte by byte, and cut in two at every place; fails if they differ. */
struct scanned scan_every_way(const char *text, size_t size, unsigned flags);

/* A scan_called_cb: adds to the mentions of a struct scanned. */
void scan_note_mention(const char *name, size_t size, void *arg);

struct scan_row {
	const char *text;
	uint32_t effects;
	const char *names;      /* "a,*,b,$1"; NULL is none. "!" at the end: some were lost. */
	unsigned flags;
};
void scan_expect_rows(const struct scan_row *rows, size_t count);
#define EXPECT_ROWS(rows) scan_expect_rows(rows, ARRAY_LEN(rows))

#endif
