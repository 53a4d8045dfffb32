#include "pgweir/nearest.h"

#include <string.h>

enum { LOOKED_AT_MAX = 63 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edit distance with swapped neighbours as one step; both texts are looked at up to LOOKED_AT_MAX bytes. */
static size_t distance_of(const char *a, const char *b)
{
	size_t rows[3][LOOKED_AT_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t a_size = strnlen(a, LOOKED_AT_MAX), b_size = strnlen(b, LOOKED_AT_MAX);

	for (size_t j = 0; j <= b_size; j++)
		row[j] = j;
	memcpy(above, row, sizeof(rows[0]));
	for (size_t i = 1; i <= a_size; i++) {
		size_t *reused = before;

		before = above;
		above = row;
		row = reused;
		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min3(row[j], before[j - 2] + 1, row[j]);
		}
	}
	return row[b_size];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t size = strlen(nearest->wanted), candidate_size = strlen(candidate);
	size_t bound = 1 + size / 4;

	if (candidate_size > size + bound || size > candidate_size + bound)
		return;
	size_t distance = distance_of(nearest->wanted, candidate);

	if (distance > bound || (nearest->best && distance >= nearest->best_distance))
		return;
	nearest->best = candidate;
	nearest->best_distance = distance;
}
