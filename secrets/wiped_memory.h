/* Allocators for libraries that will not wipe what they free: libcurl and jansson hold secrets for a while. */
#ifndef PGWEIR_SECRETS_WIPED_MEMORY_H
#define PGWEIR_SECRETS_WIPED_MEMORY_H

/* Before the first use of either; any number of times, from any thread. */
void wiped_memory_install(void);
/* For what such a library gave away, e.g. json_dumps(). NULL is fine. */
void wiped_memory_free(void *memory);

#endif
