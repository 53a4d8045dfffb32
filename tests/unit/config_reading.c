/* Files to values: lines, quotes, the environment, includes, and every way to get them wrong. */
#include "config_testing.h"

/* --- What is reported --- */

static void all_problems_come_at_once_in_order_of_the_file(void **state)
{
	(void)state;
	/* Unknown keys are found while reading, bad values and references after it. */
	EXPECT_PROBLEMS("[pgweir]\n"
	                "listen_port = none\n"
	                "pool_size = 3\n"
	                "[database app]\n"
	                "cluster = mian\n"
	                "what\n"
	                "[cluster main]\n"
	                "hosts = db1:0\n",
		"t.ini:2: listen_port: must be a whole number",
		"t.ini:3: [pgweir] has no key \"pool_size\"; did you mean \"pool_mode\"?",
		"t.ini:5: cluster: there is no [cluster mian]; did you mean \"main\"?",
		"t.ini:6: neither a [section] nor a key = value",
		"t.ini:8: hosts: the port of \"db1:0\" is not a number from 1 to 65535");
}

static void an_unknown_key_names_the_nearest(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlisten_prot = 1\n",
		"t.ini:2: [pgweir] has no key \"listen_prot\"; did you mean \"listen_port\"?");
}

static void a_key_far_from_all_names_none(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nxyzzy = 1\n", "t.ini:2: [pgweir] has no key \"xyzzy\"");
}

static void a_key_that_only_pgbouncer_has_says_what_is_instead(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nserver_fast_close = 1\n[database a]\nhost = h\nreserve_pool = 1\n",
		"t.ini:2: [pgweir] has no key \"server_fast_close\" as PgBouncer has: RECONNECT replaces connections as they become free",
		"t.ini:5: [database] has no key \"reserve_pool\" as PgBouncer has: it is reserve_pool_size here");
	EXPECT_PROBLEMS("[pgbouncer]\nlisten_port = 1\n",
		"t.ini:1: there is no section [pgbouncer]; \"pgweir import-pgbouncer\" translates files of PgBouncer's");
}

static void an_unknown_section_names_the_nearest_and_its_keys_are_not_reported(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[databases]\napp = host=db1\nother = host=db2\n",
		"t.ini:1: there is no section [databases]; did you mean [database NAME]?");
}

static void malformed_headers_are_errors(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir\n[pgweir] x\n[pgweir a]\n[user]\n[]\n",
		"t.ini:1: a section's header has the form [kind] or [kind NAME]",
		"t.ini:2: a section's header has the form [kind] or [kind NAME]",
		"t.ini:3: [pgweir] takes no name",
		"t.ini:4: [user] needs a name: [user NAME]",
		"t.ini:5: there is no section []");
}

static void a_key_before_any_section_is_an_error(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("listen_port = 1\n", "t.ini:1: \"listen_port\" stands before the first section");
}

static void a_key_set_twice_is_an_error(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlisten_port = 1\n[pgweir]\nlisten_port = 2\n",
		"t.ini:4: listen_port is set a second time; the first is at t.ini:2");
}

static void a_section_that_appears_twice_is_an_error(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[user a]\n[user a]\n", "t.ini:2: [user a] appears a second time; the first is at t.ini:1");
}

static void a_file_of_rubbish_ends_its_report(void **state)
{
	char text[2 * 1000 + 1] = "";
	struct config_problems problems;

	(void)state;
	for (int i = 0; i < 1000; i++)
		memcpy(text + 2 * i, "x\n", 2);
	assert_null(config_load_text("t.ini", text, strlen(text), &problems));
	assert_int_equal(problems.count, 201);
	assert_string_equal(problems.texts[200], "… and 800 more");
	config_problems_fini(&problems);
}

static void a_missing_file_is_an_error(void **state)
{
	(void)state;
	expect_file_problem("none.ini", "none.ini: cannot be read: No such file or directory");
}

/* --- Lines --- */

static char *line_of(size_t size)
{
	char *line = mem_alloc(size + 1);

	memset(line, 'x', size);
	memcpy(line, "application_name = ", 19);
	return line;
}

static void a_line_of_199_bytes_is_read_whole(void **state)
{
	char *line = line_of(199);
	char *text = mem_printf("[pgweir]\n%s\nlisten_port = 1\n", line);
	struct config *config = load(text);

	(void)state;
	assert_int_equal(strlen(config->application_name), 199 - 19);
	assert_int_equal(config->listen_port, 1);
	config_unref(&config);
	mem_free(text);
	mem_free(line);
}

/* inih would take the rest of the line for the next one. */
static void a_line_of_200_bytes_is_an_error(void **state)
{
	char *line = line_of(200);
	char *text = mem_printf("[pgweir]\n%s\nlisten_port = 1\n", line);

	(void)state;
	EXPECT_PROBLEMS(text,
		"t.ini:2: the line has 200 bytes; 199 are read: break the value over several lines, indented");
	mem_free(text);
	mem_free(line);
}

static void a_comment_may_be_longer(void **state)
{
	char *line = line_of(500);
	char *text = mem_printf("# %s\n[pgweir]\n; %s\nlisten_port = 1\n", line, line);
	struct config *config = load(text);

	(void)state;
	assert_int_equal(config->listen_port, 1);
	config_unref(&config);
	mem_free(text);
	mem_free(line);
}

/* inih keeps 49 bytes of a section's name; PostgreSQL's names have 63. */
static void long_section_names_are_not_cut(void **state)
{
	const char *name = "a_database_whose_name_has_all_of_the_sixty_three_bytes_there_are";
	char *text = mem_printf("[database %s]\nhost = h\n", name);
	struct config *config = load(text);

	(void)state;
	assert_string_equal(config->databases[0].name, name);
	config_unref(&config);
	mem_free(text);
}

static void a_key_that_inih_would_cut_is_an_error(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\na_key_of_more_than_the_forty_nine_bytes_that_inih_keeps = 1\n",
		"t.ini:2: there is no key with so long a name");
}

static void indented_lines_continue_a_value(void **state)
{
	struct config *config = load("[cluster c]\nhosts = a,\n  # not this\n\n  b:1, ; nor this\n\tc\nprobe_user = p\n");

	(void)state;
	assert_int_equal(config->clusters[0].host_count, 3);
	assert_string_equal(config->clusters[0].hosts[1].host, "b");
	assert_string_equal(config->clusters[0].hosts[2].host, "c");
	assert_string_equal(config->clusters[0].probe_user, "p");
	config_unref(&config);
}

static void quoted_parts_join_without_a_blank(void **state)
{
	struct config *config = load("[secret s]\nprovider = aws-secrets-manager\nid =\n  \"arn:aws:\"\n  'secretsmanager'\n"
	                             "json_key = a\n  b\n");

	(void)state;
	assert_string_equal(config->secrets[0].id, "arn:aws:secretsmanager");
	assert_string_equal(config->secrets[0].json_key, "a b");
	config_unref(&config);
}

/* `'a'` alone on a line would otherwise lose its quotes. */
static void a_plain_value_keeps_the_quotes_of_all_its_lines(void **state)
{
	struct config *config = load("[database d]\nhost = h\nconnect_query = select\n  'a'\n");

	(void)state;
	assert_string_equal(config->databases[0].connect_query, "select 'a'");
	config_unref(&config);
}

static void a_quoted_value_is_quoted_on_all_lines(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlogfile = 'a'\n  b\n", "t.ini:3: the value above is quoted, and so must be all of its lines");
}

static void an_indented_known_key_is_an_error(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlogfile = l\n  listen_port = 1\n",
		"t.ini:3: \"listen_port =\" is indented, which makes it a part of the value above; remove the blanks before it, or "
		"quote the whole value");
}

static void an_indented_unknown_key_is_part_of_the_value(void **state)
{
	struct config *config = load("[database d]\nhost = h\nconnect_query = select set_config(\n  'a', x = 3)\n");

	(void)state;
	assert_string_equal(config->databases[0].connect_query, "select set_config( 'a', x = 3)");
	config_unref(&config);
}

static void an_indented_header_is_an_error_but_an_address_is_not(void **state)
{
	struct config *config = load("[cluster c]\nhosts = a,\n  [::1]:5433\n");

	(void)state;
	assert_string_equal(config->clusters[0].hosts[1].host, "::1");
	config_unref(&config);
	EXPECT_PROBLEMS("[pgweir]\nlogfile = l\n  [user u]\n",
		"t.ini:3: the header is indented, which makes it a part of the value above");
}

/* The rest of a refused value must not end up in the value before it. */
static void what_continues_a_refused_key_is_skipped(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlogfile = l\nlogfiel = a\n  b\n  c = d\n",
		"t.ini:3: [pgweir] has no key \"logfiel\"; did you mean \"logfile\"?");
}

static void control_characters_are_errors(void **state)
{
	struct config_problems problems;
	const char text[] = "[pgweir]\nlogfile = a\0b\n";

	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlogfile = a\x01" "b\n", "t.ini:2: the line has a control character (0x01 at byte 12)");
	assert_null(config_load_text("t.ini", text, sizeof(text) - 1, &problems));
	assert_string_equal(problems.texts[0], "t.ini:2: the line has a control character (0x00 at byte 12)");
	config_problems_fini(&problems);
}

static void windows_line_ends_a_byte_order_mark_and_a_missing_last_newline_do_no_harm(void **state)
{
	struct config *config = load("\xef\xbb\xbf[pgweir]\r\nlisten_port = 1\r\nlogfile = /l");

	(void)state;
	assert_int_equal(config->listen_port, 1);
	assert_string_equal(config->logfile, "/l");
	config_unref(&config);
}

static void an_empty_text_is_a_configuration(void **state)
{
	struct config *config = load("");

	(void)state;
	assert_int_equal(config->listen_port, 6432);
	config_unref(&config);
}

/* --- Quotes and comments --- */

static void semicolons_and_blanks_survive_in_quotes(void **state)
{
	struct config *config = load("[user u]\npassword = \" a ; b;c \" ; a comment\n"
	                             "[user v]\npassword = 'it''s \"x\"'\n[user w]\npassword = a;b ; c\n");

	(void)state;
	assert_string_equal(config->users[0].password, " a ; b;c ");
	assert_string_equal(config->users[1].password, "it's \"x\"");
	assert_string_equal(config->users[2].password, "a;b");
	config_unref(&config);
}

static void quotes_inside_a_value_are_its_own(void **state)
{
	struct config *config = load("[database d]\nhost = h\nconnect_query = select 'a', \"b\"\n");

	(void)state;
	assert_string_equal(config->databases[0].connect_query, "select 'a', \"b\"");
	config_unref(&config);
}

static void a_quote_that_is_not_closed_is_an_error(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlogfile = \"a\n", "t.ini:2: the quote that opens the value is not closed on this line");
}

static void text_behind_a_quote_is_an_error(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlogfile = 'a' b\n",
		"t.ini:2: something follows the closing quote; a value is quoted as a whole, with quotes inside it doubled");
}

/* inih would cut the query at the semicolon. */
static void a_comment_inside_quotes_is_an_error(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nserver_check_query = select 'a ; b'\n",
		"t.ini:2: a comment would start inside quotes; quote the whole value");
}

static void section_names_may_be_quoted(void **state)
{
	struct config *config = load("[user \"a]b\"]\n[user 'c d' ] ; comment\n[user\te f ]\n");

	(void)state;
	assert_non_null(config_find_user(config, "a]b"));
	assert_non_null(config_find_user(config, "c d"));
	assert_non_null(config_find_user(config, "e f"));
	config_unref(&config);
}

/* --- The environment --- */

static void the_environment_is_expanded_once(void **state)
{
	(void)state;
	setenv("CONFIG_TEST_PART", "${HOME} ; $$x", 1);
	struct config *config = load("[user u]\npassword = a${CONFIG_TEST_PART}$$b$c\n[user v]\npassword = \"${CONFIG_TEST_PART}\"\n");

	assert_string_equal(config->users[0].password, "a${HOME} ; $$x$b$c");
	assert_string_equal(config->users[1].password, "${HOME} ; $$x");
	config_unref(&config);
}

static void an_unset_variable_is_an_error(void **state)
{
	(void)state;
	unsetenv("CONFIG_TEST_UNSET");
	EXPECT_PROBLEMS("[pgweir]\nlogfile = ${CONFIG_TEST_UNSET}\npidfile = ${\n",
		"t.ini:2: logfile: the environment has no CONFIG_TEST_UNSET",
		"t.ini:3: pidfile: ${ must be followed by a name and }; a dollar sign is written $$");
}

static void a_bad_value_is_never_shown(void **state)
{
	(void)state;
	setenv("CONFIG_TEST_PASSWORD", "hunter2", 1);
	EXPECT_PROBLEMS("[pgweir]\nlisten_port = ${CONFIG_TEST_PASSWORD}\n", "t.ini:2: listen_port: must be a whole number");
}

/* --- Includes --- */

static void an_included_file_continues_the_section_and_leaves_it(void **state)
{
	struct config_problems problems;

	(void)state;
	mkdir("sub", 0700);
	write_file("main.ini", "[pgweir]\n%include sub/a.ini ; more\n  listen_backlog = 5\nlisten_port = 2\n");
	write_file("sub/a.ini", "threads = 3\n%include b.ini\n[user u]\n");
	write_file("sub/b.ini", "login_threads = 4\n");
	struct config *config = config_load("main.ini", &problems);

	assert_non_null(config);
	assert_int_equal(config->threads, 3);
	assert_int_equal(config->login_threads, 4);
	assert_int_equal(config->listen_backlog, 5);
	assert_int_equal(config->listen_port, 2);
	assert_non_null(config_find_user(config, "u"));
	config_unref(&config);
	config_problems_fini(&problems);
}

static void a_pattern_includes_all_that_match(void **state)
{
	struct config_problems problems;

	(void)state;
	mkdir("conf.d", 0700);
	write_file("main.ini", "%include conf.d/*.ini\n%include none.d/*.ini\n");
	write_file("conf.d/1.ini", "[user a]\n");
	write_file("conf.d/2.ini", "[user b]\n");
	struct config *config = config_load("main.ini", &problems);

	assert_int_equal(config->user_count, 2);
	assert_string_equal(config->users[1].name, "b");
	config_unref(&config);
	config_problems_fini(&problems);
}

static void problems_name_the_included_file(void **state)
{
	struct config_problems problems;

	(void)state;
	write_file("main.ini", "[pgweir]\nx = 1\n%include a.ini\nlisten_port = x\n");
	write_file("a.ini", "\nthreads = many\n");
	assert_null(config_load("main.ini", &problems));
	assert_int_equal(problems.count, 3);
	assert_string_equal(problems.texts[0], "main.ini:2: [pgweir] has no key \"x\"");
	assert_string_equal(problems.texts[1], "a.ini:2: threads: must be a whole number");
	assert_string_equal(problems.texts[2], "main.ini:4: listen_port: must be a whole number");
	config_problems_fini(&problems);
}

static void a_missing_include_is_an_error(void **state)
{
	(void)state;
	write_file("main.ini", "%include none.ini\n");
	expect_file_problem("main.ini", "main.ini:1: %include: cannot read none.ini: No such file or directory");
}

static void an_include_without_a_file_is_an_error(void **state)
{
	(void)state;
	write_file("main.ini", "%include\n");
	expect_file_problem("main.ini", "main.ini:1: %include: a file must follow");
}

static void a_file_cannot_include_itself(void **state)
{
	(void)state;
	write_file("main.ini", "%include a.ini\n");
	write_file("a.ini", "%include main.ini\n");
	expect_file_problem("main.ini", "a.ini:1: %include: main.ini would include itself");
}

/* The same file under ever new names. */
static void includes_go_only_so_deep(void **state)
{
	(void)state;
	write_file("main.ini", "%include ./main.ini\n");
	expect_file_problem("main.ini", "././././././././main.ini:1: %include: more than 8 files deep");
}

static void text_from_memory_includes_nothing(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("%include /etc/passwd\n", "t.ini:1: %include is not allowed here");
}

/* --- Files that bear secrets --- */

static size_t warnings_with_mode(const char *text, mode_t mode, char **problem)
{
	struct config_problems problems;

	write_file("main.ini", text);
	chmod("main.ini", mode);
	struct config *config = config_load("main.ini", &problems);
	size_t count = problems.warning_count;

	*problem = problems.count ? mem_strdup(problems.texts[0]) : NULL;
	config_unref(&config);
	config_problems_fini(&problems);
	return count;
}

static void a_secret_that_everybody_may_read_is_warned_of(void **state)
{
	char *problem;

	(void)state;
	setenv("CONFIG_TEST_PASSWORD", "hunter2", 1);
	assert_int_equal(warnings_with_mode("[user u]\npassword = x\n", 0600, &problem), 0);
	assert_int_equal(warnings_with_mode("[user u]\npassword = x\n[user v]\npassword = x\n", 0644, &problem), 1);
	assert_int_equal(warnings_with_mode("[user u]\n", 0644, &problem), 0);
	/* The secret is not in the file. */
	assert_int_equal(warnings_with_mode("[user u]\npassword = ${CONFIG_TEST_PASSWORD}\n", 0644, &problem), 0);
	assert_null(problem);
}

static void a_secret_in_a_file_that_everybody_may_write_is_refused(void **state)
{
	char *problem;

	(void)state;
	warnings_with_mode("[user u]\npassword = x\n", 0666, &problem);
	assert_string_equal(problem, "main.ini: holds a secret (line 2) and everybody may write to it: chmod o-rwx");
	mem_free(problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_problems_come_at_once_in_order_of_the_file),
		cmocka_unit_test(an_unknown_key_names_the_nearest),
		cmocka_unit_test(a_key_far_from_all_names_none),
		cmocka_unit_test(a_key_that_only_pgbouncer_has_says_what_is_instead),
		cmocka_unit_test(an_unknown_section_names_the_nearest_and_its_keys_are_not_reported),
		cmocka_unit_test(malformed_headers_are_errors),
		cmocka_unit_test(a_key_before_any_section_is_an_error),
		cmocka_unit_test(a_key_set_twice_is_an_error),
		cmocka_unit_test(a_section_that_appears_twice_is_an_error),
		cmocka_unit_test(a_file_of_rubbish_ends_its_report),
		cmocka_unit_test(a_line_of_199_bytes_is_read_whole),
		cmocka_unit_test(a_line_of_200_bytes_is_an_error),
		cmocka_unit_test(a_comment_may_be_longer),
		cmocka_unit_test(long_section_names_are_not_cut),
		cmocka_unit_test(a_key_that_inih_would_cut_is_an_error),
		cmocka_unit_test(indented_lines_continue_a_value),
		cmocka_unit_test(quoted_parts_join_without_a_blank),
		cmocka_unit_test(a_plain_value_keeps_the_quotes_of_all_its_lines),
		cmocka_unit_test(a_quoted_value_is_quoted_on_all_lines),
		cmocka_unit_test(an_indented_known_key_is_an_error),
		cmocka_unit_test(an_indented_unknown_key_is_part_of_the_value),
		cmocka_unit_test(an_indented_header_is_an_error_but_an_address_is_not),
		cmocka_unit_test(what_continues_a_refused_key_is_skipped),
		cmocka_unit_test(control_characters_are_errors),
		cmocka_unit_test(windows_line_ends_a_byte_order_mark_and_a_missing_last_newline_do_no_harm),
		cmocka_unit_test(an_empty_text_is_a_configuration),
		cmocka_unit_test(semicolons_and_blanks_survive_in_quotes),
		cmocka_unit_test(quotes_inside_a_value_are_its_own),
		cmocka_unit_test(a_quote_that_is_not_closed_is_an_error),
		cmocka_unit_test(text_behind_a_quote_is_an_error),
		cmocka_unit_test(a_comment_inside_quotes_is_an_error),
		cmocka_unit_test(section_names_may_be_quoted),
		cmocka_unit_test(the_environment_is_expanded_once),
		cmocka_unit_test(an_unset_variable_is_an_error),
		cmocka_unit_test(a_bad_value_is_never_shown),
		cmocka_unit_test(text_from_memory_includes_nothing),
		cmocka_unit_test_setup_teardown(a_missing_file_is_an_error, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(an_included_file_continues_the_section_and_leaves_it, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(a_pattern_includes_all_that_match, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(problems_name_the_included_file, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(a_missing_include_is_an_error, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(an_include_without_a_file_is_an_error, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(a_file_cannot_include_itself, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(includes_go_only_so_deep, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(a_secret_that_everybody_may_read_is_warned_of, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(a_secret_in_a_file_that_everybody_may_write_is_refused, enter_folder,
			leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
