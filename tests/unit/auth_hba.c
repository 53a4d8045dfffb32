#include "auth_fixture.h"

#include <stdio.h>

#include "hba.h"
#include "pgweir/check.h"

static struct hba *parse(const char *text)
{
	struct config_problems problems = { 0 };
	struct hba *hba = hba_parse("hba", text, strlen(text), &problems);

	if (!hba)
		fail_msg("%s", problems.texts[0]);
	assert_int_equal(problems.count, 0);
	return hba;
}

/* The line that decides, or 0. */
static unsigned line_for(const struct hba *hba, const char *from, bool tls, const char *database, const char *user,
	bool replication)
{
	struct sockaddr_storage address = fixture_address(from);
	struct hba_client client = { .database = database, .user = user, .address = &address, .tls = tls,
		.replication = replication };
	struct hba_verdict verdict;

	return hba_match(hba, &client, &verdict) ? verdict.line : 0;
}

static void the_first_line_that_fits_decides(void **state)
{
	static const char rules[] =
		"# comment\n"
		"local      sameuser      all               trust\n"                           /* 2 */
		"local      app,\"all\"   alice, bob        peer\n"                            /* 3 */
		"hostssl    all           all  10.0.0.0/8   scram-sha-256 # comment\n"         /* 4 */
		"hostnossl  all           all  10.0.0.0/9   reject\n"                          /* 5 */
		"host       app           \"Mixed Case\" 10.1.2.3 255.255.255.255 md5\r\n"     /* 6 */
		"\n"
		"host       replication   repl 2001:db8::/33 md5\n"                            /* 8 */
		"host       all           alice \\\n"
		"           2001:db8::/32 password\n"                                          /* 9, continued */
		"host       \"replication\" all all         trust\n"                           /* 11 */
		"host       odd           all  192.0.2.4/30 trust\n";                          /* 12 */
	static const struct {
		unsigned line;
		const char *from;
		bool tls;
		const char *database, *user;
		bool replication;
	} cases[] = {
		{ 2, NULL, false, "alice", "alice", false },
		{ 3, NULL, false, "app", "alice", false },
		{ 3, NULL, false, "app", "bob", false },
		{ 3, NULL, false, "all", "bob", false },
		{ 0, NULL, false, "app", "carol", false },
		{ 0, NULL, false, "other", "bob", false },
		{ 4, "10.255.0.1", true, "x", "y", false },
		{ 5, "10.127.0.1", false, "x", "y", false },
		{ 0, "10.128.0.1", false, "x", "y", false },
		{ 5, "10.1.2.3", false, "app", "Mixed Case", false },
		{ 0, "11.1.2.3", true, "app", "y", false },
		{ 8, "2001:db8::1", false, "x", "repl", true },
		{ 0, "2001:db8:8000::1", false, "x", "repl", true },
		{ 0, "2001:db8::1", false, "x", "repl", false },
		{ 9, "2001:db8:8000::1", false, "x", "alice", false },
		{ 0, "2001:db8::1", false, "x", "alice", true },
		{ 0, "2001:db9::1", false, "x", "alice", false },
		{ 11, "2001:db9::1", false, "replication", "z", false },
		{ 0, "2001:db9::1", false, "replication", "z", true },
		{ 12, "192.0.2.7", false, "odd", "z", false },
		{ 0, "192.0.2.8", false, "odd", "z", false },
	};
	struct hba *hba = parse(rules);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned line = line_for(hba, cases[i].from, cases[i].tls, cases[i].database, cases[i].user, cases[i].replication);

		if (line != cases[i].line)
			fail_msg("case %zu: line %u instead of %u", i, line, cases[i].line);
	}
	hba_free(&hba);
	assert_null(hba);
}

/* As PostgreSQL: a word has lost its special meaning if it begins with a quote; carriage returns are blanks. */
static void a_quote_in_the_middle_of_a_word_leaves_it_a_keyword(void **state)
{
	struct hba *hba = parse("local al\"l\" \"\"all trust\nlocal\tall\rbob trust\n");

	(void)state;
	assert_int_equal(line_for(hba, NULL, false, "x", "all", false), 1);
	assert_int_equal(line_for(hba, NULL, false, "x", "alice", false), 0);
	assert_int_equal(line_for(hba, NULL, false, "x", "bob", false), 2);
	hba_free(&hba);
}

/* No connection is encrypted with GSSAPI here. */
static void hostnogssenc_is_what_host_is(void **state)
{
	struct hba *hba = parse("hostnogssenc all all 10.0.0.0/8 trust\n");

	(void)state;
	assert_int_equal(line_for(hba, "10.1.1.1", true, "x", "u", false), 1);
	assert_int_equal(line_for(hba, "10.1.1.1", false, "x", "u", false), 1);
	assert_int_equal(line_for(hba, NULL, false, "x", "u", false), 0);
	hba_free(&hba);
}

static void mask_lengths_of_all_sizes_fit(void **state)
{
	struct hba *hba = parse("host zero all 1.2.3.4/0 trust\nhost full all 1.2.3.4/32 trust\nhost all all ::1/128 trust\n"
		"host none all ::/0 trust\n");

	(void)state;
	assert_int_equal(line_for(hba, "9.9.9.9", false, "zero", "u", false), 1);
	assert_int_equal(line_for(hba, "1.2.3.4", false, "full", "u", false), 2);
	assert_int_equal(line_for(hba, "1.2.3.5", false, "full", "u", false), 0);
	assert_int_equal(line_for(hba, "::1", false, "x", "u", false), 3);
	assert_int_equal(line_for(hba, "::2", false, "none", "u", false), 4);
	assert_int_equal(line_for(hba, "9.9.9.9", false, "none", "u", false), 0);
	hba_free(&hba);
}

static void options_reach_the_verdict(void **state)
{
	struct hba *hba = parse("hostssl all all all cert map=people clientcert=verify-full\n");
	struct sockaddr_storage address = fixture_address("::1");
	struct hba_client client = { .database = "d", .user = "u", .address = &address, .tls = true };
	struct hba_verdict verdict;

	(void)state;
	assert_true(hba_match(hba, &client, &verdict));
	assert_int_equal(verdict.method, HBA_CERT);
	assert_string_equal(verdict.map, "people");
	/* The map decides which name it must be. */
	assert_int_equal(verdict.clientcert, HBA_CLIENTCERT_NONE);
	hba_free(&hba);
}

static void every_wrong_line_is_named(void **state)
{
	static const struct { const char *line, *problem; } cases[] = {
		{ "hosts all all all trust", "invalid connection type \"hosts\": local, host, hostssl, hostnossl or hostnogssenc expected" },
		{ "hostgssenc all all all trust", "hostgssenc: there are no connections that are encrypted with GSSAPI" },
		{ "local", "the line ends before its database" },
		{ "local all", "the line ends before its user" },
		{ "local all all", "the line ends before its authentication method" },
		{ "host all all", "the line ends before its address" },
		{ "host all all 1.2.3.4 trust", "invalid IP mask \"trust\"" },
		{ "host all all 1.2.3.4 ffff:: trust", "IP address and mask do not match" },
		{ "host all all 1.2.3.4/33 trust", "invalid mask length \"33\"" },
		{ "host all all 1.2.3.4/ trust", "invalid mask length \"\"" },
		{ "host all all 1.2.3.4/+8 trust", "invalid mask length \"+8\"" },
		{ "host all all ::1/129 trust", "invalid mask length \"129\"" },
		{ "host all all db.example.com trust",
			"invalid IP address \"db.example.com\" (names of hosts are not supported)" },
		{ "host all all samenet trust", "samenet is not supported: write the addresses" },
		{ "host all all samehost trust", "samehost is not supported: write the addresses" },
		{ "local all +admins trust", "user \"+admins\": memberships in roles are not known to pgweir; name the users" },
		{ "local samerole all trust", "database \"samerole\": memberships in roles are not known to pgweir; name the users" },
		{ "local all @file trust", "user \"@file\": names from files are not supported" },
		{ "local /^a all trust", "database \"/^a\": regular expressions are not supported here" },
		{ "local all +\"ad mins\" trust", "user \"+ad mins\": memberships in roles are not known to pgweir; name the users" },
		{ "local all @\"a file\" trust", "user \"@a file\": names from files are not supported" },
		{ "local \"/^a{1,2}\" all trust", "database \"/^a{1,2}\": regular expressions are not supported here" },
		{ "hostssl all all all cert clientcert=verify-ca", "clientcert can only be verify-full with cert" },
		{ "local all all ldap", "authentication method \"ldap\" is not supported: trust, reject, password, md5, "
			"scram-sha-256, cert or peer expected" },
		{ "host all all all peer", "peer authentication is only supported on local sockets" },
		{ "host all all all cert", "cert authentication is only supported on hostssl connections" },
		{ "local all all trust map=x", "option map is only possible with cert and peer" },
		{ "host all all all md5 clientcert=verify-ca", "option clientcert is only possible in hostssl lines" },
		{ "hostssl all all all md5 clientcert=1", "invalid value for clientcert: \"1\"" },
		{ "local all all trust x=y", "option \"x=y\" is not supported: map=… or clientcert=… expected" },
		{ "local all, trust", "the line ends before its user" },
		{ "local all,, all trust", "a name is missing beside a comma" },
		{ "local \"all all trust", "a double quote is not closed" },
		{ "local,host all all trust", "a list is not possible as connection type" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_problems problems = { 0 };
		char expected[256];

		assert_null(hba_parse("hba", cases[i].line, strlen(cases[i].line), &problems));
		snprintf(expected, sizeof(expected), "hba:1: %s", cases[i].problem);
		assert_int_equal(problems.count, 1);
		assert_problem(problems, 0, expected);
		config_problems_fini(&problems);
	}
}

static void all_wrong_lines_are_named_at_once(void **state)
{
	static const char text[] = "local all all nonsense\nlocal all all trust\n\nhost all all x trust\nlocal all \\\n";
	struct config_problems problems = { 0 };

	(void)state;
	assert_null(hba_parse("hba", text, sizeof(text) - 1, &problems));
	assert_int_equal(problems.count, 3);
	assert_non_null(strstr(problems.texts[1], "hba:4: "));
	assert_non_null(strstr(problems.texts[2], "hba:5: "));
	config_problems_fini(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_that_fits_decides),
		cmocka_unit_test(a_quote_in_the_middle_of_a_word_leaves_it_a_keyword),
		cmocka_unit_test(hostnogssenc_is_what_host_is),
		cmocka_unit_test(mask_lengths_of_all_sizes_fit),
		cmocka_unit_test(options_reach_the_verdict),
		cmocka_unit_test(every_wrong_line_is_named),
		cmocka_unit_test(all_wrong_lines_are_named_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
