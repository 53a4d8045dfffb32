/* Settings that are times or sizes: numbers with units. */
#include <inttypes.h>
#include <limits.h>

#include "units.h"
#include "value.h"

static bool parse_ms(const struct setting *setting, const char *text, uint64_t most_ms, uint64_t *value_ms,
	struct error *error)
{
	struct buf least = { 0 }, greatest = { 0 };
	uint64_t min_ms = (uint64_t)setting->min;
	uint64_t max_ms = setting->max ? (uint64_t)setting->max : most_ms;

	if (!units_parse_duration(text, value_ms))
		return error_set(error, NULL, "must be a time: a number of seconds, or a number with us, ms, s, min, h or d");
	if (*value_ms >= min_ms && *value_ms <= max_ms)
		return true;
	units_format_duration(min_ms, &least);
	units_format_duration(max_ms, &greatest);
	error_set(error, NULL, "must be from %.*s to %.*s seconds", (int)least.size, least.bytes, (int)greatest.size,
		greatest.bytes);
	buf_fini(&least);
	buf_fini(&greatest);
	return false;
}

/* A hundred years; keeps sums of times far from overflow. */
static const uint64_t greatest_ms = UINT64_C(100) * 365 * 86400 * 1000;

static bool parse_duration(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	uint64_t value_ms;

	(void)base;
	if (!parse_ms(setting, text, greatest_ms, &value_ms, error))
		return false;
	*(uint64_t *)field = value_ms;
	return true;
}

static void format_duration(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	units_format_duration(*(const uint64_t *)field, out);
}

const struct value_type value_duration = { "time", parse_duration, format_duration, NULL };

static bool parse_duration_int(const struct setting *setting, const struct setting_base *base, const char *text,
	void *field, struct error *error)
{
	uint64_t value_ms;

	(void)base;
	if (!parse_ms(setting, text, INT_MAX, &value_ms, error))
		return false;
	*(int *)field = (int)value_ms;
	return true;
}

static void format_duration_int(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	if (*(const int *)field != CONFIG_INHERIT)
		units_format_duration((uint64_t)*(const int *)field, out);
}

const struct value_type value_duration_int = { "time", parse_duration_int, format_duration_int, NULL };

static bool parse_size(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	(void)setting;
	(void)base;
	return units_parse_size(text, field)
		|| error_set(error, NULL, "must be a number of bytes, or a number with B, kB, MB, GB or TB");
}

static void format_size(const struct setting *setting, const void *field, struct buf *out)
{
	(void)setting;
	buf_printf(out, "%" PRIu64, *(const uint64_t *)field);
}

const struct value_type value_size = { "size in bytes", parse_size, format_size, NULL };
