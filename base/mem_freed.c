/* The process's free().
 *
 * Failure story: libpq, libcurl, OpenSSL and the C library copy passwords and do not wipe them, and most offer no allocator to
 * choose. So what a thread frees that has said so is wiped here, whoever calls, and handed to the allocator that is next in
 * line, be it the C library's or one that is preloaded. Threads that have not said so, the workers above all, pay for one
 * comparison. No library keeps a password in more than a few pages, so larger pieces, of which a page of metrics takes many,
 * go as they are; those of our own that hold secrets are wiped by whoever frees them. What realloc() leaves behind is not seen
 * here. A sanitizer has a free() of its own, and keeps it. */
#include "pgweir/mem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OWN_FREE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_OWN_FREE 1
#endif
#endif

#ifdef HAS_OWN_FREE

bool mem_wipe_freed(void)
{
	return false;
}

#else

#include <dlfcn.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

typedef void free_function(void *memory);

enum { LARGEST = 65536 };

static _Thread_local bool wipes;

bool mem_wipe_freed(void)
{
	return wipes = true;
}

/* From the first free() on, which may come before main(). Threads that find it at once find the same. */
static free_function *next_free(void)
{
	static _Atomic(free_function *) known;
	free_function *next = atomic_load_explicit(&known, memory_order_relaxed);

	if (next)
		return next;
	/* POSIX's way around the rule that C has no pointers to functions among those to data. */
	*(void **)(&next) = dlsym(RTLD_NEXT, "free");
	atomic_store_explicit(&known, next, memory_order_relaxed);
	return next;
}

void free(void *memory)         /* lint: allocators, this is one. lint: symbol-prefix, it is C's. */
{
	size_t size = memory && wipes ? malloc_usable_size(memory) : 0;

	if (size && size <= LARGEST)
		explicit_bzero(memory, size);
	next_free()(memory);
}

#endif
