/* One attempt to open a server connection, shared between open.c (its beginning and end), open_dial.c (getting there) and
 * open_login.c (what is said). */
#ifndef PGWEIR_OPEN_INTERNAL_H
#define PGWEIR_OPEN_INTERNAL_H

#include "dial.h"
#include "login_work.h"
#include "pgweir/resolver.h"
#include "pgweir/secrets.h"
#include "pgweir/server.h"
#include "pgweir/server_auth.h"
#include "pgweir/tokens.h"
#include "pgweir/trials.h"

enum attempt_state {
	ATTEMPT_QUEUED,
	ATTEMPT_WAIT,                   /* For the first value of a secret, or for a token. */
	ATTEMPT_RESOLVE,
	ATTEMPT_DIAL,                   /* Connecting and TLS: dial.h has its own states. */
	ATTEMPT_AUTH,                   /* The startup packet is sent. */
	ATTEMPT_PARAMS,                 /* AuthenticationOk has come. */
	ATTEMPT_ALLOWED,                /* The server has been asked how many connections it allows. */
	ATTEMPT_CONNECT_QUERY,
	ATTEMPT_TURN,                   /* A value of a secret is being tried by somebody else; or about to be by us. */
	ATTEMPT_REREAD,                 /* The server has refused what a secret says; it is read again. */
	ATTEMPT_READY,
	ATTEMPT_ABANDONED,              /* Answered already; waits for the resolver, which cannot be called off. */
};

/* What the attempt comes to, on its way to who asked. */
struct reply {
	struct loop_letter letter;
	struct loop *loop;
	server_opened_cb *callback;
	void *arg;
	struct server_opened opened;
};

struct attempt {
	struct login_work work;
	enum attempt_state state;
	struct server_target *target;   /* A reference. */
	struct reply *reply;
	struct loop_timer timer;        /* All of it. */
	struct loop_timer address_timer;/* One address's share, where there are more; or until our turn is looked for again. */
	uint64_t started_us;
	struct resolver_answer addresses;
	unsigned address;               /* The one in use. */
	bool fell_back;                 /* The other of sslmode's two ways is being tried. */
	struct dial dial;
	struct conn conn;               /* From ATTEMPT_AUTH on. */
	bool tls;
	struct server_auth *auth;
	struct buf in;                  /* Received and not yet taken; at most a message and a chunk. */
	size_t received;
	struct server *server;          /* Filled in as its values come. */
	struct trials *trials;          /* With credentials of a secret, from ATTEMPT_TURN on. */
	bool in_trial;                  /* Ours until trials_end(). */
	struct reread *reread;
	struct token_ask *token;        /* Under way. */
	char *token_secret;             /* The [secret] that makes the tokens, or NULL. */
	bool token_again;               /* The first one was refused. */
	bool has_reread;
	uint64_t refused[SECRET_STAGES * 2];    /* Fingerprints: of all it said before and after it was read again. */
	unsigned refused_count;
	bool refused_role;              /* The server does not let this user act as another. */
};

void attempt_begin(struct attempt *attempt);            /* Or again, with other credentials. */
void attempt_enter(struct attempt *attempt, enum attempt_state state);

/* All of these end the attempt: it must not be touched any more. */
void attempt_succeed(struct attempt *attempt);
void attempt_fail(struct attempt *attempt, const struct error *error);  /* Adds where it was to the text. */
void attempt_refused(struct attempt *attempt, const char *body, size_t size);   /* An ErrorResponse; or falls back. */
void attempt_auth_failed(struct attempt *attempt, const struct error *error);   /* The server is there, but no login. */

/* --- Getting there (open_dial.c) --- */

void attempt_dial(struct attempt *attempt);             /* The address at hand. */
void attempt_address_timer_fired(void *arg);            /* An address has had its share, or it may be our turn. */
/* Dials the same address once more, the other way of sslmode's two. False: there is none. */
bool attempt_fall_back(struct attempt *attempt);

/* --- With credentials that are not at hand (open_wait.c) --- */

/* False: the secret's value is not on its way. */
bool attempt_await_value(struct attempt *attempt);
void attempt_ask_token(struct attempt *attempt);
/* The server has refused a token. False: it was none, or the second one. */
bool attempt_try_other_token(struct attempt *attempt);

/* --- With credentials of a secret (open_secret.c) --- */

void attempt_use(struct attempt *attempt, struct credentials *credentials);     /* In place of the target's own. */

void attempt_begin_with_secret(struct attempt *attempt);        /* The addresses are known. */
void attempt_login_with_secret(struct attempt *attempt);        /* As soon as it is our turn. */
/* Starts again with another value, now or later. False: it was not of a secret, or there is none left to try. */
bool attempt_try_other_value(struct attempt *attempt);
void attempt_secret_worked(struct attempt *attempt);            /* The server has let us in. */
void attempt_forget_value(struct attempt *attempt, struct server *server);
/* True: it was the role to take that the server minded; from now on it is not asked for. */
bool attempt_may_do_without_role(struct attempt *attempt);
void attempt_secret_ended(struct attempt *attempt);             /* However it ended. */

void attempt_close_login(struct attempt *attempt);
void attempt_end(struct attempt *attempt);              /* With what the reply says. */

/* Sends the startup packet and answers what comes until the attempt ends. `conn` is detached. */
void login_start_on(struct attempt *attempt);

#endif
