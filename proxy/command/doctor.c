#include "doctor.h"

#include <stdarg.h>

#include "command.h"
#include "pgweir/authenticator.h"
#include "pgweir/lease.h"
#include "pgweir/login.h"
#include "pgweir/loop.h"
#include "pgweir/mem.h"
#include "pgweir/secrets.h"
#include "progress.h"

/* --- Findings --- */

void doctor_say(struct doctor *doctor, enum doctor_grade grade, const char *where, const char *advice, const char *format, ...)
{
	va_list arguments;

	doctor->all = mem_realloc(doctor->all, (doctor->count + 1) * sizeof(*doctor->all));
	va_start(arguments, format);
	doctor->all[doctor->count++] = (struct doctor_finding){
		.grade = grade, .where = mem_strdup(where), .what = mem_vprintf(format, arguments), .advice = advice,
	};
	va_end(arguments);
	doctor->of_grade[grade]++;
}

static void doctor_fini(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++) {
		mem_free(doctor->all[i].where);
		mem_free(doctor->all[i].what);
	}
	mem_free(doctor->all);
	*doctor = (struct doctor){ 0 };
}

static const char *const grade_words[DOCTOR_GRADES] = {
	[DOCTOR_GOOD] = "good", [DOCTOR_NOTE] = "note", [DOCTOR_WRONG] = "wrong",
};

static void print_text(const struct doctor *doctor, FILE *out)
{
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_finding *finding = &doctor->all[i];

		fprintf(out, "%-5s  %s: %s\n", grade_words[finding->grade], finding->where, finding->what);
		if (finding->advice)
			fprintf(out, "       -> %s\n", finding->advice);
	}
	fprintf(out, "%zu wrong, %zu to note, %zu good\n", doctor->of_grade[DOCTOR_WRONG], doctor->of_grade[DOCTOR_NOTE],
		doctor->of_grade[DOCTOR_GOOD]);
}

static void print_json_text(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(out, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void print_json(const struct doctor *doctor, FILE *out)
{
	fputs("{\"findings\": [", out);
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_finding *finding = &doctor->all[i];

		fprintf(out, "%s\n{\"grade\": \"%s\", \"where\": ", i ? "," : "", grade_words[finding->grade]);
		print_json_text(finding->where, out);
		fputs(", \"finding\": ", out);
		print_json_text(finding->what, out);
		fputs(", \"advice\": ", out);
		if (finding->advice)
			print_json_text(finding->advice, out);
		else
			fputs("null", out);
		fputc('}', out);
	}
	fprintf(out, "],\n\"wrong\": %zu, \"note\": %zu, \"good\": %zu}\n", doctor->of_grade[DOCTOR_WRONG],
		doctor->of_grade[DOCTOR_NOTE], doctor->of_grade[DOCTOR_GOOD]);
}

/* --- The whole --- */

static void report_problems(struct doctor *doctor, const char *where, struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		doctor_say(doctor, DOCTOR_WRONG, where, "correct the file", "%s", problems->texts[i]);
	for (size_t i = 0; i < problems->warning_count; i++)
		doctor_say(doctor, DOCTOR_WRONG, where, "the text says what to change", "%s", problems->warnings[i]);
	config_problems_fini(problems);
	*problems = (struct config_problems){ 0 };
}

static void look_at_secrets(struct doctor *doctor, const struct config *config)
{
	for (size_t i = 0; i < config->secret_count; i++) {
		const struct config_secret *secret = &config->secrets[i];
		char *where = mem_printf("secret %s", secret->name);
		struct secrets_report report;

		progress_say("reading secret %s", secret->name);
		secrets_read(secret, &report);
		if (!report.good)
			doctor_say(doctor, DOCTOR_WRONG, where, "see `pgweir secret show`, and docs/secrets.md", "cannot be read: %s",
				report.error.text);
		else if (report.warning[0])
			doctor_say(doctor, DOCTOR_NOTE, where, NULL, "%s", report.warning);
		else
			doctor_say(doctor, DOCTOR_GOOD, where, NULL, "%s", report.on_demand ? "makes tokens" : "can be read");
		/* The service would fetch it on the loop, which does not run here. */
		if (report.good && secrets_is_remote(secret)) {
			lease_publish(secret->name, &report.values, NULL);
			report.values = (struct lease_values){ 0 };
		}
		secrets_report_fini(&report);
		mem_free(where);
	}
}

/* That of servers is opened with the connections to them. */
static void look_at_key(struct doctor *doctor, const struct config *config)
{
	struct config_problems problems = { 0 };

	if (config->client_tls.key_secret && !login_check(config, &problems))
		report_problems(doctor, "TLS towards clients", &problems);
}

static void ignore_change(void *arg)
{
	(void)arg;
}

/* What decides about logins in a pgweir that runs decides about them here. */
static void look_through(struct doctor *doctor, struct config *config)
{
	struct loop *loop = loop_new("doctor");
	struct config_problems problems = { 0 };

	auth_start(loop);
	secrets_start(loop, ignore_change, NULL);
	secrets_configure(config);
	bool good = auth_configure(config, &problems);

	report_problems(doctor, "authentication", &problems);
	doctor_look_at_files(doctor, config);
	look_at_secrets(doctor, config);
	look_at_key(doctor, config);
	doctor_look_at_limits(doctor, config);
	if (good)
		doctor_look_at_servers(doctor, config);
	secrets_stop();
	auth_stop();
	loop_free(&loop);
}

enum command_status doctor_command(const struct command_line *line)
{
	struct doctor doctor = { 0 };
	struct config_problems problems = { 0 };
	struct config *config = config_load(line->options[OPTION_CONFIG], &problems);
	bool readable = config;

	log_set_level(LOG_LEVEL_ERROR);
	report_problems(&doctor, "configuration", &problems);
	if (config) {
		doctor_say(&doctor, DOCTOR_GOOD, "configuration", NULL, "can be read");
		look_through(&doctor, config);
	}
	progress_end();
	if (line->options[OPTION_JSON])
		print_json(&doctor, stdout);
	else
		print_text(&doctor, stdout);
	bool good = readable && doctor.of_grade[DOCTOR_WRONG] == 0;

	doctor_fini(&doctor);
	config_unref(&config);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}
