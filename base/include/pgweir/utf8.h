/* Characters of UTF-8. */
#ifndef PGWEIR_UTF8_H
#define PGWEIR_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Size and code point of the character at `text`, which ends with a NUL; 0 if there is none (RFC 3629: shortest form, no
 * surrogates). */
size_t utf8_char(const char *text, uint32_t *code);

#endif
