#include "exposition.h"

#include <stdio.h>
#include <string.h>

#include "pgweir/utf8.h"

enum { DIGITS_MAX = 20 };      /* Of a uint64_t. */

static const char *const words[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
	[METRIC_FINE_HISTOGRAM] = "histogram",
};

const char *metric_type_word(enum metric_type type)
{
	return words[type];
}

void exposition_label(struct buf *labels, const char *name, const char *value)
{
	if (labels->size)
		buf_append_char(labels, ',');
	buf_append_text(labels, name);
	buf_append_text(labels, "=\"");
	while (*value) {
		uint32_t code;
		size_t size = utf8_char(value, &code);

		if (*value == '\\' || *value == '"')
			buf_append_char(labels, '\\');
		if (*value == '\n')
			buf_append_text(labels, "\\n");
		else if (size)
			buf_append(labels, value, size);
		else
			buf_append_char(labels, '?');
		value += size ? size : 1;
	}
	buf_append_char(labels, '"');
}

/* OpenMetrics names the family without `_total`, the classic format with it. */
void exposition_begin(struct exposition *to, const struct metric *metric)
{
	const char *total = metric->type == METRIC_COUNTER && !to->open ? "_total" : "";

	to->metric = metric;
	buf_printf(&to->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", metric->name, total, metric->help, metric->name, total,
		words[metric->type]);
	if (to->open && metric->unit)
		buf_printf(&to->out, "# UNIT %s %s\n", metric->name, metric->unit);
}

static char *put_text(char *to, const char *text, size_t size)
{
	memcpy(to, text, size);
	return to + size;
}

/* Writes at most DIGITS_MAX bytes, and returns what is behind them. */
static char *put_digits(char *to, uint64_t value)
{
	char digits[DIGITS_MAX];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	return put_text(to, digits + at, sizeof(digits) - at);
}

/* buf_printf() would be most of the time that a thousand pools take. */
static void put_number(struct buf *out, uint64_t value)
{
	char *start = buf_reserve(out, DIGITS_MAX);

	out->size += (size_t)(put_digits(start, value) - start);
}

static void put_name(struct exposition *to, const char *suffix, const char *labels, const char *more)
{
	size_t name_size = strlen(to->metric->name), suffix_size = strlen(suffix);
	size_t labels_size = strlen(labels), more_size = strlen(more);
	char *start = buf_reserve(&to->out, name_size + suffix_size + labels_size + more_size + 4);
	char *at = put_text(put_text(start, to->metric->name, name_size), suffix, suffix_size);

	if (labels_size || more_size) {
		*at++ = '{';
		at = put_text(at, labels, labels_size);
		if (labels_size && more_size)
			*at++ = ',';
		at = put_text(at, more, more_size);
		*at++ = '}';
	}
	*at++ = ' ';
	to->out.size += (size_t)(at - start);
}

static const char *suffix_of(const struct metric *metric)
{
	return metric->type == METRIC_COUNTER ? "_total" : "";
}

static void put_count(struct exposition *to, const char *suffix, const char *labels, const char *more, uint64_t value)
{
	put_name(to, suffix, labels, more);
	put_number(&to->out, value);
	buf_append_char(&to->out, '\n');
}

void exposition_count(struct exposition *to, const char *labels, uint64_t value)
{
	put_count(to, suffix_of(to->metric), labels, "", value);
}

static void put_seconds(struct exposition *to, const char *suffix, const char *labels, uint64_t us)
{
	char fraction[8] = ".000000";

	put_name(to, suffix, labels, "");
	put_number(&to->out, us / 1000000);
	us %= 1000000;
	for (int i = 6; i > 0; i--, us /= 10)
		fraction[i] = (char)('0' + us % 10);
	buf_append(&to->out, fraction, 7);
	buf_append_char(&to->out, '\n');
}

void exposition_seconds(struct exposition *to, const char *labels, uint64_t us)
{
	put_seconds(to, suffix_of(to->metric), labels, us);
}

void exposition_count_of(struct exposition *to, const char *label, const char *value, uint64_t count)
{
	struct buf labels = { 0 };

	exposition_label(&labels, label, value);
	buf_append_char(&labels, '\0');
	exposition_count(to, labels.bytes, count);
	buf_fini(&labels);
}

/* What follows le=": its digits, and what is before the count. */
struct bound {
	char text[24];
	size_t size;
};

/* Made once, since a thousand pools ask for it ninety thousand times. */
static const struct bound *bound_at(unsigned bucket)
{
	static struct bound bounds[HISTOGRAM_BOUNDS];
	struct bound *bound = &bounds[bucket];

	if (!bound->size)
		bound->size = (size_t)snprintf(bound->text, sizeof(bound->text), "%u.%06u\"} ",
			(unsigned)(histogram_bound_us(bucket) / 1000000), (unsigned)(histogram_bound_us(bucket) % 1000000));
	return bound;
}

/* Every bound, or every other one. All lines begin alike, and there is room for them before the first is written. */
static uint64_t put_buckets(struct exposition *to, const char *labels, const struct histogram *histogram)
{
	unsigned step = to->metric->type == METRIC_FINE_HISTOGRAM ? 1 : 2;
	struct buf begin = { 0 };
	uint64_t below = 0;

	buf_printf(&begin, "%s_bucket{%s%sle=\"", to->metric->name, labels, *labels ? "," : "");
	char *start = buf_reserve(&to->out, HISTOGRAM_BOUNDS * (begin.size + sizeof(((struct bound *)NULL)->text) + DIGITS_MAX + 1));
	char *at = start;

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		below += histogram->counts[i];
		if (i % step)
			continue;
		const struct bound *bound = bound_at(i);

		at = put_text(put_text(at, begin.bytes, begin.size), bound->text, bound->size);
		at = put_digits(at, below);
		*at++ = '\n';
	}
	to->out.size += (size_t)(at - start);
	buf_fini(&begin);
	return below;
}

void exposition_histogram(struct exposition *to, const char *labels, const struct histogram *histogram, uint64_t sum_us)
{
	uint64_t count = put_buckets(to, labels, histogram) + histogram->counts[HISTOGRAM_BOUNDS];

	put_count(to, "_bucket", labels, "le=\"+Inf\"", count);
	put_count(to, "_count", labels, "", count);
	put_seconds(to, "_sum", labels, sum_us);
}

void exposition_end(struct exposition *to)
{
	if (to->open)
		buf_append_text(&to->out, "# EOF\n");
}
