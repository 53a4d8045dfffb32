/* SHOW PROVISION: how the users that [provision] sections declare fare. */
#include "pgweir/clock.h"
#include "pgweir/reconcile.h"
#include "show.h"

enum { US_PER_S = 1000 * 1000 };

static const struct column columns[] = {
	{ "name", COLUMN_TEXT },
	{ "cluster", COLUMN_TEXT },
	{ "role", COLUMN_TEXT },
	{ "login", COLUMN_TEXT },               /* Who logs in at the moment: the role, or its clone. */
	{ "secret", COLUMN_TEXT },              /* Its id or path. */
	{ "state", COLUMN_TEXT },
	{ "differences", COLUMN_INT8 },
	{ "extras", COLUMN_INT8 },              /* Privileges beyond the declaration. */
	{ "changed", COLUMN_INT8 },             /* What this process has mended. */
	{ "rotations", COLUMN_INT8 },
	{ "password_age", COLUMN_INT8 },        /* Seconds; null where it is not known. */
	{ "looked", COLUMN_INT8 },              /* Seconds since. */
	{ "problem", COLUMN_TEXT },
	{ "failed_rotations", COLUMN_INT8 },
};
const struct table provision_table = TABLE(columns);

static void put_row(struct result *result, const struct reconcile_row *row)
{
	result_text(result, row->name);
	result_text(result, row->cluster);
	result_text(result, row->role);
	result_text(result, row->login);
	result_text(result, row->place);
	result_text(result, row->looked_us ? provision_outcome_word(row->outcome) : "waiting");
	result_int(result, (int64_t)row->differences);
	result_int(result, (int64_t)row->extras);
	result_int(result, (int64_t)row->changed);
	result_int(result, (int64_t)row->rotations);
	if (row->password_since_s)
		result_int(result, clock_wall_us() / US_PER_S - row->password_since_s);
	else
		result_null(result);
	if (row->looked_us)
		result_int(result, (int64_t)((clock_now_us() - row->looked_us) / US_PER_S));
	else
		result_null(result);
	result_text(result, row->problem);
	result_int(result, (int64_t)row->failed_rotations);
}

void show_provision(struct job *job)
{
	size_t count;
	const struct reconcile_row *rows = reconcile_rows(&count);

	for (size_t i = 0; i < count; i++) {
		result_begin(&job->result);
		put_row(&job->result, &rows[i]);
		result_end(&job->result);
	}
	show_done(job);
}
