/* What the rows about provisioned users put: what the last pass of the running process found. */
#include "metrics.h"
#include "pgweir/clock.h"
#include "pgweir/reconcile.h"

enum { US_PER_S = 1000 * 1000 };

typedef void row_cb(struct exposition *to, const struct reconcile_row *row, const char *labels);

static void each_row(struct exposition *to, row_cb *put)
{
	size_t count;
	const struct reconcile_row *rows = reconcile_rows(&count);

	for (size_t i = 0; i < count; i++) {
		struct buf labels = { 0 };

		if (!rows[i].looked_us)
			continue;
		exposition_label(&labels, "provision", rows[i].name);
		buf_append_char(&labels, '\0');
		put(to, &rows[i], labels.bytes);
		buf_fini(&labels);
	}
}

static void put_state(struct exposition *to, const struct reconcile_row *row, const char *labels)
{
	for (int outcome = PROVISION_CLEAN; outcome <= PROVISION_BUSY; outcome++) {
		struct buf all = { 0 };

		buf_append_text(&all, labels);
		exposition_label(&all, "state", provision_outcome_word((enum provision_outcome)outcome));
		buf_append_char(&all, '\0');
		exposition_count(to, all.bytes, outcome == (int)row->outcome);
		buf_fini(&all);
	}
}

static void put_differences(struct exposition *to, const struct reconcile_row *row, const char *labels)
{
	exposition_count(to, labels, row->differences);
}

static void put_extras(struct exposition *to, const struct reconcile_row *row, const char *labels)
{
	exposition_count(to, labels, row->extras);
}

static void put_changes(struct exposition *to, const struct reconcile_row *row, const char *labels)
{
	exposition_count(to, labels, row->changed);
}

static void put_rotations(struct exposition *to, const struct reconcile_row *row, const char *labels)
{
	exposition_count(to, labels, row->rotations);
}

static void put_age(struct exposition *to, const struct reconcile_row *row, const char *labels)
{
	if (row->password_since_s)
		exposition_number(to, labels, (double)(clock_wall_us() / US_PER_S - row->password_since_s));
}

void metrics_provision_state(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	each_row(to, put_state);
}

void metrics_provision_differences(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	each_row(to, put_differences);
}

void metrics_provision_extras(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	each_row(to, put_extras);
}

void metrics_provision_changes(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	each_row(to, put_changes);
}

void metrics_provision_rotations(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	each_row(to, put_rotations);
}

void metrics_provision_password_age(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	each_row(to, put_age);
}
