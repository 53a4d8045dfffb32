#include "provision_command.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/provision.h"
#include "pgweir/secrets.h"

enum { LOCK_WAIT_MS = 60 * 1000 };

typedef void act_cb(const struct provision_run *run, const struct provision_command *command,
	const struct config_provision *section, struct provision_report *report);

static void act_plan(const struct provision_run *run, const struct provision_command *command,
	const struct config_provision *section, struct provision_report *report)
{
	(void)command;
	provision_plan(run, section, report);
}

static void act_apply(const struct provision_run *run, const struct provision_command *command,
	const struct config_provision *section, struct provision_report *report)
{
	(void)command;
	provision_apply(run, section, report);
}

static void act_rotate(const struct provision_run *run, const struct provision_command *command,
	const struct config_provision *section, struct provision_report *report)
{
	(void)command;
	provision_rotate(run, section, report);
}

static void act_drop(const struct provision_run *run, const struct provision_command *command,
	const struct config_provision *section, struct provision_report *report)
{
	provision_drop(run, section, command->yes, report);
	if (!command->yes && report->outcome == PROVISION_DRIFTED)
		fprintf(stderr, "pgweir: nothing was changed; with --yes this is done\n");
}

static const struct act {
	const char *word;
	act_cb *run;
	bool differences_fail;          /* Exit status 1 where something is not as declared. */
	bool changes;                   /* What is listed is what is left to do. */
	bool brief;                     /* Without the plan. */
} acts[] = {
	{ .word = "plan", .run = act_plan },
	{ .word = "apply", .run = act_apply, .differences_fail = true, .changes = true },
	{ .word = "check", .run = act_plan, .differences_fail = true },
	{ .word = "show", .run = act_plan, .brief = true },
	{ .word = "rotate", .run = act_rotate, .changes = true },
	{ .word = "drop", .run = act_drop, .differences_fail = true, .changes = true },
};

static const struct act *find_act(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		if (strcmp(acts[i].word, word) == 0)
			return &acts[i];
	return NULL;
}

/* --- For people --- */

static void print_steps(const struct provision_report *report)
{
	for (size_t i = 0; i < report->plan.count; i++) {
		const struct step *step = &report->plan.steps[i];

		printf("  %-8s %s%s%s%s\n", provision_step_word(step->kind), *step->database ? "database " : "", step->database,
			*step->database ? ": " : "", step->what);
		if (step->sql && step->kind != STEP_EXTRA)
			printf("           %s;\n", step->sql);
	}
}

static size_t differences(const struct provision_report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->plan.count; i++)
		count += report->plan.steps[i].kind == STEP_CHANGE || report->plan.steps[i].kind == STEP_BLOCKED;
	return count;
}

static void print_head(const struct act *act, const struct provision_report *report)
{
	const char *role = report->role ? report->role : "(its name is not chosen yet)";

	printf("provision %s: user %s, secret %s", report->section->name, role, report->place ? report->place : "?");
	if (report->user && report->role && strcmp(report->user, report->role) != 0)
		printf(", logs in as %s", report->user);
	if (report->outcome == PROVISION_FAILED || report->outcome == PROVISION_BUSY)
		printf(": %s: %s\n", provision_outcome_word(report->outcome), report->error.text);
	else if (act->changes)
		printf(": %zu changes made, %zu differences left\n", report->changed, differences(report));
	else
		printf(": %zu differences\n", differences(report));
}

static void print_show(const struct provision_report *report)
{
	const struct config_provision *section = report->section;

	printf("name      %s\nuser      %s\nsecret    %s\ndatabases %s\nschemas   %s\nstate     %s\n", section->name,
		report->role ? report->role : "", report->place ? report->place : "", section->databases ? section->databases : "",
		section->schemas ? section->schemas : "public", provision_outcome_word(report->outcome));
	if (report->user)
		printf("login     %s\n", report->user);
	if (report->outcome == PROVISION_FAILED)
		printf("problem   %s\n", report->error.text);
}

/* --- For programs --- */

static json_t *text_or_null(const char *text)
{
	json_t *made = text ? json_string(text) : NULL;

	return made ? made : json_null();
}

static json_t *steps_as_json(const struct provision_report *report)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < report->plan.count; i++) {
		const struct step *step = &report->plan.steps[i];
		json_t *object = json_object();

		json_object_set_new(object, "kind", json_string(provision_step_word(step->kind)));
		json_object_set_new(object, "database", *step->database ? text_or_null(step->database) : json_null());
		json_object_set_new(object, "what", text_or_null(step->what));
		json_object_set_new(object, "sql", text_or_null(step->sql));
		json_array_append_new(steps, object);
	}
	return steps;
}

static json_t *as_json(const struct act *act, const struct provision_report *report)
{
	const struct config_provision *section = report->section;
	const char *rest = section->databases;
	json_t *object = json_object(), *databases = json_array();
	bool good;
	char *name;

	while ((name = config_name_next(&rest, &good))) {
		json_array_append_new(databases, text_or_null(name));
		mem_free(name);
	}
	json_object_set_new(object, "name", text_or_null(section->name));
	json_object_set_new(object, "cluster", text_or_null(section->cluster_name));
	json_object_set_new(object, "role", text_or_null(report->role));
	json_object_set_new(object, "login", text_or_null(report->user));
	json_object_set_new(object, "secret", text_or_null(report->place));
	json_object_set_new(object, "databases", databases);
	json_object_set_new(object, "state", json_string(provision_outcome_word(report->outcome)));
	json_object_set_new(object, "changed", json_integer((json_int_t)report->changed));
	json_object_set_new(object, "rotated", json_boolean(report->rotated));
	json_object_set_new(object, "rotation_due", json_boolean(report->rotation_due));
	json_object_set_new(object, "error", text_or_null(report->error.text[0] ? report->error.text : NULL));
	if (!act->brief)
		json_object_set_new(object, "steps", steps_as_json(report));
	return object;
}

/* --- Running --- */

static void note(const char *text, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static bool is_good(const struct act *act, const struct provision_report *report)
{
	if (report->outcome == PROVISION_FAILED || report->outcome == PROVISION_BUSY)
		return false;
	return report->outcome == PROVISION_CLEAN || !act->differences_fail;
}

static bool run_one(const struct act *act, const struct provision_command *command, const struct config_provision *section,
	json_t *all)
{
	struct provision_run run = { .config = command->config, .lock_wait_ms = LOCK_WAIT_MS, .note = note,
		.reassign_to = command->reassign_to, .crash_at = command->crash_at };
	struct provision_report report;

	act->run(&run, command, section, &report);
	if (command->json) {
		json_array_append_new(all, as_json(act, &report));
	} else if (act->brief) {
		print_show(&report);
	} else {
		print_head(act, &report);
		print_steps(&report);
	}
	bool good = is_good(act, &report);

	provision_report_fini(&report);
	return good;
}

static bool run_named(const struct act *act, const struct provision_command *command, json_t *all)
{
	bool good = true;

	for (size_t i = 0; i < command->name_count; i++) {
		const struct config_provision *section = config_find_provision(command->config, command->names[i]);

		if (!section)
			fprintf(stderr, "pgweir: there is no [provision %s]\n", command->names[i]);
		good = section && run_one(act, command, section, all) && good;
	}
	return good;
}

bool provision_command_run(const struct provision_command *command)
{
	const struct act *act = find_act(command->act);
	bool good = true;

	secrets_json_prepare();
	secrets_publish_keys(command->config, true);
	json_t *all = json_array();

	if (command->name_count)
		good = run_named(act, command, all);
	for (size_t i = 0; i < command->config->provision_count && !command->name_count; i++)
		good = run_one(act, command, &command->config->provisions[i], all) && good;
	if (command->json) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	}
	json_decref(all);
	lease_forget_all();
	return good;
}
