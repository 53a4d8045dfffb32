/* Metrics as text, in both formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "exposition.h"
#include "metrics.h"

static const struct metric counter = { .name = "pgweir_x_seconds", .type = METRIC_COUNTER, .unit = "seconds", .help = "Help." };
static const struct metric coarse = { .name = "pgweir_h_seconds", .type = METRIC_HISTOGRAM, .unit = "seconds", .help = "Help." };

static char *finish(struct exposition *to)
{
	static char text[8192];

	exposition_end(to);
	assert_true(to->out.size < sizeof(text));
	buf_append_char(&to->out, '\0');
	snprintf(text, sizeof(text), "%s", to->out.bytes);
	buf_fini(&to->out);
	return text;
}

static void a_counter_is_named_as_its_format_wants(void **state)
{
	struct exposition classic = { 0 }, open = { .open = true };

	(void)state;
	exposition_begin(&classic, &counter);
	exposition_seconds(&classic, "a=\"b\"", 1000050);
	assert_string_equal(finish(&classic), "# HELP pgweir_x_seconds_total Help.\n# TYPE pgweir_x_seconds_total counter\n"
		"pgweir_x_seconds_total{a=\"b\"} 1.000050\n");
	exposition_begin(&open, &counter);
	exposition_count(&open, "", 18446744073709551615u);
	assert_string_equal(finish(&open), "# HELP pgweir_x_seconds Help.\n# TYPE pgweir_x_seconds counter\n"
		"# UNIT pgweir_x_seconds seconds\npgweir_x_seconds_total 18446744073709551615\n# EOF\n");
}

static void buckets_are_cumulative_and_the_last_one_counts_all(void **state)
{
	struct exposition to = { 0 };
	struct histogram histogram = { 0 };

	(void)state;
	histogram_note(&histogram, 10);
	histogram_note(&histogram, 100);
	histogram_note(&histogram, UINT64_MAX);
	exposition_begin(&to, &coarse);
	exposition_histogram(&to, "d=\"x\"", &histogram, 7);
	const char *text = finish(&to);

	assert_non_null(strstr(text, "_bucket{d=\"x\",le=\"0.000064\"} 1\npgweir_h_seconds_bucket{d=\"x\",le=\"0.000256\"} 2\n"));
	assert_non_null(strstr(text, "le=\"67.108864\"} 2\npgweir_h_seconds_bucket{d=\"x\",le=\"+Inf\"} 3\n"
		"pgweir_h_seconds_count{d=\"x\"} 3\npgweir_h_seconds_sum{d=\"x\"} 0.000007\n"));
}

/* A label is whatever a client asked for as the name of its database. */
static void no_label_can_break_out_of_its_quotes(void **state)
{
	struct buf labels = { 0 };

	(void)state;
	exposition_label(&labels, "a", "x\"} 1\n\\\xff\xc3\xa9");
	exposition_label(&labels, "b", "");
	buf_append_char(&labels, '\0');
	assert_string_equal(labels.bytes, "a=\"x\\\"} 1\\n\\\\?\xc3\xa9\",b=\"\"");
	buf_fini(&labels);
}

static void openmetrics_is_sent_to_those_who_take_it(void **state)
{
	(void)state;
	assert_false(metrics_wants_open(NULL));
	assert_false(metrics_wants_open("text/html, */*"));
	assert_true(metrics_wants_open("application/openmetrics-text"));
	assert_true(metrics_wants_open("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3"));
	assert_false(metrics_wants_open("application/openmetrics-text;q=0,text/plain"));
	assert_false(metrics_wants_open("application/openmetrics-text; q=0.00"));
	assert_true(metrics_wants_open("application/openmetrics-text,text/plain;q=0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_is_named_as_its_format_wants),
		cmocka_unit_test(buckets_are_cumulative_and_the_last_one_counts_all),
		cmocka_unit_test(no_label_can_break_out_of_its_quotes),
		cmocka_unit_test(openmetrics_is_sent_to_those_who_take_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
