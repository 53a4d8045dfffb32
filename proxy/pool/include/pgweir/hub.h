/* LISTEN for sessions that keep no server connection.
 *
 * Each pool has at most one listening connection, its hub, on one worker, and each worker knows which of its members
 * (sessions) want which channel. The hub hears only which workers want which channel, and sends each of them, in the
 * server's order, what came on those. Nobody waits for anybody: what a member does not take is the
 * member's to keep. The connection counts in no quota: it is one per database and role, and only while somebody listens.
 *
 * A member moves a channel from its own server connection to the shared one at a marker: a notification that both hear,
 * "<worker>.<id>.<number>" on hub_marker(). PostgreSQL has one order of all notifications of a database, so that
 * what the one says before the marker and the other behind it is everything, once. */
#ifndef PGWEIR_HUB_H
#define PGWEIR_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/list.h"
#include "pgweir/map.h"
#include "pgweir/pool_share.h"

struct hub_member;

/* All are called on the member's worker. None but flush() may end the member. */
struct hub_calls {
	/* All that hub_member_set() has asked for is listened to. */
	void (*ready)(struct hub_member *member);
	/* It cannot be: the shared connection has another client_encoding. */
	void (*refused)(struct hub_member *member);
	/* A whole NotificationResponse for the member. */
	void (*deliver)(struct hub_member *member, const char *message, size_t size);
	/* A marker of the member's has come by: `shared_number` has grown. */
	void (*marked)(struct hub_member *member);
	/* The shared connection was lost and is back: notifications may be missing. */
	void (*interrupted)(struct hub_member *member);
	/* After any of the above, when there is no more for now. */
	void (*flush)(struct hub_member *member);
};

struct hub_member {
	struct list link, due_link;
	struct pool_share *share;
	const struct hub_calls *calls;
	uint64_t id;
	unsigned number;                /* Of the newest marker that is needed. */
	unsigned own_number;            /* Of the newest one the member has seen on its own connection; the member's to write. */
	unsigned shared_number;         /* Of the newest one seen on the shared connection. */
	uint64_t token;                 /* What ready() is waited for with. */
	struct map channels;            /* By name: struct hub_membership. */
};

/* The channel of the markers; no client knows it. */
const char *hub_marker(void);

void hub_member_join(struct hub_member *member, struct pool_share *share, uint64_t id,
	const struct hub_calls *calls);
void hub_member_leave(struct hub_member *member);

/* The member listens to the keys of `wanted`, and nothing else. What is dropped is dropped at once. True: some are new, and
 * ready() or refused() will come. `encoding` is the client's. */
bool hub_member_set(struct hub_member *member, const struct map *wanted, const char *encoding);
/* The channels whose marker has not been seen get a new number. */
void hub_member_renumber(struct hub_member *member);
bool hub_member_has(const struct hub_member *member, const char *channel);
/* Whether the channel is still the own connection's to deliver. */
bool hub_member_hears_itself(const struct hub_member *member, const char *channel);
/* Some channel's marker has not been seen on the own connection. */
bool hub_member_moves(const struct hub_member *member);

/* The statements that send the member's marker. */
void hub_put_marker(const struct hub_member *member, struct buf *sql);
/* Only if nothing moves: the statement that sends a marker of a new number, which only the shared connection need hear. */
void hub_put_fence(struct hub_member *member, struct buf *sql);
/* Whether the payload is a marker of the member's; its number. */
bool hub_is_marker_of(const struct hub_member *member, const char *payload, unsigned *number);
/* LISTEN to `channel`, whatever characters it has. */
void hub_put_listen(struct buf *sql, const char *command, const char *channel);

/* A NotificationResponse, whole. False: it is malformed. */
struct notification {
	uint32_t pid;
	const char *channel, *payload;
};
bool notification_parse(const char *message, size_t size, struct notification *notification) MUST_USE;

/* --- For the worker and the console --- */

void hub_worker_tick(struct worker *worker);
void hub_worker_follow(struct worker *worker);          /* The topology has changed. */
/* Closes the listening connections that are `old`; others take their place, and who listens is told. */
struct backend;
typedef bool hub_old_cb(const struct backend *backend, const void *arg);
void hub_worker_retire(struct worker *worker, hub_old_cb *old, const void *arg, enum close_reason reason);
void hub_worker_finish(struct worker *worker);

struct hub_facts {
	const char *database, *user, *state;
	uint32_t server_pid;
	unsigned channels, sessions;
	uint64_t notifications, interruptions;
};
typedef void hub_facts_cb(const struct hub_facts *facts, void *arg);
void hub_worker_describe(struct worker *worker, hub_facts_cb *visit, void *arg);

#endif
