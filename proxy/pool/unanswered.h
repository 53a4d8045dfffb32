/* Requests that the server does not answer: those that were answered for it, those that it skips behind an error, and Syncs
 * that it drops inside copy data. */
#ifndef PGWEIR_POOL_UNANSWERED_H
#define PGWEIR_POOL_UNANSWERED_H

#include "pgweir/backend.h"

/* Those at the front that we answer ourselves have their turn. */
void unanswered_settle(struct backend *backend);

/* A failed request takes everything up to the next Sync with it. What they would have prepared is not there; what they
 * would have closed still is. */
void unanswered_undo_until_sync(struct backend *backend);
/* What was sent between the error and the Sync that this ReadyForQuery answers never ran. */
void unanswered_stop_skipping(struct backend *backend);

/* Syncs that were sent before the end of copy data are read as part of it and dropped by the server. */
void unanswered_drop_syncs_inside_copy(struct backend *backend);
/* False: the end of these data has not been sent yet. One query may copy more than once. */
bool unanswered_take_copy_end(struct requests *requests);

#endif
