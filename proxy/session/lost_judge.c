#include "lost_judge.h"

#include "pgweir/scan.h"

/* What a SELECT calls may write, be it in a view: only what routing has judged to be a read is one. */
bool lost_is_in_doubt(const struct lost_work *work)
{
	if (work->only_reads)
		return false;
	if (work->may_commit || work->status != 'I')
		return work->may_commit;
	/* One group that begins a transaction, and does not end it. */
	if (work->groups == 1 && !work->rest && work->effects & SCAN_BEGINS)
		return false;
	return work->groups && work->effects;
}

enum lost lost_what_is_left(const struct lost_work *work)
{
	bool under_way = work->groups || work->rest;
	bool ended = under_way && work->effects & SCAN_ENDS && !(work->effects & SCAN_UNKNOWN);

	/* It was being made there. */
	if (work->lost >= LOST_BEGUN)
		return work->lost;
	if (work->only_begun)
		return LOST_BEGUN;
	if (work->effects & SCAN_BEGINS)
		return under_way ? LOST_TRANSACTION : LOST_UNTOLD;
	if (work->status == 'I')
		return work->unsynced && !under_way ? LOST_BATCH : LOST_NOTHING;
	if (ended)
		return LOST_NOTHING;
	return under_way || work->status == 'E' ? LOST_TRANSACTION : LOST_UNTOLD;
}
