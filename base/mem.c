#include "pgweir/mem.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *memory)
{
	if (!memory) {
		fputs("pgweir: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *mem_alloc(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *mem_alloc_unset(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *mem_alloc_array(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size ? size : 1));
}

void *mem_alloc_aligned(size_t size)
{
	return memset(checked(aligned_alloc(64, (size + 63) / 64 * 64)), 0, size);
}

void *mem_realloc(void *memory, size_t size)
{
	return checked(realloc(memory, size ? size : 1));
}

void *mem_dup(const void *bytes, size_t size)
{
	void *copy = checked(malloc(size ? size : 1));

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

char *mem_strdup(const char *text)
{
	return text ? mem_dup(text, strlen(text) + 1) : NULL;
}

char *mem_strndup(const char *text, size_t size)
{
	char *copy = checked(malloc(size + 1));

	if (size)
		memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

char *mem_vprintf(const char *format, va_list args)
{
	char *text = NULL;
	int size = vasprintf(&text, format, args);

	return checked(size < 0 ? NULL : text);
}

char *mem_printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = mem_vprintf(format, args);
	va_end(args);
	return text;
}

void mem_free(void *memory)
{
	free(memory);
}

void mem_wipe(void *memory, size_t size)
{
	OPENSSL_cleanse(memory, size);
}

char *mem_secret_dup(const char *text)
{
	return mem_strdup(text);
}

void mem_secret_free(char *secret)
{
	if (!secret)
		return;
	mem_wipe(secret, strlen(secret));
	free(secret);
}

bool mem_equal_secret(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}

bool mem_equal_secret_text(const char *a, const char *b)
{
	size_t size = strlen(a);

	return size == strlen(b) && mem_equal_secret(a, b, size);
}

void mem_trim(void)
{
	malloc_trim(0);
}

uint64_t mem_resident_bytes(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!statm)
		return 0;
	if (fscanf(statm, "%*s %lu", &pages) != 1)
		pages = 0;
	fclose(statm);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
