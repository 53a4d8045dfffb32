#include "lag.h"

/* XLogLongPHD at the start of a segment, XLogShortPHD on every other page. No record can end right behind a short header,
 * since there a record's rest would lie; behind 40 bytes of an ordinary page one can. */
enum { LONG_HEADER_SIZE = 40, SHORT_HEADER_SIZE = 24 };

uint64_t lag_insert_position(uint64_t position, struct lag_wal wal)
{
	if (wal.segment_size && position % wal.segment_size == LONG_HEADER_SIZE)
		return position - LONG_HEADER_SIZE;
	if (wal.page_size && position % wal.page_size == SHORT_HEADER_SIZE)
		return position - SHORT_HEADER_SIZE;
	return position;
}

/* The older half loses every second one: what is far behind need not be told to the millisecond. */
static void thin_out(struct lag_samples *samples)
{
	size_t kept = 0, half = samples->count / 2;

	for (size_t i = 0; i < samples->count; i++)
		if (i >= half || i % 2 == 0)
			samples->all[kept++] = samples->all[i];
	samples->count = kept;
}

void lag_add(struct lag_samples *samples, uint64_t asked_us, uint64_t position)
{
	struct lag_sample *last = samples->count ? &samples->all[samples->count - 1] : NULL;

	/* The same position later: the later time is the better bound. */
	if (last && last->position == position) {
		last->asked_us = asked_us;
		return;
	}
	/* A position that goes back is another history's. */
	if (last && last->position > position)
		lag_forget(samples);
	if (samples->count == LAG_SAMPLES_MAX)
		thin_out(samples);
	samples->all[samples->count++] = (struct lag_sample){ asked_us, position };
}

void lag_forget(struct lag_samples *samples)
{
	samples->count = 0;
}

uint64_t lag_fresh_as_of(const struct lag_samples *samples, uint64_t replayed)
{
	for (size_t i = samples->count; i > 0; i--)
		if (samples->all[i - 1].position <= replayed)
			return samples->all[i - 1].asked_us;
	return 0;
}

uint64_t lag_bytes(const struct lag_samples *samples, uint64_t replayed)
{
	uint64_t last = samples->count ? samples->all[samples->count - 1].position : 0;

	return last > replayed ? last - replayed : 0;
}
