#include "pace.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t pace_after_answer_ms(const struct pace *pace)
{
	uint64_t hasty_ms = most(pace->interval_ms / PACE_HASTE, PACE_HASTY_MS);

	return pace->hasty ? least(hasty_ms, pace->interval_ms) : pace->interval_ms;
}

/* The same pace while failures still have to agree, then twice as long each time. */
uint64_t pace_after_failure_ms(const struct pace *pace, unsigned failures, bool blind)
{
	uint64_t interval_ms = blind ? pace->interval_ms : pace_after_answer_ms(pace);
	uint64_t longest_ms = blind ? PACE_BLIND_MS : pace->hasty ? PACE_DOWN_HASTY_MS : PACE_DOWN_MS;
	unsigned beyond = failures < pace->agreement ? 0 : failures - pace->agreement + 1;
	uint64_t delay_ms = beyond < 16 ? interval_ms << beyond : UINT64_MAX;

	return least(delay_ms, most(longest_ms, interval_ms));
}
