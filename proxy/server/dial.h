/* One connection being made to one address of a server: TCP or Unix, then TLS as wanted. What is said on it
 * afterwards (a login, a cancel) is the owner's business. */
#ifndef PGWEIR_DIAL_H
#define PGWEIR_DIAL_H

#include <sys/socket.h>

#include "pgweir/config.h"
#include "pgweir/conn.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

enum dial_tls { DIAL_PLAIN, DIAL_TLS_IF_OFFERED, DIAL_TLS };

enum dial_outcome {
	DIAL_CONNECTED,         /* `conn` is detached and the owner's; `tls` says what it is. */
	DIAL_UNREACHABLE,       /* Nobody there. This and the next: `error`. */
	DIAL_FAILED,            /* Somebody was there, but TLS did not come about. */
};

/* Called once per dial_start(), possibly from within it, as its last act: the owner may free the dial. */
typedef void dial_cb(enum dial_outcome outcome, void *arg);

enum dial_state { DIAL_IDLE, DIAL_CONNECTING, DIAL_ASKING_TLS, DIAL_HANDSHAKING };

struct dial {
	enum dial_state state;
	struct conn conn;
	bool tls;
	struct error error;
	/* Set by the owner before dial_start(); borrowed. */
	struct loop *loop;
	const struct config *config;
	const struct config_tls *config_tls;
	const char *host;               /* What the certificate is held to. */
	uint16_t port;
	enum dial_tls wanted;           /* A Unix socket is always plain. */
	dial_cb *callback;
	void *arg;
};

void dial_init(struct dial *dial);      /* Once, before anything else. */
void dial_start(struct dial *dial, const struct sockaddr_storage *address, socklen_t size);
void dial_close(struct dial *dial);     /* Gives up; no callback after it. Fine at any time. */
const char *dial_doing(const struct dial *dial);        /* For texts: "connecting". */

#endif
