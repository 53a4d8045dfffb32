#include "result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* What RowDescription says of a type: object id and size. */
static const struct type_row {
	uint32_t oid;
	int16_t size;
} types[] = {
	[COLUMN_TEXT] = { 25, -1 },
	[COLUMN_INT8] = { 20, 8 },
};

void result_init(struct result *result, const struct table *table, uint64_t binary)
{
	CHECK(!table || table->count <= TABLE_COLUMNS_MAX);
	*result = (struct result){ .table = table, .binary = binary };
}

void result_fini(struct result *result)
{
	buf_fini(&result->rows);
	*result = (struct result){ 0 };
}

void result_begin(struct result *result)
{
	result->begun = wire_begin(&result->rows, 'D');
	result->column = 0;
	buf_append_u16(&result->rows, (uint16_t)result->table->count);
}

static void next_column(struct result *result, enum column_type type)
{
	CHECK(result->column < result->table->count && result->table->columns[result->column].type == type);
	result->column++;
}

static void put_value(struct result *result, const void *bytes, size_t size)
{
	buf_append_u32(&result->rows, (uint32_t)size);
	buf_append(&result->rows, bytes, size);
}

void result_null(struct result *result)
{
	CHECK(result->column < result->table->count);
	result->column++;
	buf_append_u32(&result->rows, UINT32_MAX);
}

/* The binary form of a text is the text. */
void result_text(struct result *result, const char *text)
{
	if (!text) {
		result_null(result);
		return;
	}
	next_column(result, COLUMN_TEXT);
	put_value(result, text, strlen(text));
}

void result_printf(struct result *result, const char *format, ...)
{
	struct buf *rows = &result->rows;
	va_list args;

	next_column(result, COLUMN_TEXT);
	size_t length_at = rows->size;

	buf_append_u32(rows, 0);
	va_start(args, format);
	buf_vprintf(rows, format, args);
	va_end(args);
	wire_put_u32(rows->bytes + length_at, (uint32_t)(rows->size - length_at - 4));
}

void result_int(struct result *result, int64_t value)
{
	char text[24];
	bool binary = result->binary >> result->column & 1;

	next_column(result, COLUMN_INT8);
	if (binary) {
		buf_append_u32(&result->rows, 8);
		buf_append_u32(&result->rows, (uint32_t)((uint64_t)value >> 32));
		buf_append_u32(&result->rows, (uint32_t)(uint64_t)value);
		return;
	}
	int size = snprintf(text, sizeof(text), "%lld", (long long)value);

	put_value(result, text, (size_t)size);
}

void result_end(struct result *result)
{
	CHECK(result->column == result->table->count);
	wire_end(&result->rows, result->begun);
	result->count++;
}

void result_put_description(const struct table *table, uint64_t binary, struct buf *out)
{
	size_t begun = wire_begin(out, 'T');

	buf_append_u16(out, (uint16_t)table->count);
	for (size_t i = 0; i < table->count; i++) {
		const struct type_row *type = &types[table->columns[i].type];

		buf_append_cstring(out, table->columns[i].name);
		buf_append_u32(out, 0);                         /* No table it comes from, */
		buf_append_u16(out, 0);                         /* and no column of one. */
		buf_append_u32(out, type->oid);
		buf_append_u16(out, (uint16_t)type->size);
		buf_append_u32(out, UINT32_MAX);                /* No type modifier. */
		buf_append_u16(out, (uint16_t)(binary >> i & 1));
	}
	wire_end(out, begun);
}

size_t result_put_rows(const struct result *result, size_t from, uint32_t most, struct buf *out)
{
	size_t at = from;

	for (uint32_t i = 0; at < result->rows.size && (most == 0 || i < most); i++)
		at += wire_message_size(result->rows.bytes + at);
	buf_append(out, result->rows.bytes + from, at - from);
	return at;
}
