/* A file under way to sections. */
#ifndef PGWEIR_READER_H
#define PGWEIR_READER_H

#include <sys/types.h>

#include "expand.h"
#include "source.h"

enum line_place {
	LINE_OUTSIDE,                  /* No key since the section's header: an indented line is a key. */
	LINE_IN_VALUE,                 /* An indented line continues the value. */
	LINE_IN_BAD_VALUE,             /* The same, but the key was refused: skip. */
};

struct reader {
	struct source *source;
	struct reader *outer;          /* The file that includes this one. */
	const char *path;
	char *at, *end;                /* What is left of the text. */
	mode_t mode;                   /* Of the file; 0 for text from memory. */
	bool mode_reported;
	unsigned depth;
	struct place place;
	struct section *section;       /* NULL before the first header and after a bad one. */
	bool in_bad_section;
	enum line_place line_place;
	bool continues;                /* The line that inih has now goes on with the value. */
	/* The key whose value is being gathered. */
	const struct setting *setting; /* NULL: none. */
	char *key;
	struct place key_place;
	struct buf value;
	enum value_form form;
};

/* Reads all of `bytes`, which are changed meanwhile and have room for a NUL behind `size`. `path` outlives the source's
 * places; `section` is where keys before the first header go. */
void reader_bytes(struct source *source, struct reader *outer, const char *path, char *bytes, size_t size, mode_t mode,
	struct section *section);
void reader_finish_value(struct reader *reader);
/* `text` is what follows %include. An included file starts in the section that the line stands in, and the line that
 * follows it is in that section again. */
void reader_include(struct reader *reader, char *text);

#endif
