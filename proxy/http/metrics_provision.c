/* What the rows about backing users put. Sections are an operator's, and few. */
#include "metrics.h"
#include "observation.h"
#include "pgweir/clock.h"
#include "pgweir/reconcile.h"

#define EACH_SECTION(row) \
	size_t row##_count; \
	const struct reconcile_row *row##_all = reconcile_rows(&row##_count); \
	for (const struct reconcile_row *row = row##_all; row < row##_all + row##_count; row++)

/* With one more label where `key` is not NULL. */
static void put(struct exposition *to, const char *name, const char *key, const char *value, uint64_t count)
{
	struct buf labels = { 0 };

	exposition_label(&labels, "provision", name);
	if (key)
		exposition_label(&labels, key, value);
	buf_append_char(&labels, '\0');
	exposition_count(to, labels.bytes, count);
	buf_fini(&labels);
}

static void put_seconds(struct exposition *to, const char *name, uint64_t us)
{
	struct buf labels = { 0 };

	exposition_label(&labels, "provision", name);
	buf_append_char(&labels, '\0');
	exposition_seconds(to, labels.bytes, us);
	buf_fini(&labels);
}

void metrics_provision_state(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	EACH_SECTION(row)
		for (int outcome = PROVISION_CLEAN; outcome <= PROVISION_BUSY; outcome++)
			put(to, row->name, "state", provision_outcome_word((enum provision_outcome)outcome),
				row->looked_us && outcome == (int)row->outcome);
}

#define PROVISION_COUNT(name_, field) \
	void metrics_provision_##name_(struct exposition *to, const struct metric *metric) \
	{ \
		(void)metric; \
		EACH_SECTION(row) \
			put(to, row->name, NULL, NULL, row->field); \
	}
PROVISION_COUNT(differences, differences)
PROVISION_COUNT(extras, extras)
PROVISION_COUNT(changes, changed)

void metrics_provision_rotations(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	EACH_SECTION(row) {
		put(to, row->name, "result", "good", row->rotations);
		put(to, row->name, "result", "failed", row->failed_rotations);
	}
}

void metrics_provision_password_age(struct exposition *to, const struct metric *metric)
{
	int64_t now_us = clock_wall_us();

	(void)metric;
	EACH_SECTION(row)
		if (row->password_since_s && now_us > row->password_since_s * 1000000)
			put_seconds(to, row->name, (uint64_t)(now_us - row->password_since_s * 1000000));
}

void metrics_provision_look_age(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	EACH_SECTION(row)
		if (row->looked_us)
			put_seconds(to, row->name, observation_age_us(to->seen, row->looked_us));
}
