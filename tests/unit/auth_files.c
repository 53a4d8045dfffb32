/* auth_file and auth_ident_file, and the rules that name their maps. */
#include "auth_fixture.h"

#include "auth_state.h"
#include "ident.h"
#include "pgweir/check.h"
#include "stored_secret.h"
#include "userlist.h"

static struct userlist parse(const char *text, struct config_problems *problems)
{
	struct userlist userlist = { 0 };

	userlist_parse(&userlist, "users", text, strlen(text), problems);
	return userlist;
}

static void a_user_list_reads_as_pgbouncers(void **state)
{
	struct config_problems problems = { 0 };
	struct userlist userlist = parse("; comment\n"
		"\"alice\" \"pencil\"\r\n"
		"\n"
		"  \"quo\"\"ted\"\t\"with \"\"quotes\"\" and ; and space\"   \n"
		"\"old\" \"md5\" \"more fields\" 1\n"
		"\"hash\" \"" MD5_OF_SECRET "\"\n"
		"\"verifier\" \"" SCRAM_VERIFIER_PENCIL "\"\n"
		"\"empty\" \"\"\n"
		"\"alice\" \"eraser\"", &problems);

	(void)state;
	assert_int_equal(problems.count, 0);
	assert_string_equal(userlist_find(&userlist, "alice"), "eraser");
	assert_string_equal(userlist_find(&userlist, "quo\"ted"), "with \"quotes\" and ; and space");
	assert_string_equal(userlist_find(&userlist, "old"), "md5");
	assert_string_equal(userlist_find(&userlist, "hash"), MD5_OF_SECRET);
	assert_string_equal(userlist_find(&userlist, "verifier"), SCRAM_VERIFIER_PENCIL);
	assert_string_equal(userlist_find(&userlist, "empty"), "");
	assert_null(userlist_find(&userlist, "bob"));
	userlist_fini(&userlist);
}

static void every_bad_line_of_a_user_list_is_named_without_its_secret(void **state)
{
	struct config_problems problems = { 0 };
	struct userlist userlist = parse("alice pencil\n\"alice\"\n\"alice\" \"pencil\n\"\" \"pencil\"\n"
		"\"alice\" \"SCRAM-SHA-256$pencil\"\n", &problems);

	(void)state;
	assert_int_equal(problems.count, 5);
	assert_problem(problems, 0, "users:1: expected \"user\" \"password\" in double quotes");
	assert_problem(problems, 1, "users:2: expected \"user\" \"password\" in double quotes");
	assert_problem(problems, 2, "users:3: a double quote is not closed");
	assert_problem(problems, 3, "users:4: the user name is empty");
	assert_problem(problems, 4, "users:5: the SCRAM verifier is malformed");
	config_problems_fini(&problems);
	userlist_fini(&userlist);
}

static void secrets_are_what_they_look_like(void **state)
{
	(void)state;
	assert_int_equal(stored_secret_kind("pencil"), STORED_PLAIN);
	assert_int_equal(stored_secret_kind(""), STORED_PLAIN);
	assert_int_equal(stored_secret_kind(MD5_OF_SECRET), STORED_MD5);
	assert_int_equal(stored_secret_kind(SCRAM_VERIFIER_PENCIL), STORED_SCRAM);
	/* Too short, too long, not hexadecimal. */
	assert_int_equal(stored_secret_kind("md539c4422cad2e8aa743c2904bf092553"), STORED_PLAIN);
	assert_int_equal(stored_secret_kind(MD5_OF_SECRET "0"), STORED_PLAIN);
	assert_int_equal(stored_secret_kind("md539c4422cad2e8aa743c2904bf092553x"), STORED_PLAIN);
}

static struct ident *parse_ident(const char *text, struct config_problems *problems)
{
	return ident_parse("ident", text, strlen(text), problems);
}

static void a_map_names_who_may_be_whom(void **state)
{
	static const struct { bool allowed; const char *map, *system_name, *user; } cases[] = {
		{ true, "m", "alice", "app" }, { true, "m", "alice", "other" }, { false, "m", "alice", "alice" },
		{ false, "n", "alice", "app" }, { false, "m", "Alice", "app" },
		{ true, "m", "bob@example.com", "bob" }, { false, "m", "bob@example.com", "alice" },
		{ false, "m", "bob@example.com.evil.org", "bob" }, { false, "m", "@example.com", "" },
		{ true, "suffix", "svc-x", "role_x_rw" }, { false, "suffix", "svc-x", "role_x" },
		{ true, "any", "whoever", "guest" }, { true, "optional", "cx", "c" }, { false, "optional", "x", "" },
		{ true, "quoted", "has space", "b c" },
	};
	struct config_problems problems = { 0 };
	struct ident *ident = parse_ident("# comment\n"
		"m alice app\nm alice other\n"
		"m /^([a-z]+)@example\\.com$ \\1\n"
		"suffix /^svc-(.*)$ role_\\1_rw\n"
		"any /.* guest\n"
		"optional /^(c)?x$ \\1\n"
		"quoted \"has space\" \"b c\"\n", &problems);

	(void)state;
	assert_non_null(ident);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (ident_allows(ident, cases[i].map, cases[i].system_name, cases[i].user) != cases[i].allowed)
			fail_msg("case %zu", i);
	assert_false(ident_allows(NULL, "m", "alice", "app"));
	ident_free(&ident);
}

/* What the C library's expressions take for something else than PostgreSQL's do would let in the wrong people: there \d is a d. */
static void what_means_something_else_to_postgresql_is_refused(void **state)
{
	static const char *const lines[] = {
		"m /^u\\d+$ app", "m /^\\mx app", "m /x\\Z app", "m /^[\\w.]+$ app", "m /^[^\\]]+$ app", "m /^a(?:b)$ app", "m /^(a+?)b$ \\1",
		"m \"/^a{1,2}?$\" app", "m \"/^a{,2}$\" app", "m /a\\<b app", "m /***=x app", "m alice +admins", "m alice all", "m alice /^app", "m alice \"/^app\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct config_problems problems = { 0 };

		if (parse_ident(lines[i], &problems))
			fail_msg("\"%s\" is taken", lines[i]);
		assert_int_equal(problems.count, 1);
		assert_memory_equal(problems.texts[0], "ident:1: ", 9);
		config_problems_fini(&problems);
	}
}

static void what_means_the_same_to_postgresql_is_taken(void **state)
{
	static const char text[] = "m /^(\\w+)[.][^]a]\\.\\?$ \\1\nm \"/^[]x]?(a{2,3}|[[:digit:]]*)$\" b\nm x \"all\"\nm y \"+z\"\n";
	struct config_problems problems = { 0 };
	struct ident *ident = parse_ident(text, &problems);

	(void)state;
	assert_int_equal(problems.count, 0);
	assert_true(ident_allows(ident, "m", "some_1.b.?", "some_1"));
	assert_true(ident_allows(ident, "m", "]aa", "b"));
	assert_true(ident_allows(ident, "m", "x", "all"));
	assert_true(ident_allows(ident, "m", "y", "+z"));
	assert_false(ident_allows(ident, "m", "x", "b."));
	ident_free(&ident);
}

static void every_bad_line_of_a_map_is_named(void **state)
{
	struct config_problems problems = { 0 };

	(void)state;
	assert_null(parse_ident("m alice\nm /( app\nm /^x$ \\1\nm a,b app\nm alice app more\n", &problems));
	assert_int_equal(problems.count, 5);
	assert_problem(problems, 0, "ident:1: expected three fields: map name, system name, role");
	assert_non_null(strstr(problems.texts[1], "ident:2: invalid regular expression \"(\": "));
	assert_problem(problems, 2, "ident:3: \"\\1\" needs a parenthesised part in the regular expression \"^x$\"");
	assert_problem(problems, 3, "ident:4: a list is not possible here");
	assert_problem(problems, 4, "ident:5: expected three fields: map name, system name, role");
	config_problems_fini(&problems);
}

static void assert_said(const struct config_problems *problems, size_t index, const char *expected)
{
	assert_true(index < problems->count);
	assert_non_null(strstr(problems->texts[index], expected));
}

/* A line with it lets nobody in, and who is shut out is told only that authentication failed. */
static void a_rule_whose_map_is_nowhere_is_named(void **state)
{
	static const char rules[] = "local all all peer map=m\nlocal all all peer\nhostssl all all all cert map=M\n"
		"local all all peer map=n\n";
	struct config_problems problems = { 0 };

	(void)state;
	static char ca_file[] = "ca.crt";
	fixture_config.client_tls.ca_file = ca_file;
	assert_false(fixture_try(NULL, rules, "m root app\nother n n\n", &problems));
	assert_int_equal(problems.count, 2);
	assert_said(&problems, 0, ":3: map \"M\" is in no line of auth_ident_file");
	assert_said(&problems, 1, ":4: map \"n\" is in no line of auth_ident_file");
	config_problems_fini(&problems);

	assert_false(fixture_try(NULL, rules, NULL, &problems));
	assert_int_equal(problems.count, 3);
	assert_said(&problems, 0, ":1: map \"m\" is in no line of auth_ident_file");
	config_problems_fini(&problems);

	fixture_load(NULL, rules, "m root app\nM root app\nn root app\n");
	auth_state_forget();
}

/* Nobody could show one that is valid. */
static void a_rule_that_wants_a_certificate_needs_a_ca(void **state)
{
	struct config_problems problems = { 0 };

	(void)state;
	fixture_config.client_tls = (struct config_tls){ .sslmode = SSLMODE_PREFER };
	assert_false(fixture_try(NULL, "hostssl all all all cert\nhostssl all all all md5\nhostssl all a all md5 clientcert=verify-ca\n",
		NULL, &problems));
	assert_int_equal(problems.count, 2);
	assert_said(&problems, 0, ":1: certificates of clients can only be checked with client_tls_ca_file");
	assert_said(&problems, 1, ":3: certificates of clients can only be checked with client_tls_ca_file");
	config_problems_fini(&problems);
	/* No connection has TLS, so the line fits none. */
	fixture_config.client_tls.sslmode = SSLMODE_DISABLE;
	fixture_load(NULL, "hostssl all all all cert\n", NULL);
	auth_state_forget();
}

/* The maps of a file with a fault in it are not known. */
static void a_fault_in_the_maps_is_not_told_twice(void **state)
{
	struct config_problems problems = { 0 };

	(void)state;
	assert_false(fixture_try(NULL, "local all all peer map=m\n", "m root\n", &problems));
	assert_int_equal(problems.count, 1);
	assert_said(&problems, 0, ":1: expected three fields");
	config_problems_fini(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_list_reads_as_pgbouncers),
		cmocka_unit_test(every_bad_line_of_a_user_list_is_named_without_its_secret),
		cmocka_unit_test(secrets_are_what_they_look_like),
		cmocka_unit_test(a_map_names_who_may_be_whom),
		cmocka_unit_test(what_means_something_else_to_postgresql_is_refused),
		cmocka_unit_test(what_means_the_same_to_postgresql_is_taken),
		cmocka_unit_test(every_bad_line_of_a_map_is_named),
		cmocka_unit_test(a_rule_whose_map_is_nowhere_is_named),
		cmocka_unit_test(a_rule_that_wants_a_certificate_needs_a_ca),
		cmocka_unit_test(a_fault_in_the_maps_is_not_told_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
