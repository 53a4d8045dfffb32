#include "pgweir/wire.h"

size_t wire_begin(struct buf *out, char type)
{
	buf_append_char(out, type);
	buf_append_u32(out, 0);
	return out->size - 4;
}

void wire_end(struct buf *out, size_t begun)
{
	wire_put_u32(out->bytes + begun, (uint32_t)(out->size - begun));
}

void wire_put_query(struct buf *out, const char *sql)
{
	size_t begun = wire_begin(out, 'Q');

	buf_append_cstring(out, sql);
	wire_end(out, begun);
}

void wire_put_parameter_status(struct buf *out, const char *name, const char *value)
{
	size_t begun = wire_begin(out, 'S');

	buf_append_cstring(out, name);
	buf_append_cstring(out, value);
	wire_end(out, begun);
}

void wire_put_ready_for_query(struct buf *out, char status)
{
	size_t begun = wire_begin(out, 'Z');

	buf_append_char(out, status);
	wire_end(out, begun);
}

void wire_put_authentication(struct buf *out, uint32_t code, const void *rest, size_t size)
{
	size_t begun = wire_begin(out, 'R');

	buf_append_u32(out, code);
	buf_append(out, rest, size);
	wire_end(out, begun);
}

void wire_put_backend_key(struct buf *out, uint32_t pid, const void *key, size_t key_size)
{
	size_t begun = wire_begin(out, 'K');

	buf_append_u32(out, pid);
	buf_append(out, key, key_size);
	wire_end(out, begun);
}

void wire_put_negotiate(struct buf *out, uint32_t minor, const char *const *unknown_options, size_t count)
{
	size_t begun = wire_begin(out, 'v');

	buf_append_u32(out, WIRE_PROTOCOL(3, minor));
	buf_append_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		buf_append_cstring(out, unknown_options[i]);
	wire_end(out, begun);
}

static void put_field(struct buf *out, char field, const char *text)
{
	if (!text)
		return;
	buf_append_char(out, field);
	buf_append_cstring(out, text);
}

void wire_put_error(struct buf *out, const struct wire_error *error)
{
	size_t begun = wire_begin(out, strcmp(error->severity, "NOTICE") && strcmp(error->severity, "WARNING") ? 'E' : 'N');

	put_field(out, 'S', error->severity);
	put_field(out, 'V', error->severity);
	put_field(out, 'C', error->sqlstate);
	put_field(out, 'M', error->message);
	put_field(out, 'D', error->detail);
	put_field(out, 'H', error->hint);
	buf_append_char(out, '\0');
	wire_end(out, begun);
}

void wire_put_cancel(struct buf *out, uint32_t pid, const void *key, size_t key_size)
{
	buf_append_u32(out, (uint32_t)(12 + key_size));
	buf_append_u32(out, WIRE_PROTOCOL(1234, 5678));
	buf_append_u32(out, pid);
	buf_append(out, key, key_size);
}
