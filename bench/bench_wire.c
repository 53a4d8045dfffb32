#include "bench_wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t *bytes_data(const struct bytes *bytes)
{
	return bytes->memory + bytes->start;
}

size_t bytes_length(const struct bytes *bytes)
{
	return bytes->end - bytes->start;
}

static void grow(struct bytes *bytes, size_t needed)
{
	size_t capacity = bytes->capacity ? bytes->capacity : 512;

	while (capacity < needed)
		capacity *= 2;
	bytes->memory = realloc(bytes->memory, capacity);
	if (!bytes->memory) {
		perror("realloc");
		exit(1);
	}
	bytes->capacity = capacity;
}

uint8_t *bytes_room(struct bytes *bytes, size_t room)
{
	if (bytes->capacity - bytes->end >= room)
		return bytes->memory + bytes->end;
	if (bytes->start > 0) {
		memmove(bytes->memory, bytes->memory + bytes->start, bytes_length(bytes));
		bytes->end -= bytes->start;
		bytes->start = 0;
	}
	if (bytes->capacity - bytes->end < room)
		grow(bytes, bytes->end + room);
	return bytes->memory + bytes->end;
}

void bytes_produced(struct bytes *bytes, size_t length)
{
	assert(length <= bytes->capacity - bytes->end);
	bytes->end += length;
}

void bytes_append(struct bytes *bytes, const void *data, size_t length)
{
	uint8_t *room = bytes_room(bytes, length);

	if (length > 0)
		memcpy(room, data, length);
	bytes_produced(bytes, length);
}

void bytes_append_u16(struct bytes *bytes, uint16_t value)
{
	const uint8_t big_endian[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	bytes_append(bytes, big_endian, sizeof(big_endian));
}

static void put_u32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

void bytes_append_u32(struct bytes *bytes, uint32_t value)
{
	uint8_t big_endian[4];

	put_u32(big_endian, value);
	bytes_append(bytes, big_endian, sizeof(big_endian));
}

void bytes_append_string(struct bytes *bytes, const char *text)
{
	bytes_append(bytes, text, strlen(text) + 1);
}

void bytes_consume(struct bytes *bytes, size_t length)
{
	assert(length <= bytes_length(bytes));
	bytes->start += length;
	if (bytes->start == bytes->end)
		bytes->start = bytes->end = 0;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->memory);
	*bytes = (struct bytes){ 0 };
}

/* Relative to the start of the queue, which growing may move. */
size_t wire_begin(struct bytes *out, char type)
{
	size_t begun_at;

	if (type != 0)
		bytes_append(out, &type, 1);
	begun_at = bytes_length(out);
	bytes_append_u32(out, 0);
	return begun_at;
}

void wire_end(struct bytes *out, size_t begun_at)
{
	assert(begun_at < bytes_length(out));
	put_u32(out->memory + out->start + begun_at, (uint32_t)(bytes_length(out) - begun_at));
}

void wire_string_message(struct bytes *out, char type, const char *text)
{
	size_t begun_at = wire_begin(out, type);

	bytes_append_string(out, text);
	wire_end(out, begun_at);
}

void wire_empty_message(struct bytes *out, char type)
{
	wire_end(out, wire_begin(out, type));
}

uint32_t wire_get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum wire_outcome peek(const struct bytes *in, size_t type_bytes, struct wire_message *message)
{
	const uint8_t *data = bytes_data(in);
	uint32_t length;

	if (bytes_length(in) < type_bytes + 4)
		return WIRE_INCOMPLETE;
	length = wire_get_u32(data + type_bytes);
	if (length < 4 || length > WIRE_MESSAGE_MAX_BYTES)
		return WIRE_GARBAGE;
	if (bytes_length(in) < type_bytes + length)
		return WIRE_INCOMPLETE;
	*message = (struct wire_message){
		.type = type_bytes > 0 ? (char)data[0] : 0,
		.body = data + type_bytes + 4,
		.length = length - 4,
	};
	return WIRE_COMPLETE;
}

enum wire_outcome wire_peek(const struct bytes *in, struct wire_message *message)
{
	return peek(in, 1, message);
}

enum wire_outcome wire_peek_startup(const struct bytes *in, struct wire_message *message)
{
	return peek(in, 0, message);
}

void wire_consume(struct bytes *in, const struct wire_message *message)
{
	bytes_consume(in, (message->type != 0 ? 5u : 4u) + message->length);
}

const char *wire_string_at(const struct wire_message *message, size_t *offset)
{
	const char *text = (const char *)message->body + *offset;
	const char *end;

	if (*offset >= message->length)
		return NULL;
	end = memchr(text, 0, message->length - *offset);
	if (!end)
		return NULL;
	*offset += (size_t)(end - text) + 1;
	return text;
}
