/* Shared between listen.c (channels), listen_restore.c (their return) and listen_deliver.c (notifications). */
#ifndef PGWEIR_LISTEN_INTERNAL_H
#define PGWEIR_LISTEN_INTERNAL_H

#include "listen.h"
#include "pgweir/hub.h"
#include "session_internal.h"

enum { LISTEN_REQUEST = REQUEST_INJECTED | REQUEST_SETUP | REQUEST_LISTEN };

enum listen_state {
	LISTEN_SETTLED,                 /* What the client listens to is known, and the hub's to deliver. */
	LISTEN_ASKING,                  /* The server is asked what the client listens to. */
	LISTEN_SUBSCRIBING,             /* The hub is asked to listen to that. */
	LISTEN_SUBSCRIBED,              /* It does. */
	LISTEN_MARKING,                 /* The marker is under way. */
	LISTEN_LEAVING,                 /* The server connection is told to UNLISTEN. */
	LISTEN_STUCK,                   /* The server or the hub will not: the session keeps its connection. */
};

struct session_listen {
	struct session *session;
	struct hub_member member;
	enum listen_state state;
	/* The server connection at hand: */
	bool own;                       /* May listen to something. */
	bool complete;                  /* Listens to all that the client does, from before this transaction on. */
	bool doubtful;                  /* `complete` only if it listens to the marker's channel, too. */
	bool rolled_back;               /* Something was, since then. */
	bool due;                       /* A LISTEN or UNLISTEN has been seen: ask. */
	bool refused;                   /* The hub will not have the channels that have not moved. */
	bool again;                     /* The marker may have been lost: send another. */
	/* The answer: */
	struct map answer;              /* Channels as keys. */
	bool answer_failed, answer_has_marker;
	/* For the client: */
	struct buf queue;               /* Whole messages. */
	unsigned fence;                 /* The marker behind which an UNLISTEN on its way counts; 0: none. */
	size_t before_fence;            /* How much of `queue` came ahead of it. */
	struct buf said;                /* Its own notifications that the hub has not brought yet, oldest first. */
};

/* listen_deliver.c */
extern const struct hub_calls listen_hub_calls;
void listen_purge(struct session_listen *listen);       /* What came on channels that are none of the client's any more. */

bool listen_awaits_fence(const struct session_listen *listen);

/* listen.c */
void listen_hold(struct session *session);      /* The session keeps its connection, which may listen to something. */
void listen_ready(struct hub_member *member);
void listen_refused(struct hub_member *member);

#endif
