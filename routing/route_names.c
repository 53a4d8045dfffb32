/* Names of a database by their hashes, in one table that is probed linearly.
 *
 * Failure story: none; a hash that two names share makes one of them unsafe at worst. */
#include "pgweir/route_names.h"

#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"

/* In the low bits of a slot; the rest is the hash's. */
enum { KNOWN = 1, UNSAFE = 2, RELATION = 4, MARKS = 7, SLOTS_MIN = 1024 };

struct route_names {
	uint64_t *slots;                /* 0: empty. */
	size_t slot_count, used;        /* A power of two. */
	struct scan_filter filter;
	struct buf operators;           /* Each with its size in front. */
	bool everywhere;
};

struct route_names *route_names_new(void)
{
	struct route_names *names = NEW(struct route_names);

	names->slot_count = SLOTS_MIN;
	names->slots = NEW_ARRAY(uint64_t, names->slot_count);
	return names;
}

void route_names_free(struct route_names **names)
{
	struct route_names *gone = *names;

	*names = NULL;
	if (!gone)
		return;
	buf_fini(&gone->operators);
	mem_free(gone->slots);
	mem_free(gone);
}

/* The slot that has it, or the empty one where it belongs. */
static uint64_t *find(const struct route_names *names, uint64_t hash)
{
	size_t at = (hash >> 3) & (names->slot_count - 1);

	while (names->slots[at] && (names->slots[at] & ~(uint64_t)MARKS) != hash)
		at = (at + 1) & (names->slot_count - 1);
	return &names->slots[at];
}

/* Never 0, which marks a slot that is empty: a slot in use has a mark. */
static uint64_t hash_of(const char *name, size_t size)
{
	return map_hash(name, size) & ~(uint64_t)MARKS;
}

static void grow(struct route_names *names)
{
	uint64_t *old = names->slots;
	size_t old_count = names->slot_count;

	names->slot_count *= 2;
	names->slots = NEW_ARRAY(uint64_t, names->slot_count);
	for (size_t i = 0; i < old_count; i++)
		if (old[i])
			*find(names, old[i] & ~(uint64_t)MARKS) = old[i];
	mem_free(old);
}

static void add(struct route_names *names, const char *name, size_t size, uint64_t marks)
{
	if (names->used + names->used / 2 >= names->slot_count)
		grow(names);
	uint64_t hash = hash_of(name, size);
	uint64_t *slot = find(names, hash);

	names->used += *slot == 0;
	*slot |= hash | marks;
}

void route_names_add_function(struct route_names *names, const char *name, size_t size, bool safe)
{
	add(names, name, size, safe ? KNOWN : KNOWN | UNSAFE);
}

void route_names_add_relation(struct route_names *names, const char *name, size_t size)
{
	add(names, name, size, RELATION);
	scan_filter_add(&names->filter, name, size);
}

/* What IN, BETWEEN, DISTINCT, ORDER BY, JOIN … USING, LIKE and their like call. */
static bool is_used_unseen(const char *name, size_t size)
{
	static const char *const unseen[] = { "=", "<>", "<", ">", "<=", ">=", "~", "!~", "~~", "!~~", "~~*", "!~~*", "~<=~" };

	for (size_t i = 0; i < ARRAY_LEN(unseen); i++)
		if (strlen(unseen[i]) == size && memcmp(unseen[i], name, size) == 0)
			return true;
	return false;
}

void route_names_add_operator(struct route_names *names, const char *name, size_t size)
{
	if (size == 0 || size > UINT8_MAX || is_used_unseen(name, size)) {
		names->everywhere = true;
		return;
	}
	buf_append_char(&names->operators, (char)size);
	buf_append(&names->operators, name, size);
}

void route_names_set_unsafe_everywhere(struct route_names *names)
{
	names->everywhere = true;
}

enum route_function route_names_function(const struct route_names *names, const char *name, size_t size)
{
	uint64_t slot = *find(names, hash_of(name, size));

	if (!(slot & KNOWN))
		return ROUTE_FUNCTION_UNKNOWN;
	return slot & UNSAFE ? ROUTE_FUNCTION_UNSAFE : ROUTE_FUNCTION_SAFE;
}

bool route_names_has_relation(const struct route_names *names, const char *name, size_t size)
{
	return *find(names, hash_of(name, size)) & RELATION;
}

/* An operator's characters stand together in any text that uses it. */
bool route_names_text_has_operator(const struct route_names *names, const char *text, size_t size)
{
	for (size_t at = 0; at < names->operators.size;) {
		size_t length = (uint8_t)names->operators.bytes[at++];

		if (memmem(text, size, names->operators.bytes + at, length))
			return true;
		at += length;
	}
	return false;
}

bool route_names_unsafe_everywhere(const struct route_names *names)
{
	return names->everywhere;
}

const struct scan_filter *route_names_filter(const struct route_names *names)
{
	return &names->filter;
}
