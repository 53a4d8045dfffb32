/* Values as they are written: quotes, comments, and the environment. */
#ifndef PGWEIR_EXPAND_H
#define PGWEIR_EXPAND_H

#include <stdbool.h>

#include "pgweir/buf.h"
#include "pgweir/error.h"

/* Stands for a semicolon inside quotes while a line passes through inih, which would start a comment there. The reader
 * refuses it in files. */
enum { HIDDEN_SEMICOLON = '\x01' };

/* Cuts a comment (a `;` after a blank) off `text` in place and hides the semicolons inside a quoted value. Fails where a
 * quote is not closed or something follows it. */
bool value_cut_comment(char *text, struct error *error) MUST_USE;
/* Undoes the quotes of what value_cut_comment() let pass, in place. True if there were any. */
bool value_unquote(char *text);
/* Appends `text` with ${NAME} replaced by the environment's value and $$ by a dollar sign. `literal` tells whether
 * anything but the environment went into it. */
bool value_expand(const char *text, struct buf *out, bool *literal, struct error *error) MUST_USE;
/* `text` as it can stand in a file: quoted where that is needed, dollar signs doubled. */
void value_write(const char *text, struct buf *out);

#endif
