#include "pgweir/requests.h"

#include "pgweir/mem.h"

enum { REQUESTS_FIRST_CAPACITY = 8 };

const struct request requests_none = { .kind = REQUEST_NONE };

void requests_fini(struct requests *requests)
{
	while (requests->count)
		requests_pop(requests);
	mem_free(requests->ring);
	*requests = (struct requests){ 0 };
}

void requests_grow(struct requests *requests)
{
	uint32_t capacity = requests->capacity ? requests->capacity * 2 : REQUESTS_FIRST_CAPACITY;
	struct request *ring = NEW_ARRAY(struct request, capacity);

	for (uint32_t i = 0; i < requests->count; i++)
		ring[i] = *requests_at(requests, i);
	mem_free(requests->ring);
	requests->ring = ring;
	requests->capacity = capacity;
	requests->head = 0;
}

void requests_remove(struct requests *requests, uint32_t i)
{
	CHECK(i < requests->count);
	requests->syncs -= requests_at(requests, i)->kind == REQUEST_SYNC;
	requests->naming -= request_names(requests_at(requests, i));
	statement_name_unref(&requests_at(requests, i)->name);
	for (; i + 1 < requests->count; i++)
		*requests_at(requests, i) = *requests_at(requests, i + 1);
	requests->count--;
}

uint32_t requests_until_sync(const struct requests *requests)
{
	uint32_t i = 0;

	while (i < requests->count && requests_at(requests, i)->kind != REQUEST_SYNC)
		i++;
	return i;
}
