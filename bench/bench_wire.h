/* Bytes and messages of the PostgreSQL protocol, as far as the bench programs need them.
 *
 * A `struct bytes` is a growable queue: append at the end, consume at the start. Memory that runs out ends the
 * program; a benchmark has nothing to save. Nothing here knows sockets. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer messages are taken for garbage: no bench program sends or expects one. */
#define WIRE_MESSAGE_MAX_BYTES (64u << 20)

/* The version numbers of the first packet: "Message Formats" in PostgreSQL's documentation. */
enum wire_startup_code {
	WIRE_PROTOCOL_3 = 196608,
	WIRE_CANCEL_REQUEST = 80877102,
	WIRE_SSL_REQUEST = 80877103,
	WIRE_GSSENC_REQUEST = 80877104,
};

struct bytes {
	uint8_t *memory;
	size_t start;
	size_t end;
	size_t capacity;
};

const uint8_t *bytes_data(const struct bytes *bytes);
size_t bytes_length(const struct bytes *bytes);
void bytes_append(struct bytes *bytes, const void *data, size_t length);
void bytes_append_u16(struct bytes *bytes, uint16_t value);
void bytes_append_u32(struct bytes *bytes, uint32_t value);
/* With the terminating zero. */
void bytes_append_string(struct bytes *bytes, const char *text);
void bytes_consume(struct bytes *bytes, size_t length);
void bytes_free(struct bytes *bytes);
/* At least `room` bytes to write at the returned place; bytes_produced() says how many were. */
uint8_t *bytes_room(struct bytes *bytes, size_t room);
void bytes_produced(struct bytes *bytes, size_t length);

/* Opens a message (type 0: an untyped one, as at startup); the return value goes to wire_end(), which fills in
 * the length. */
size_t wire_begin(struct bytes *out, char type);
void wire_end(struct bytes *out, size_t begun_at);
/* A whole message with one string, or with nothing, in it. */
void wire_string_message(struct bytes *out, char type, const char *text);
void wire_empty_message(struct bytes *out, char type);

uint32_t wire_get_u32(const uint8_t *at);

struct wire_message {
	char type;
	const uint8_t *body;
	size_t length;          /* of the body */
};

enum wire_outcome {
	WIRE_COMPLETE,
	WIRE_INCOMPLETE,
	WIRE_GARBAGE,
};

/* The first message of `in`, which stays there until wire_consume(). */
enum wire_outcome wire_peek(const struct bytes *in, struct wire_message *message);
enum wire_outcome wire_peek_startup(const struct bytes *in, struct wire_message *message);
void wire_consume(struct bytes *in, const struct wire_message *message);

/* The zero-terminated string at *offset of the body, or NULL; *offset moves behind it. */
const char *wire_string_at(const struct wire_message *message, size_t *offset);

#endif
