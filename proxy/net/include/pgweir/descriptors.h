/* The descriptors that the process may have, and who gets them when there are not enough.
 *
 * Clients come as they like, and what they take must not be what pgweir needs to serve them: connections to servers, and a
 * handful for everything else (probes, secrets, names, files, metrics, cancels on their way). So these are kept for who needs
 * them: what the pools may want, as far as it is known, but no more than half; some for clients that are logging in, through
 * which administrators and cancels come in as well; the rest is for clients that have logged in, and beyond that for
 * whoever comes first. Nothing here can fail, and all but descriptors_plan() is for any thread. */
#ifndef PGWEIR_DESCRIPTORS_H
#define PGWEIR_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

/* Divides what the process may open: `limit` in all, as many as `servers` wanted for connections to servers. The first time
 * when everything is open that stays open; before that nothing is limited. Control thread. */
void descriptors_plan(uint64_t limit, uint64_t servers);
/* The limit with which as many clients have a place. */
uint64_t descriptors_wanted(uint64_t clients, uint64_t servers);

/* How many clients may be logged in as things are, never 0; and administrators beyond that. */
unsigned descriptors_for_sessions(void);
unsigned descriptors_for_administrators(void);
bool descriptors_for_client(void);      /* One more may be accepted. */
bool descriptors_for_server(void);      /* One more may be connected to. */
bool descriptors_crowded(void);         /* Clients that are logging in have taken half of what there is for them. */

/* By how many the clients have become fewer since there were most of them; and to begin anew. */
unsigned descriptors_clients_fallen(void);
void descriptors_forget_most(void);

/* conn.c: one has come, or gone. */
void descriptors_count(bool client, int change);

#endif
