/* Messages of the PostgreSQL frontend/backend protocol, 3.0 to 3.2.
 *
 * Reading and making single messages; no sockets, no state of a conversation. Follows the chapter
 * "Frontend/Backend Protocol" of the PostgreSQL documentation, "Message Formats". */
#ifndef PGWEIR_WIRE_H
#define PGWEIR_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/error.h"

enum {
	WIRE_HEADER_SIZE = 5,                   /* Type byte and length word. */
	WIRE_STARTUP_MAX = 10004,               /* PostgreSQL's MAX_STARTUP_PACKET_LENGTH does not count the length word. */
	WIRE_AUTH_MAX = 65535,                  /* As PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH. */
	WIRE_CANCEL_KEY_MAX = 256,
	WIRE_MESSAGE_MAX = 0x3fffffff,          /* As PostgreSQL's PQ_LARGE_MESSAGE_LIMIT. */
};

#define WIRE_PROTOCOL(major, minor) (((uint32_t)(major) << 16) | (uint32_t)(minor))

static inline uint16_t wire_u16(const char *at)
{
	const unsigned char *bytes = (const unsigned char *)at;

	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t wire_u32(const char *at)
{
	const unsigned char *bytes = (const unsigned char *)at;

	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void wire_put_u32(char *at, uint32_t value)
{
	at[0] = (char)(value >> 24);
	at[1] = (char)(value >> 16);
	at[2] = (char)(value >> 8);
	at[3] = (char)value;
}

/* Whole size of a message with its type byte, from its first five bytes. */
static inline size_t wire_message_size(const char *header)
{
	return (size_t)wire_u32(header + 1) + 1;
}

/* --- Making messages --- */

/* wire_begin() writes type and a gap for the length, wire_end() fills the gap. */
size_t wire_begin(struct buf *out, char type);
void wire_end(struct buf *out, size_t begun);

void wire_put_query(struct buf *out, const char *sql);
void wire_put_parameter_status(struct buf *out, const char *name, const char *value);
void wire_put_ready_for_query(struct buf *out, char status);
void wire_put_authentication(struct buf *out, uint32_t code, const void *rest, size_t size);
void wire_put_backend_key(struct buf *out, uint32_t pid, const void *key, size_t key_size);
void wire_put_negotiate(struct buf *out, uint32_t minor, const char *const *unknown_options, size_t count);

/* An ErrorResponse or NoticeResponse of pgweir's own. `hint` and `detail` may be NULL. */
struct wire_error {
	const char *severity;           /* "ERROR", "FATAL", … */
	const char *sqlstate;
	const char *message;
	const char *detail;
	const char *hint;
};
void wire_put_error(struct buf *out, const struct wire_error *error);

/* --- Reading messages --- */

/* The value of one field of an ErrorResponse's body ('C', 'M', …), or NULL. The body may be cut short. */
const char *wire_error_field(const char *body, size_t size, char field);

/* --- Startup --- */

enum wire_startup_kind {
	WIRE_STARTUP_INCOMPLETE,        /* More bytes are needed. */
	WIRE_STARTUP_BAD_LENGTH,
	WIRE_STARTUP_SSL,
	WIRE_STARTUP_GSSENC,
	WIRE_STARTUP_CANCEL,
	WIRE_STARTUP_SESSION,
	WIRE_STARTUP_UNSUPPORTED,       /* A protocol of another major version. */
};

/* What the first packet is; `*packet_size` is its whole size once known. */
enum wire_startup_kind wire_startup_kind(const char *bytes, size_t size, size_t *packet_size);

/* Calls `pair` for each name and value of a StartupMessage. False if it is malformed. */
typedef void wire_pair_cb(const char *name, const char *value, void *arg);
bool wire_startup_pairs(const char *packet, size_t size, wire_pair_cb *pair, void *arg) MUST_USE;

/* A CancelRequest's pid and key. False if it is malformed. */
bool wire_cancel_parse(const char *packet, size_t size, uint32_t *pid, const char **key, size_t *key_size) MUST_USE;
void wire_put_cancel(struct buf *out, uint32_t pid, const void *key, size_t key_size);

/* Splits the startup parameter `options` as PostgreSQL does and calls `pair` for each `-c name=value` and `--name=value`.
 * Other switches are appended to `rest`, still escaped. False: `error` is what a server says that takes these. */
bool wire_options_pairs(const char *options, wire_pair_cb *pair, void *arg, struct buf *rest, struct error *error) MUST_USE;

/* --- PROXY protocol v2 --- */

enum wire_proxy_kind {
	WIRE_PROXY_INCOMPLETE, WIRE_PROXY_LOCAL, WIRE_PROXY_ADDRESS,
	/* No such header; of an unknown version or command; longer than we take; without room for its address. */
	WIRE_PROXY_MISSING, WIRE_PROXY_UNKNOWN, WIRE_PROXY_TOO_LONG, WIRE_PROXY_TOO_SHORT,
};
struct sockaddr_storage;
/* Reads a header; `*header_size` bytes are to be dropped. WIRE_PROXY_ADDRESS fills in the client's address. */
enum wire_proxy_kind wire_proxy_header(const char *bytes, size_t size, size_t *header_size, struct sockaddr_storage *client);

#endif
