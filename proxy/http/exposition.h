/* Metrics as text: the classic format 0.0.4, or OpenMetrics 1.0. */
#ifndef PGWEIR_HTTP_EXPOSITION_H
#define PGWEIR_HTTP_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/histogram.h"

struct observation;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_FINE_HISTOGRAM };

struct exposition;
struct metric;
typedef void metric_cb(struct exposition *to, const struct metric *metric);

/* A row of the table in metrics.c. */
struct metric {
	const char *name;               /* Without a counter's `_total`; with the unit at its end. */
	enum metric_type type;
	const char *unit;               /* NULL: none. */
	const char *labels;             /* Their names, for people; NULL: none. */
	const char *help;               /* One sentence. */
	metric_cb *put;                 /* Puts the samples. */
	size_t at;                      /* For it: where in a struct the value lies, */
	size_t sum_at;                  /* and a histogram's sum, in microseconds. */
};

struct exposition {
	struct buf out;
	bool open;                      /* OpenMetrics. */
	const struct observation *seen;
	size_t row, first;              /* Of the table, and of its owners: what comes next. */
	size_t next;                    /* Where the row goes on in another turn; 0: it is whole. */
	const struct metric *metric;
	size_t name_size;               /* Of the metric. */
};

const char *metric_type_word(enum metric_type type);

/* Appends name="value", with a comma before it if there is something already. */
void exposition_label(struct buf *labels, const char *name, const char *value);

void exposition_begin(struct exposition *to, const struct metric *metric);      /* HELP, TYPE, UNIT. */
/* One sample of the metric at hand. `labels`: as above, "" for none. */
void exposition_count(struct exposition *to, const char *labels, uint64_t value);
void exposition_seconds(struct exposition *to, const char *labels, uint64_t us);
void exposition_histogram(struct exposition *to, const char *labels, const struct histogram *histogram, uint64_t sum_us);
/* With further labels, written as they are. */
void exposition_count_with(struct exposition *to, const char *labels, const char *more, uint64_t value);
/* With one label. */
void exposition_count_of(struct exposition *to, const char *label, const char *value, uint64_t count);
void exposition_end(struct exposition *to);

#endif
