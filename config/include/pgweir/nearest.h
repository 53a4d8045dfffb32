/* The word somebody probably meant. */
#ifndef PGWEIR_NEAREST_H
#define PGWEIR_NEAREST_H

#include <stddef.h>

/* Keeps the best of the candidates shown to it. Start zeroed, with `wanted` set. */
struct nearest {
	const char *wanted;
	const char *best;        /* NULL while nothing was near enough. */
	size_t best_distance;
};

void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
