/* Inside literals: to their end as fast as can be, with an eye for the words of time.
 *
 * `now`, `today`, `tomorrow` and `yesterday` count in a literal of any length (a range's or an array's end may be one), so
 * the last eight bytes are kept in a window. Only behind `ow` and `ay` need it be looked at. */
#include "scan_internal.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LOWER_CASE 0x2020202020202020u

static bool is_letter(uint64_t byte)
{
	return byte >= 'a' && byte <= 'z';
}

/* The window ends in `size` bytes of `word`, and no letter is before them. */
static bool ends_in_word(uint64_t window, uint64_t word, unsigned size)
{
	return (window & ((1ull << (8 * size)) - 1)) == word && !is_letter(window >> (8 * size) & 0xff);
}

static void look(struct scan *scan)
{
	uint64_t window = scan->window;

	if (ends_in_word(window, 0x6e6f77, 3) || ends_in_word(window, 0x746f646179, 5)
		|| window == 0x746f6d6f72726f77 || window == 0x6573746572646179)        /* tomorrow, (y)esterday */
		scan->effects |= SCAN_TIME_LITERAL;
}

static void take(struct scan *scan, uint8_t byte)
{
	byte |= ' ';
	scan->window = scan->window << 8 | byte;
	if (byte == 'w' || byte == 'y')
		look(scan);
}

void scan_literals_take(struct scan *scan, char byte)
{
	take(scan, (uint8_t)byte);
}

#ifdef __SSE2__
enum { BLOCK = 16 };

static uint64_t load_backwards(const char *at)
{
	uint64_t bytes;

	memcpy(&bytes, at, sizeof(bytes));
	return __builtin_bswap64(bytes) | LOWER_CASE;
}

/* Moves the window over the first `size` bytes of a block, at most 16. */
static void slide(struct scan *scan, const char *block, unsigned size)
{
	if (size >= 8)
		scan->window = load_backwards(block + size - 8);
	else if (size > 0)
		scan->window = scan->window << (8 * size) | load_backwards(block) >> (64 - 8 * size);
}

static __m128i equals(__m128i block, char byte)
{
	return _mm_cmpeq_epi8(block, _mm_set1_epi8(byte));
}

/* Where the block has a byte to stop at, or the last letter of `ow` or `ay`. */
static unsigned find(const struct scan *scan, const char *at, char stop, char escape)
{
	__m128i block = _mm_loadu_si128((const void *)at);
	__m128i lower = _mm_or_si128(block, _mm_set1_epi8(' '));
	__m128i before = _mm_or_si128(_mm_slli_si128(lower, 1), _mm_cvtsi32_si128((int)(scan->window & 0xff)));
	__m128i ow = _mm_and_si128(equals(before, 'o'), equals(lower, 'w'));
	__m128i ay = _mm_and_si128(equals(before, 'a'), equals(lower, 'y'));
	__m128i stops = _mm_or_si128(equals(block, stop), equals(block, escape));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(stops, _mm_or_si128(ow, ay)));
}

static const char *skip_blocks(struct scan *scan, const char *at, const char *end, char stop, char escape)
{
	while (end - at >= BLOCK) {
		unsigned found = find(scan, at, stop, escape);
		unsigned size = found ? (unsigned)__builtin_ctz(found) : BLOCK;

		slide(scan, at, size);
		at += size;
		if (!found)
			continue;
		if (*at == stop || *at == escape)
			return at;
		take(scan, (uint8_t)*at++);
	}
	return at;
}
#else
static const char *skip_blocks(struct scan *scan, const char *at, const char *end, char stop, char escape)
{
	(void)scan, (void)end, (void)stop, (void)escape;
	return at;
}
#endif

const char *scan_literals_skip(struct scan *scan, const char *at, const char *end, char stop, char escape)
{
	at = skip_blocks(scan, at, end, stop, escape);
	for (; at < end && *at != stop && *at != escape; at++)
		take(scan, (uint8_t)*at);
	return at;
}
