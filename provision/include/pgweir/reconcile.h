/* Provisioning inside the daemon: at each provision_interval every [provision] section is looked at and, with
 * `provision = apply`, mended and rotated when that is due.
 *
 * The work waits for servers and is done on a thread of its own; what it finds comes to the control thread as letters. Of
 * several instances one at a time works on a cluster: the others find its lock taken, and say that it is busy. */
#ifndef PGWEIR_RECONCILE_H
#define PGWEIR_RECONCILE_H

#include <stdint.h>

#include "pgweir/loop.h"
#include "pgweir/provision.h"
#include "pgweir/topology.h"

/* What the last pass found of one section. */
struct reconcile_row {
	char *name, *cluster;
	char *role, *login, *place;     /* As in provision_report; each may be NULL. */
	char *problem;                  /* The error, or what the first difference is; NULL: none. */
	enum provision_outcome outcome;
	size_t differences, extras, changed;    /* The last counts all passes since the start. */
	uint64_t rotations, failed_rotations;   /* Since the start. */
	int64_t password_since_s;       /* Since 1970; 0: not known. */
	uint64_t looked_us;             /* clock_now_us(); 0: not yet. */
};

/* All on the control thread. */
void reconcile_start(struct loop *control);
void reconcile_stop(void);              /* Waits for the thread, which gives up what it waits for. */
void reconcile_configure(struct config *config);        /* Takes a reference; a pass begins at once. */
/* Takes a reference. Where a cluster has another primary than before a pass begins: a promotion may have lost something. */
void reconcile_publish_topology(struct topology *topology);
/* One row per section, in the order of the file; good until the next turn of the loop. */
const struct reconcile_row *reconcile_rows(size_t *count);

#endif
