/* Memory. Running out of it is not an error value here: the process says so and aborts.
 *
 * Memory that held a secret is wiped when freed: allocate it with mem_secret_dup(), release it with
 * mem_secret_free(). */
#ifndef PGWEIR_MEM_H
#define PGWEIR_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"

#define NEW(type) ((type *)mem_alloc(sizeof(type)))
#define NEW_ARRAY(type, count) ((type *)mem_alloc_array((count), sizeof(type)))

void *mem_alloc(size_t size) MUST_USE __attribute__((malloc));          /* Zeroed. */
void *mem_alloc_unset(size_t size) MUST_USE __attribute__((malloc));    /* Not zeroed. */
void *mem_alloc_array(size_t count, size_t size) MUST_USE;                /* Zeroed; overflow aborts. */
void *mem_alloc_aligned(size_t size) MUST_USE;                               /* Zeroed, on a cache line of its own. */
void *mem_realloc(void *memory, size_t size) MUST_USE;
void *mem_dup(const void *bytes, size_t size) MUST_USE;
char *mem_strdup(const char *text) MUST_USE;                              /* NULL stays NULL. */
char *mem_strndup(const char *text, size_t size) MUST_USE;
char *mem_printf(const char *format, ...) MUST_USE PRINTF_LIKE(1, 2);
char *mem_vprintf(const char *format, va_list args) MUST_USE PRINTF_LIKE(1, 0);
void mem_free(void *memory);

/* Gives what is free back to the system, wherever it lies among what is in use: milliseconds for each ten megabytes, in which
 * whoever wants memory of the same arena has to wait. Not for workers. */
void mem_trim(void);
uint64_t mem_resident_bytes(void);       /* Of the process, as the kernel counts them; 0: it does not say. */

/* From now on, what this thread frees is wiped first, in every library, but for pieces of more than 64 KiB: for threads that
 * log in, which leave passwords in libraries that wipe nothing. False: this build cannot, since a sanitizer has its own free(). */
bool mem_wipe_freed(void);
void mem_wipe(void *memory, size_t size);
char *mem_secret_dup(const char *text) MUST_USE;                          /* NULL stays NULL. */
void mem_secret_free(char *secret);                                       /* Wipes up to the NUL. NULL is fine. */
bool mem_equal_secret(const void *a, const void *b, size_t size) MUST_USE; /* Constant time. */
bool mem_equal_secret_text(const char *a, const char *b) MUST_USE;        /* Constant time in the contents. */

#endif
