#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	double factor;
};

static const struct unit duration_units[] = {
	{ "", 1000 },
	{ "us", 0.001 },
	{ "ms", 1 },
	{ "s", 1000 },
	{ "min", 60e3 },
	{ "h", 3600e3 },
	{ "d", 86400e3 },
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "kB", 1024.0 },
	{ "MB", 1024.0 * 1024 },
	{ "GB", 1024.0 * 1024 * 1024 },
	{ "TB", 1024.0 * 1024 * 1024 * 1024 },
};

bool units_parse_int(const char *text, int64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text) && !((*text == '-' || *text == '+') && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	*value = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0';
}

bool units_parse_bool(const char *text, bool *value)
{
	static const char *const yes[] = { "1", "yes", "on", "true" };
	static const char *const no[] = { "0", "no", "off", "false" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*value = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

/* Digits with at most one point, then a unit. strtod() alone would take "inf", "0x10" and "1e9" as well. */
static bool parse_with_unit(const char *text, const struct unit *units, size_t count, double *value)
{
	size_t digits = strspn(text, "0123456789.");
	char number[32];

	if (digits == 0 || digits >= sizeof(number) || !strpbrk(text, "0123456789"))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	const char *point = strchr(number, '.');

	if (strcmp(number, ".") == 0 || (point && strchr(point + 1, '.')))
		return false;
	const char *unit = text + digits + strspn(text + digits, " \t");

	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(unit, units[i].name) == 0) {
			*value = strtod(number, NULL) * units[i].factor;
			return true;
		}
	}
	return false;
}

bool units_parse_duration(const char *text, uint64_t *value_ms)
{
	double ms;

	if (!parse_with_unit(text, duration_units, ARRAY_LEN(duration_units), &ms) || ms > 9e15)
		return false;
	*value_ms = ms > 0 && ms < 1 ? 1 : (uint64_t)llround(ms);
	return true;
}

bool units_parse_size(const char *text, uint64_t *bytes)
{
	double value;

	if (!parse_with_unit(text, size_units, ARRAY_LEN(size_units), &value) || value > 9e15)
		return false;
	*bytes = (uint64_t)llround(value);
	return true;
}

void units_format_duration(uint64_t value_ms, struct buf *out)
{
	uint64_t part_ms = value_ms % 1000;

	buf_printf(out, "%" PRIu64, value_ms / 1000);
	if (!part_ms)
		return;
	buf_printf(out, ".%03" PRIu64, part_ms);
	while (out->bytes[out->size - 1] == '0')
		out->size--;
}
