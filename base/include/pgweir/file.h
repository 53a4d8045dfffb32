/* Files that are read and replaced as a whole. Both block; false leaves the reason in `errno`. */
#ifndef PGWEIR_FILE_H
#define PGWEIR_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/buf.h"

/* Appends what is left of an open file. EFBIG: that is more than `most` bytes. What was read is in `text` in any case. */
bool file_read(int fd, size_t most, struct buf *text);

/* Written beside it, brought to the disk and renamed: a crash leaves the one or the other. Who may read what is there, at
 * most its owner and group, may read what takes its place; a new file is its owner's alone. */
bool file_replace(const char *path, const char *bytes, size_t size);

#endif
