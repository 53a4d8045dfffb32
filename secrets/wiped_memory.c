#include "wiped_memory.h"

#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pgweir/mem.h"

/* Its size stands before each piece, as aligned as the piece must be. */
struct piece {
	_Alignas(max_align_t) size_t size;
};

static void *allocate(size_t size)
{
	struct piece *piece = mem_alloc(sizeof(*piece) + size);

	piece->size = size;
	return piece + 1;
}

void wiped_memory_free(void *memory)
{
	struct piece *piece = memory ? (struct piece *)memory - 1 : NULL;

	if (!piece)
		return;
	mem_wipe(memory, piece->size);
	mem_free(piece);
}

static void *allocate_array(size_t count, size_t size)
{
	CHECK(!size || count <= SIZE_MAX / 2 / size);
	return allocate(count * size);
}

static void *reallocate(void *memory, size_t size)
{
	const struct piece *piece = memory ? (struct piece *)memory - 1 : NULL;
	void *other = allocate(size);

	if (piece)
		memcpy(other, memory, piece->size < size ? piece->size : size);
	wiped_memory_free(memory);
	return other;
}

static char *duplicate(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(allocate(size), text, size);
}

static void install(void)
{
	json_set_alloc_funcs(allocate, wiped_memory_free);
	CHECK(curl_global_init_mem(CURL_GLOBAL_DEFAULT, allocate, wiped_memory_free, reallocate, duplicate, allocate_array) == CURLE_OK);
}

void wiped_memory_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
