/* Settings that are lists of names, which SET quotes one by one (GUC_LIST_QUOTE in PostgreSQL's guc.h). */
#ifndef PGWEIR_STATE_LIST_H
#define PGWEIR_STATE_LIST_H

#include "pgweir/state.h"

bool state_list_is_quoted(const char *name);

/* The names as literals for SET, which then stores the very text of `value`. False, with nothing put: it might not. */
bool state_list_put(const char *value, struct buf *sql);

#endif
