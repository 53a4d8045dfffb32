/* The table and what is made from it: the reference, the sample, SHOW CONFIG, SET, and the changes of a reload. */
#include "config_testing.h"
#include "pgweir/settings.h"
#include "setting.h"

/* --- Rows --- */

static void every_row_is_complete(void **state)
{
	(void)state;
	for (int kind = 0; kind < SECTION_KINDS; kind++) {
		for (size_t i = 0; i < *section_types[kind].count; i++) {
			const struct setting *setting = &section_types[kind].settings[i];

			assert_true(setting->summary && *setting->summary);
			assert_int_equal(setting->summary[strlen(setting->summary) - 1], '.');
			assert_true(strlen(setting->name) <= 49);
			if (kind != SECTION_PEERS)
				assert_ptr_equal(setting_find((enum section_kind)kind, setting->name), setting);
		}
	}
}

static void every_default_parses_and_is_written_back_as_itself(void **state)
{
	static const struct setting_base base = { .folder = "/" };
	static max_align_t target[sizeof(struct config) / sizeof(max_align_t) + 1];
	struct error error;

	(void)state;
	for (int kind = 0; kind < SECTION_KINDS; kind++) {
		section_init((enum section_kind)kind, target);
		for (size_t i = 0; i < *section_types[kind].count; i++) {
			const struct setting *setting = &section_types[kind].settings[i];
			struct buf once = { 0 }, twice = { 0 };

			if (!setting->default_text)
				continue;
			setting_format(setting, target, &once);
			buf_append_char(&once, '\0');
			assert_true(setting_parse(setting, &base, once.bytes, target, &error));
			setting_format(setting, target, &twice);
			buf_append_char(&twice, '\0');
			assert_string_equal(once.bytes, twice.bytes);
			buf_fini(&once);
			buf_fini(&twice);
		}
		section_clear((enum section_kind)kind, target);
	}
}

/* A password under a name of its own would be shown. */
static void every_password_is_secret(void **state)
{
	(void)state;
	for (int kind = 0; kind < SECTION_KINDS; kind++)
		for (size_t i = 0; i < *section_types[kind].count; i++)
			if (strstr(section_types[kind].settings[i].name, "password"))
				assert_true(section_types[kind].settings[i].secret);
}

/* --- Printed --- */

static char *printed(void (*print)(FILE *out))
{
	FILE *file = tmpfile();
	struct buf text = { 0 };

	assert_non_null(file);
	print(file);
	rewind(file);
	for (int c; (c = fgetc(file)) != EOF; )
		buf_append_char(&text, (char)c);
	fclose(file);
	return buf_take_text(&text);
}

static void reference_and_sample_mention_every_key(void **state)
{
	char *reference = printed(settings_describe), *sample = printed(settings_sample);

	(void)state;
	for (int kind = 0; kind < SECTION_KINDS; kind++) {
		for (size_t i = 0; i < *section_types[kind].count; i++) {
			const struct setting *setting = &section_types[kind].settings[i];
			char *heading = mem_printf("### %s\n", setting->name), *line = mem_printf("\n;%s =", setting->name);

			assert_non_null(strstr(reference, heading));
			assert_non_null(strstr(reference, setting->summary));
			assert_non_null(strstr(sample, line));
			mem_free(heading);
			mem_free(line);
		}
	}
	mem_free(reference);
	mem_free(sample);
}

static void count_change(const struct config_change *change, void *arg)
{
	(void)change;
	++*(int *)arg;
}

static int count_changes(const char *before_text, const char *after_text)
{
	struct config *before = load(before_text), *after = load(after_text);
	int count = 0;

	config_changes(before, after, count_change, &count);
	config_unref(&before);
	config_unref(&after);
	return count;
}

static void the_sample_is_the_defaults(void **state)
{
	char *sample = printed(settings_sample);

	(void)state;
	assert_int_equal(count_changes("", sample), 0);
	mem_free(sample);
}

/* The same with the semicolons taken away: what is written there is the default. */
static void the_sample_says_the_defaults(void **state)
{
	char *sample = printed(settings_sample);
	char *end = strstr(sample, ";[cluster NAME]");

	(void)state;
	*end = '\0';
	for (char *at = sample; (at = strstr(at, "\n;")) != NULL; )
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	assert_int_equal(count_changes("", sample), 0);
	mem_free(sample);
}

static void the_effective_settings_read_back_the_same(void **state)
{
	struct config *config = load("[pgweir]\nquery_timeout = 250ms\nlisten_port = 1\n[cluster c]\nhosts = a*2, [::1]:1\n"
	                             "[database d]\ncluster = c\nconnect_query = \"select 1; select '$${x}'\"\n"
	                             "[user \"a]b\"]\npool_mode = session\n[peers]\n1 = host=a\n");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int count = 0;

	(void)state;
	config_print_effective(config, out);
	fclose(out);
	struct config *again = load(text);

	config_changes(config, again, count_change, &count);
	assert_int_equal(count, 0);
	config_unref(&config);
	config_unref(&again);
	free(text);
}

static void secrets_are_masked(void **state)
{
	struct config *config = load("[user u]\npassword = hunter2\nclient_password = hunter2\n"
	                             "[secret s]\nprovider = static\nvalue = hunter2\n[cluster c]\nhosts = a\n"
	                             "admin_user = a\nadmin_password = hunter2\nprobe_password = hunter2\n"
	                             "[database d]\ncluster = c\nuser = u\npassword = hunter2\n");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	config_print_effective(config, out);
	fclose(out);
	assert_null(strstr(text, "hunter2"));
	assert_non_null(strstr(text, "client_password = ********\n"));
	free(text);
	config_unref(&config);
}

/* --- SHOW CONFIG --- */

struct shown {
	size_t count;
	char *timeout, *timeout_default;
	bool port_changeable, timeout_changeable;
};

static void note_shown(const struct settings_shown *row, void *arg)
{
	struct shown *shown = arg;

	shown->count++;
	if (strcmp(row->key, "listen_port") == 0)
		shown->port_changeable = row->changeable;
	if (strcmp(row->key, "query_wait_timeout") != 0)
		return;
	shown->timeout = mem_strdup(row->value);
	shown->timeout_default = mem_strdup(row->default_value);
	shown->timeout_changeable = row->changeable;
}

/* Exporters written for PgBouncer read plain seconds. */
static void show_config_tells_value_default_and_changeability(void **state)
{
	struct config *config = load("[pgweir]\nquery_wait_timeout = 1.5min\n");
	struct shown shown = { 0 };

	(void)state;
	settings_foreach(config, note_shown, &shown);
	assert_int_equal(shown.count, settings_pgweir_count);
	assert_string_equal(shown.timeout, "90");
	assert_string_equal(shown.timeout_default, "120");
	assert_true(shown.timeout_changeable);
	assert_false(shown.port_changeable);
	mem_free(shown.timeout);
	mem_free(shown.timeout_default);
	config_unref(&config);
}

/* --- Changes --- */

static void note_change(const struct config_change *change, void *arg)
{
	FILE *out = arg;

	if (change->key)
		fprintf(out, "%s.%s %s>%s%s;", change->section, change->key, change->old_value, change->new_value,
			change->needs_restart ? " restart" : "");
	else
		fprintf(out, "%s%s;", change->came ? "+" : "-", change->section);
}

static void changes_name_keys_sections_and_restarts(void **state)
{
	struct config *before = load("[pgweir]\nlisten_port = 1\n[user a]\n[user b]\npassword = x\n[peers]\n1 = host=a\n");
	struct config *after = load("[pgweir]\nlisten_port = 2\nquery_timeout = 3\n[user b]\npassword = y\n[user c]\n"
	                            "[peers]\n2 = host=b\n");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	config_changes(before, after, note_change, out);
	fclose(out);
	assert_string_equal(text, "pgweir.listen_port 1>2 restart;pgweir.query_timeout 0>3;-user a;"
		"user b.password ********>********;+user c;peers.1 host=a port=6432>;peers.2 >host=b port=6432;");
	free(text);
	config_unref(&before);
	config_unref(&after);
}

/* Those of every type, set and not set. */
static void what_needs_a_restart_stays_as_it_is_running(void **state)
{
	const char *const texts[] = {
		"[pgweir]\n",
		"[pgweir]\nlisten_addr = 10.0.0.1, ::1\nlisten_port = 1\nlisten_backlog = 7\nproxy_protocol = 1\nunix_socket_dir = /a\n"
		"unix_socket_mode = 0700\nunix_socket_group = g\nthreads = 3\nlogin_threads = 5\ntcp_defer_accept = 9\n"
		"http_listen = h:80\nhealth_listen = [::1]:81\nmetrics_per_user = 1\npidfile = /p\npeer_id = 4\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *running = load(texts[i]), *config = load(texts[1 - i]);
		char *text = NULL;
		size_t size;
		int count = 0;
		FILE *out = open_memstream(&text, &size);

		config_keep_running(config, running, note_change, out);
		fclose(out);
		for (const char *at = text; (at = strstr(at, " restart;")); at++)
			count++;
		assert_int_equal(count, 15);
		count = 0;
		config_changes(running, config, count_change, &count);
		assert_int_equal(count, 0);
		free(text);
		config_unref(&running);
		config_unref(&config);
	}
}

/* --- SET --- */

static struct config *load_file(const char *path)
{
	struct config_problems problems;
	struct config *config = config_load(path, &problems);

	assert_non_null(config);
	config_problems_fini(&problems);
	return config;
}

static void set_replaces_a_key_and_remembers_those_before(void **state)
{
	struct error error;

	(void)state;
	write_file("t.ini", "[pgweir]\nquery_timeout = 1\n[database d]\nhost = h\n");
	struct config *first = load_file("t.ini");
	struct config *second = config_set(first, "query_timeout", "2", &error);
	struct config *third = config_set(second, "default_pool_size", "7", &error);
	struct config *fourth = config_set(third, "application_name", "${HOME}", &error);
	struct config *reloaded = load_file("t.ini");

	assert_int_equal(first->query_timeout_ms, 1000);
	assert_int_equal(third->query_timeout_ms, 2000);
	assert_int_equal(third->default_pool_size, 7);
	assert_string_equal(third->databases[0].name, "d");
	/* Whoever may SET must not read the environment by it. */
	assert_string_equal(fourth->application_name, "${HOME}");
	assert_int_equal(reloaded->query_timeout_ms, 1000);
	config_unref(&first);
	config_unref(&second);
	config_unref(&third);
	config_unref(&fourth);
	config_unref(&reloaded);
}

static void set_works_where_the_file_has_no_pgweir_section(void **state)
{
	struct error error;

	(void)state;
	write_file("t.ini", "[user u]\n");
	struct config *config = load_file("t.ini");
	struct config *changed = config_set(config, "query_timeout", "2", &error);

	assert_int_equal(changed->query_timeout_ms, 2000);
	config_unref(&config);
	config_unref(&changed);
}

static void expect_set_error(const struct config *config, const char *key, const char *value, const char *sqlstate,
	const char *text)
{
	struct error error;

	assert_null(config_set(config, key, value, &error));
	assert_string_equal(error.sqlstate, sqlstate);
	assert_string_equal(error.text, text);
}

static void set_refuses_what_it_cannot_do(void **state)
{
	(void)state;
	write_file("t.ini", "");
	struct config *config = load_file("t.ini");

	expect_set_error(config, "query_timeuot", "1", "42704",
		"there is no setting \"query_timeuot\"; did you mean \"query_timeout\"?");
	expect_set_error(config, "x", "1", "42704", "there is no setting \"x\"");
	expect_set_error(config, "listen_port", "1", "55P02", "listen_port cannot be changed without a restart");
	expect_set_error(config, "default_pool_size", "0", "22023", "default_pool_size: must be from 1 to 100000");
	expect_set_error(config, "auth_type", "hba", "22023", "SET: auth_type: hba needs auth_hba_file");
	config_unref(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete),
		cmocka_unit_test(every_default_parses_and_is_written_back_as_itself),
		cmocka_unit_test(every_password_is_secret),
		cmocka_unit_test(reference_and_sample_mention_every_key),
		cmocka_unit_test(the_sample_is_the_defaults),
		cmocka_unit_test(the_sample_says_the_defaults),
		cmocka_unit_test(the_effective_settings_read_back_the_same),
		cmocka_unit_test(secrets_are_masked),
		cmocka_unit_test(show_config_tells_value_default_and_changeability),
		cmocka_unit_test(changes_name_keys_sections_and_restarts),
		cmocka_unit_test(what_needs_a_restart_stays_as_it_is_running),
		cmocka_unit_test_setup_teardown(set_replaces_a_key_and_remembers_those_before, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(set_works_where_the_file_has_no_pgweir_section, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(set_refuses_what_it_cannot_do, enter_folder, leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
