/* What the files of the pool library share. */
#ifndef PGWEIR_POOL_INTERNAL_H
#define PGWEIR_POOL_INTERNAL_H

#include "pgweir/pool.h"
#include "pgweir/replicas.h"

/* pool_settings.c */
void pool_settings_resolve(struct pool_settings *settings, const struct config *config,
	const struct config_database *database, const char *user_name);

/* pool_table.c: what all workers share. Any thread. */
/* `name` is the key among pools, `user` the role that logs in. */
struct pool *pool_get(const char *name, const char *database_name, const char *user);

/* The quotas a connection counts in, in the order they are taken. */
enum pool_scope { POOL_SCOPE_POOL, POOL_SCOPE_DATABASE, POOL_SCOPE_USER, POOL_SCOPE_HOST, POOL_SCOPE_COUNT };
/* POOL_SCOPE_COUNT: taken; else which one is full. */
enum pool_scope pool_quotas_take(struct pool_share *share, struct pool_host *host, int extra) MUST_USE;
void pool_quotas_give(struct pool_share *share, struct pool_host *host);

/* pool_host.c: as above. */
struct pool_host *pool_host_get(const struct config_host *at);
/* Brings the limit up to date for one more connection of `share`. True: its login is to ask what the server allows, and
 * pool_host_answered() or pool_host_not_asked() must follow. */
bool pool_host_adjust(struct pool_host *host, const struct pool_share *share, bool knows_sql);
void pool_host_answered(struct pool_host *host, const struct pool_share *share, int allowed);
void pool_host_not_asked(struct pool_host *host);
/* Nothing can be opened before the answer is there. */
bool pool_host_awaited(const struct pool_host *host);
void pool_hosts_free(void);

/* pool_share.c */
void pool_close_idle(struct pool_share *share, enum close_reason reason);       /* All of them. */

/* pool_credentials.c */
void pool_credentials_use(struct pool_share *share, struct credentials *credentials);
void pool_credentials_take(struct pool_share *share, const struct pool_key *key);       /* What a login has brought, if it is newer. */
void pool_credentials_renew(struct pool_share *share);          /* As the snapshot and the secret have them now. */
void pool_credentials_pass_on(struct pool_share *share, struct credentials *credentials);       /* To a replica's share, from its home. */

/* pool.c */
void pool_serve(struct pool_share *share);                              /* Waiters get what can be had. */
/* The oldest waiter that others must not be served before, or NULL. */
struct pool_waiter *pool_first_in_turn(struct pool_share *share);
/* Waiters for a connection that is logged in with `login_state`, or all of them, hear share->last_error. */
void pool_refuse_waiters(struct pool_share *share, const struct state *login_state, bool all);
/* A connection to `target` is what it waits for, as far as the login decides. */
bool pool_logs_in_alike(const struct server_target *target, const struct pool_waiter *waiter);
void pool_keep(struct backend *backend);                                /* Clean and unowned: to a waiter, a sibling, or idle. */
void pool_detach(struct backend *backend);                              /* Out of its list and its counts. */
void pool_attach(struct backend *backend, struct pool_share *share, enum backend_state state);

/* pool_open.c */
/* But for as many of them as will be served otherwise. */
void pool_open_for_waiters(struct pool_share *share, unsigned served_otherwise);
void pool_opening_leave(struct pool_waiter *waiter);            /* Another may take the login that is under way for it. */
void pool_open_minimum(struct pool_share *share);
void pool_give_up_openings(struct pool_share *share);           /* At hosts that have lost their place: others are tried. */
void pool_forget_openings(struct pool_share *share);            /* At the end: nobody will answer any more. */
struct server_target *pool_target(const struct pool_share *share, const struct config_host *host,
	const struct pool_waiter *waiter) MUST_USE;             /* A reference; `waiter` may be NULL. */

/* pool_primary.c */
struct pool_choice {
	const struct config_host *host;         /* NULL: there is none to connect to; `error` says why. */
	unsigned tried;                         /* For pool_host_failed(). */
	struct error error;
};
void pool_choose_host(struct pool_share *share, struct pool_choice *choice);
/* It could not be reached, or should not have been. */
void pool_host_failed(struct pool_share *share, unsigned tried);
bool pool_is_standby(const struct pool_share *share, const struct server *server);      /* And should not be. */
/* How often its name has led to other addresses: what was opened before is connected to another server, perhaps. */
unsigned pool_host_moved(const struct pool_share *share, const struct config_host *host);
/* Connections to `host` may stay. */
bool pool_host_keeps(const struct pool_share *share, const struct config_host *host);
void pool_judge(struct backend *backend);                       /* Retires it if they may not. */

/* pool_replicas.c */
struct pool_place *pool_place_new(const struct config_host *at) MUST_USE;
void pool_place_free(struct pool_place **place);
void pool_replicas_free(struct pool_replicas **replicas);
void pool_replicas_outdated(struct pool_share *share);         /* The cluster, or what is known of its hosts, has changed. */
void pool_replicas_use_credentials(struct pool_share *share);  /* The share's, which are new. */

/* pool_room.c */
/* True if an idle connection on this worker has been closed, so that `scope` is no longer full for one more of `share`. */
bool pool_make_room(struct pool_share *share, struct pool_host *host, enum pool_scope scope);
void pool_ask_for_room(struct pool_share *share, struct pool_host *host, enum pool_scope scope);        /* On the other workers. */

/* pool_lend.c */
void pool_marks_update(struct pool_share *share);                       /* After idle or waiters changed. */
unsigned pool_ask_siblings(struct pool_share *share);                   /* How many connections may come of it. */
bool pool_lend_to_sibling(struct backend *backend, uint64_t older_than_us);

/* backend_clean.c */
void backend_clean_start(struct backend *backend);
void backend_clean_advance(struct backend *backend);
extern const struct backend_sink backend_unowned_sink;

/* backend.c */
void backend_event(unsigned what, void *arg);
void pool_forget_cancels(struct worker *worker);

#endif
