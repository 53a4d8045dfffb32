#include "exposition.h"

#include <stdio.h>
#include <string.h>

#include "pgweir/utf8.h"

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

/* buf_printf() would be most of the time that a thousand pools take. */
static void put_number(struct buf *out, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	buf_append(out, digits + at, sizeof(digits) - at);
}

static char *put_text(char *to, const char *text, size_t size)
{
	memcpy(to, text, size);
	return to + size;
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

/* le="0.000064" and so on; made once, since a thousand pools ask for it ninety thousand times. */
static const char *bound_label(unsigned bucket)
{
	static char labels[HISTOGRAM_BOUNDS][24];

	if (!labels[bucket][0])
		snprintf(labels[bucket], sizeof(labels[bucket]), "le=\"%u.%06u\"", (unsigned)(histogram_bound_us(bucket) / 1000000),
			(unsigned)(histogram_bound_us(bucket) % 1000000));
	return labels[bucket];
}

/* Every bound, or every other one. */
void exposition_histogram(struct exposition *to, const char *labels, const struct histogram *histogram, uint64_t sum_us)
{
	unsigned step = to->metric->type == METRIC_FINE_HISTOGRAM ? 1 : 2;
	uint64_t below = 0;

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		below += histogram->counts[i];
		if (i % step)
			continue;
		put_count(to, "_bucket", labels, bound_label(i), below);
	}
	below += histogram->counts[HISTOGRAM_BOUNDS];
	put_count(to, "_bucket", labels, "le=\"+Inf\"", below);
	put_count(to, "_count", labels, "", below);
	put_seconds(to, "_sum", labels, sum_us);
}

void exposition_end(struct exposition *to)
{
	if (to->open)
		buf_append_text(&to->out, "# EOF\n");
}
