/* Words and quoted names, spelled sixteen bytes at a time. */
#ifndef PGWEIR_LEXER_BLOCKS_H
#define PGWEIR_LEXER_BLOCKS_H

#ifdef __SSE2__
#include <emmintrin.h>

#include "scan_internal.h"

static const uint8_t first_bytes[32] = { [0 ... 15] = 0xff };

static inline __m128i bytes_between(__m128i block, char least, char most)
{
	__m128i high_enough = _mm_cmpgt_epi8(block, _mm_set1_epi8((char)(least - 1)));

	return _mm_and_si128(high_enough, _mm_cmplt_epi8(block, _mm_set1_epi8((char)(most + 1))));
}

/* The bytes of the block before the first of which `good` has no sign bit: how many, and as a spelling. */
static inline unsigned spell_block(__m128i lower, __m128i good, struct scan_spelling *spelling)
{
	unsigned size = (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(good));
	__m128i spelled = _mm_and_si128(lower, _mm_loadu_si128((const void *)(first_bytes + 16 - size)));

	spelling->low = (uint64_t)_mm_cvtsi128_si64(spelled);
	spelling->high = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(spelled, spelled));
	return size;
}

/* 16 if the block has no quote. */
static inline unsigned lexer_block_quoted(const char *at, struct scan_spelling *spelling)
{
	__m128i block = _mm_loadu_si128((const void *)at);
	__m128i quotes = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));

	return spell_block(_mm_or_si128(block, _mm_set1_epi8(' ')), _mm_andnot_si128(quotes, _mm_set1_epi8(-1)), spelling);
}

/* 16 if all bytes of the block belong to a word. */
static inline unsigned lexer_block_word(const char *at, struct scan_spelling *spelling)
{
	__m128i block = _mm_loadu_si128((const void *)at);
	__m128i lower = _mm_or_si128(block, _mm_set1_epi8(' '));
	__m128i letters = bytes_between(lower, 'a', 'z'), digits = bytes_between(block, '0', '9');
	__m128i others = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('_')), _mm_cmpeq_epi8(block, _mm_set1_epi8('$')));
	__m128i good = _mm_or_si128(_mm_or_si128(letters, digits), _mm_or_si128(others, block));        /* The sign bit counts. */
	return spell_block(lower, good, spelling);
}
#endif

#endif
