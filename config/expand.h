/* Values as they are written: quotes, comments, and the environment. */
#ifndef PGWEIR_EXPAND_H
#define PGWEIR_EXPAND_H

#include <stdbool.h>

#include "pgweir/buf.h"
#include "pgweir/error.h"

/* Stands for a semicolon inside quotes while a line passes through inih, which would start a comment there. The reader
 * refuses it in files. */
enum { HIDDEN_SEMICOLON = '\x01' };

/* What the lines of a value have shown so far. A value is quoted on all of its lines or on none, so that quotes in the
 * middle of a query stay what they are. */
enum value_form {
	VALUE_EMPTY,
	VALUE_PLAIN,
	VALUE_QUOTED,
};

/* Cuts a comment (a `;` after a blank) off a line of a value in place, hides the semicolons inside quotes, and notes the
 * form. Fails where a quote is not closed, something follows it, or the form changes. */
bool value_cut_comment(char *text, enum value_form *form, struct error *error) MUST_USE;
/* Undoes the quotes of a line of the form VALUE_QUOTED, in place; leaves other text alone. */
void value_unquote(char *text);
/* Appends `text` with ${NAME} replaced by the environment's value and $$ by a dollar sign. `literal` tells whether
 * anything but the environment went into it. */
bool value_expand(const char *text, struct buf *out, bool *literal, struct error *error) MUST_USE;
/* `text` as it can stand in a file: quoted where that is needed, dollar signs doubled. */
void value_write(const char *text, struct buf *out);

#endif
