/* One login, and what the files of this library share about it.
 *
 * A login lives on one login thread. Its phase says where it is; login_phases.c has the table of them. Handlers return
 * a move and never free the login: that is done in one place, login_continue(). */
#ifndef PGWEIR_LOGIN_INTERNAL_H
#define PGWEIR_LOGIN_INTERNAL_H

#include "pgweir/authenticator.h"
#include "pgweir/error.h"
#include "pgweir/list.h"
#include "pgweir/login.h"
#include "pgweir/tls.h"
#include "login_turns.h"
#include "startup_packet.h"

enum login_phase {
	LOGIN_PHASE_PROXY_HEADER,
	LOGIN_PHASE_FIRST_BYTES,        /* Nothing read yet: a TLS hello or a startup packet. */
	LOGIN_PHASE_TLS,                /* The handshake. */
	LOGIN_PHASE_STARTUP,            /* A startup packet, or a request in its shape. */
	LOGIN_PHASE_AUTH,               /* The client has to answer. */
	LOGIN_PHASE_AUTH_WAITING,       /* The authenticator will call. */
	LOGIN_PHASE_LINGER,             /* The error is sent; until the client has read it and closes. */
};

enum login_move {
	LOGIN_WAIT,                     /* For the next event. */
	LOGIN_NEXT,                     /* The phase's handler can go on at once. */
	LOGIN_END,                      /* Nothing is left to do: free it. */
};

enum {
	LOGIN_ASKED_SSL = 1,
	LOGIN_ASKED_GSSENC = 2,
};

struct login_home;

struct login {
	struct loop_letter letter;      /* Carries it to its thread. */
	struct list link;
	struct login_home *home;
	enum login_phase phase;
	struct conn conn;
	struct login_turn turn;         /* For its TLS handshake. */
	struct loop_timer timer;        /* client_login_timeout; later the time for reading the error. */
	struct buf in;                  /* Of the message being read. No more than that one is ever read. */
	struct config *config;          /* References, taken at accept. */
	struct tls_context *tls;        /* NULL: TLS is off, or its key awaits a passphrase. */
	struct sockaddr_storage address;
	uint64_t accepted_us;
	bool ended;                     /* The client says nothing more than what has arrived. */
	unsigned asked;                 /* LOGIN_ASKED_… bits: what may not be asked again. */
	size_t linger_left;             /* Bytes still worth reading and dropping. */
	struct startup_request *request;                /* NULL before the startup packet. */
	const struct config_database *database;         /* NULL: the admin console. */
	struct client_slot *slot;
	struct authenticator *authenticator;
};

static inline bool login_is_local(const struct login *login) { return login->address.ss_family == AF_UNIX; }

/* --- login.c --- */

/* Carries out a move and those that follow from it; the login may be gone afterwards. */
void login_continue(struct login *login, enum login_move move);
void login_wait_for_turn(struct login *login);
const struct login_receiver *login_receiver(void);
bool login_refusing(void);

/* --- login_phases.c --- */

const char *login_phase_name(enum login_phase phase);
bool login_phase_speaks(enum login_phase phase);        /* An ErrorResponse would be understood. */
enum login_move login_phase_run(struct login *login) MUST_USE;
enum login_move login_take_turn(struct login *login) MUST_USE;  /* A step of the TLS handshake. */
void login_enter(struct login *login, enum login_phase phase);  /* Only moves that the table allows. */

/* --- login_io.c --- */

/* Reads until `in` has `size` bytes, never more: LOGIN_NEXT when it has. */
enum login_move login_fill(struct login *login, size_t size) MUST_USE;
void login_forget_input(struct login *login);           /* Wipes: it may have been a password. */
enum login_move login_send(struct login *login, const struct buf *message) MUST_USE;   /* LOGIN_NEXT, or LOGIN_END. */
/* Logs why, tells the client if it can be told, and ends the login. */
enum login_move login_fail(struct login *login, const struct error *error) MUST_USE;
enum login_move login_failf(struct login *login, const char *sqlstate, const char *format, ...) MUST_USE PRINTF_LIKE(3, 4);
enum login_move login_linger(struct login *login) MUST_USE;
/* For a login that is ended from outside: says `error` and waits for nothing. */
void login_say(struct login *login, const struct error *error);

/* --- login_startup.c: what a startup packet can be --- */

enum login_move login_on_startup(struct login *login) MUST_USE;

/* --- login_admission.c: who may come in --- */

bool login_is_admin_database(const char *name);
/* Before and after authentication. False: `error` says why not. */
bool login_admit_request(struct login *login, struct error *error) MUST_USE;
bool login_admit_user(struct login *login, struct error *error) MUST_USE;
const struct config_database *login_find_database(struct login *login);  /* The section that serves the client, or NULL. */

/* --- login_auth.c --- */

enum login_move login_auth_begin(struct login *login) MUST_USE;
enum login_move login_on_auth(struct login *login) MUST_USE;
enum login_move login_on_auth_waiting(struct login *login) MUST_USE;

/* --- login_handover.c --- */

void login_hand_over_session(struct login *login, struct credentials *proved);
bool login_hand_over_cancel(struct login *login) MUST_USE;      /* False: the packet is malformed. */

/* --- login_setup.c: the snapshot and the TLS context in use --- */

bool login_setup_current(struct config **config, struct tls_context **tls) MUST_USE;   /* References. False: none yet. */
void login_setup_fini(void);

#endif
