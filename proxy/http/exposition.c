#include "exposition.h"

#include <stdio.h>
#include <string.h>

#include "pgweir/utf8.h"

enum {
	DIGITS_MAX = 20,                /* Of a uint64_t. */
	NUMBER_MAX = DIGITS_MAX + 7,    /* With a fraction. */
};

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
	to->name_size = strlen(metric->name);
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

/* The beginning of a line, and where its number goes: there is room for it and the end. A thousand pools have a hundred
 * thousand lines, which is why they are not printed with a format. */
static char *begin_line(struct exposition *to, const char *suffix, const char *labels, const char *more)
{
	size_t suffix_size = strlen(suffix), labels_size = strlen(labels), more_size = strlen(more);
	char *at = buf_reserve(&to->out, to->name_size + suffix_size + labels_size + more_size + NUMBER_MAX + 8);

	at = put_text(put_text(at, to->metric->name, to->name_size), suffix, suffix_size);
	if (labels_size || more_size) {
		*at++ = '{';
		at = put_text(at, labels, labels_size);
		if (labels_size && more_size)
			*at++ = ',';
		at = put_text(at, more, more_size);
		*at++ = '}';
	}
	*at++ = ' ';
	return at;
}

static void end_line(struct exposition *to, char *at)
{
	*at++ = '\n';
	to->out.size = (size_t)(at - to->out.bytes);
}

static const char *suffix_of(const struct metric *metric)
{
	return metric->type == METRIC_COUNTER ? "_total" : "";
}

static void put_count(struct exposition *to, const char *suffix, const char *labels, const char *more, uint64_t value)
{
	end_line(to, put_digits(begin_line(to, suffix, labels, more), value));
}

void exposition_count(struct exposition *to, const char *labels, uint64_t value)
{
	put_count(to, suffix_of(to->metric), labels, "", value);
}

void exposition_count_with(struct exposition *to, const char *labels, const char *more, uint64_t value)
{
	put_count(to, suffix_of(to->metric), labels, more, value);
}

static void put_seconds(struct exposition *to, const char *suffix, const char *labels, uint64_t us)
{
	char fraction[] = ".000000";
	char *at = put_digits(begin_line(to, suffix, labels, ""), us / 1000000);

	us %= 1000000;
	for (int i = 6; i > 0; i--, us /= 10)
		fraction[i] = (char)('0' + us % 10);
	end_line(to, put_text(at, fraction, sizeof(fraction) - 1));
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

/* What is before a bound; returns its end. */
static char *put_bucket_begin(char *at, const struct exposition *to, const char *labels, size_t labels_size)
{
	at = put_text(put_text(at, to->metric->name, to->name_size), "_bucket{", 8);
	at = put_text(at, labels, labels_size);
	if (labels_size)
		*at++ = ',';
	return put_text(at, "le=\"", 4);
}

/* Every bound, or every other one. All lines begin as the first, and there is room for them before it is written. */
static uint64_t put_buckets(struct exposition *to, const char *labels, const struct histogram *histogram)
{
	unsigned step = to->metric->type == METRIC_FINE_HISTOGRAM ? 1 : 2;
	size_t labels_size = strlen(labels);
	uint64_t below = 0;
	const char *first = buf_reserve(&to->out,
		HISTOGRAM_BOUNDS * (to->name_size + labels_size + sizeof(((struct bound *)NULL)->text) + DIGITS_MAX + 16));
	char *at = put_bucket_begin(to->out.bytes + to->out.size, to, labels, labels_size);
	size_t begin_size = (size_t)(at - first);

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		below += histogram->counts[i];
		if (i % step)
			continue;
		const struct bound *bound = bound_at(i);

		if (i)
			at = put_text(at, first, begin_size);
		at = put_text(at, bound->text, bound->size);
		at = put_digits(at, below);
		*at++ = '\n';
	}
	to->out.size = (size_t)(at - to->out.bytes);
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
