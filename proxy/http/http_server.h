/* Connections over HTTP: one request each, answered at once or later.
 *
 * Who talks too much, too slowly or to too many connections at once is cut off; nobody can keep others out for longer
 * than HTTP_REQUEST_MS. It knows nothing of what the pages say. */
#ifndef PGWEIR_HTTP_SERVER_H
#define PGWEIR_HTTP_SERVER_H

#include "http_request.h"
#include "pgweir/buf.h"
#include "pgweir/conn.h"
#include "pgweir/list.h"

enum {
	HTTP_SOCKETS_MAX = 8,           /* A name may stand for several addresses. */
	HTTP_CONNECTIONS_MAX = 64,
	HTTP_REQUEST_MS = 5000,         /* For the request to arrive. */
	HTTP_ANSWER_MS = 30000,         /* For the answer to be made and taken. */
	HTTP_LINGER_MS = 1000,
};

enum http_state {
	HTTP_READING,
	HTTP_ANSWERING,                 /* The answer is being made. */
	HTTP_WRITING,
	HTTP_LINGERING,                 /* Sent; closing now would make the kernel drop what the client has not read. */
};

struct http_server;

struct http_connection {
	struct list link;               /* In the server. */
	struct http_server *server;
	struct conn conn;
	struct loop_timer timer;
	enum http_state state;
	struct buf in;
	struct http_request request;
	/* For whoever makes the answer. */
	struct list waiting;
	void (*go_on)(struct http_connection *connection);
};

struct http_socket {
	struct http_server *server;
	struct loop_io io;
	int fd;
};

/* Must call http_reply() or http_wait(). */
typedef void http_answer_cb(struct http_connection *connection);

struct http_server {
	struct loop *loop;
	http_answer_cb *answer;
	struct list connections;
	unsigned connection_count;
	struct http_socket sockets[HTTP_SOCKETS_MAX];
	size_t socket_count;
};

/* `address` is host:port, with `*` for all. False: it cannot be listened on; nothing is open then. */
bool http_server_open(struct http_server *server, struct loop *loop, const char *address, http_answer_cb *answer,
	struct error *error) MUST_USE;
void http_server_close(struct http_server *server);     /* Fine on a zeroed one. */

struct http_reply {
	int status;
	const char *type;               /* Of the body; NULL: plain text. */
	const char *policy;             /* Content-Security-Policy; NULL: nothing may be loaded. */
	const char *header;             /* Further lines, each with its end; may be NULL. */
};
/* Takes what `body` holds. */
void http_reply(struct http_connection *connection, const struct http_reply *reply, struct buf *body);
void http_reply_text(struct http_connection *connection, int status, const char *text);

/* The answer comes later, in go_on(): the connection waits in `list`, and takes itself out of it when it ends. */
void http_wait(struct http_connection *connection, struct list *list, http_answer_cb *go_on);

#endif
