/* The shapes of secrets, the ones that exist and the ones that somebody might try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"
#include "shape.h"

static struct lease_value value;
static struct error error;

static int tear_down(void **state)
{
	(void)state;
	lease_value_fini(&value);
	return 0;
}

/* Memory of exactly the text's size, so that a sanitizer sees a read beyond it. */
static bool parse_bytes(const char *text, size_t size, const char *json_key)
{
	char *exact = mem_dup(text, size);

	lease_value_fini(&value);
	error = (struct error){ 0 };
	bool good = shape_parse(exact, size, json_key, &value, &error);

	mem_free(exact);
	assert_true(good == (value.password != NULL));
	return good;
}

static bool parse(const char *text, const char *json_key)
{
	return parse_bytes(text, strlen(text), json_key);
}

static void assert_text(const char *found, const char *expected)
{
	if (expected)
		assert_string_equal(found, expected);
	else
		assert_null(found);
}

static void assert_value(const char *username, const char *password, const char *host, unsigned port, const char *dbname)
{
	assert_string_equal(error.text, "");
	assert_text(value.username, username);
	assert_text(value.password, password);
	assert_text(value.host, host);
	assert_int_equal(value.port, port);
	assert_text(value.dbname, dbname);
}

static void assert_refused(const char *text, const char *json_key, const char *reason)
{
	assert_false(parse(text, json_key));
	if (!strstr(error.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
	assert_null(value.username);
	assert_null(value.host);
	assert_null(value.dbname);
}

static void one_line_is_a_password(void **state)
{
	(void)state;
	parse("s3cret", NULL);
	assert_value(NULL, "s3cret", NULL, 0, NULL);
	parse("with blanks and { braces }\r\n", NULL);
	assert_value(NULL, "with blanks and { braces }", NULL, 0, NULL);
	parse("postgres", NULL);
	assert_value(NULL, "postgres", NULL, 0, NULL);
	parse("ab/cd+ef==", NULL);
	assert_value(NULL, "ab/cd+ef==", NULL, 0, NULL);
}

static void what_is_no_password_is_refused(void **state)
{
	(void)state;
	assert_refused("", NULL, "is empty");
	assert_refused("\n", NULL, "is empty");
	assert_refused("one\ntwo", NULL, "line break");
	assert_refused("one\n\n", NULL, "line break");
	assert_refused("tab\there", NULL, "control character");
	assert_false(parse_bytes("a\0b", 3, NULL));
	assert_refused("jdbc:postgresql://db/app?user=a&password=b", NULL, "URL");
	assert_refused("mysql://a:b@db/app", NULL, "URL");
}

static void long_texts_are_refused(void **state)
{
	char *text = mem_alloc(SHAPE_TEXT_MAX + 1);

	(void)state;
	memset(text, 'a', SHAPE_TEXT_MAX + 1);
	assert_false(parse_bytes(text, SHAPE_TEXT_MAX + 1, NULL));
	assert_false(parse_bytes(text, SHAPE_FIELD_MAX + 1, NULL));
	assert_true(parse_bytes(text, SHAPE_FIELD_MAX, NULL));
	mem_free(text);
}

static void json_as_rds_writes_it_is_read(void **state)
{
	(void)state;
	parse("{\"username\":\"app\",\"password\":\"p\\\"\\u00e9\",\"engine\":\"postgres\",\"host\":\"db.example\",\"port\":5432,"
	      "\"dbname\":\"app\",\"masterarn\":\"arn:x\",\"ssl\":true}\n", NULL);
	assert_value("app", "p\"\xc3\xa9", "db.example", 5432, "app");
	parse(" {\"user\":\"app\",\"password\":\"p\",\"port\":\"6000\",\"database\":\"other\",\"host\":null,\"url\":null}", NULL);
	assert_value("app", "p", NULL, 6000, "other");
	parse("{\"username\":\"first\",\"user\":\"second\",\"password\":\"p\",\"dbname\":\"\"}", NULL);
	assert_value("first", "p", NULL, 0, NULL);
}

static void hostile_json_is_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "{\"password\":\"p\"", "not JSON as a whole" },
		{ "{\"password\":\"p\"} trailing", "not JSON as a whole" },
		{ "{\"password\":\"one\",\"password\":\"two\"}", "not JSON as a whole" },
		{ "{\"password\":\"a\\u0000b\"}", "not JSON as a whole" },
		{ "{\"password\":\"a\\u000ab\"}", "line break" },
		{ "{\"password\":\"\xff\xfe\"}", "not JSON as a whole" },
		{ "{\"password\":17}", "not a text" },
		{ "{\"password\":{\"a\":1}}", "not a text" },
		{ "{\"password\":\"\"}", "password is empty" },
		{ "{\"username\":[\"a\"],\"password\":\"p\"}", "not a text" },
		{ "{\"password\":\"p\",\"port\":70000}", "port" },
		{ "{\"password\":\"p\",\"port\":-1}", "port" },
		{ "{\"password\":\"p\",\"port\":\"0\"}", "port" },
		{ "{\"password\":\"p\",\"port\":54.32}", "not a text" },
		{ "{\"username\":\"app\"}", "no password" },
		{ "{}", "no password" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(cases[i].text, NULL, cases[i].reason);
}

static void deep_json_is_refused(void **state)
{
	enum { DEEP = 30000 };
	char *text = mem_alloc(6 * DEEP + 1);

	(void)state;
	for (size_t i = 0; i < DEEP; i++)
		memcpy(text + 5 * i, "{\"a\":", 5);
	assert_false(parse_bytes(text, 5 * DEEP > SHAPE_TEXT_MAX ? SHAPE_TEXT_MAX : 5 * DEEP, NULL));
	mem_free(text);
}

static void json_key_picks_what_counts(void **state)
{
	static const char text[] =
		"{\"username\":\"app\",\"read_password\":\"r\",\"a.b\":\"dotted\",\"nested\":{\"username\":\"inner\",\"password\":\"n\","
		"\"key\":\"k\"},\"READ_URL\":\"postgres://u:p@h:1/d\",\"number\":1}";

	(void)state;
	parse(text, "read_password");
	assert_value("app", "r", NULL, 0, NULL);
	parse(text, "nested");
	assert_value("inner", "n", NULL, 0, NULL);
	parse(text, "nested.key");
	assert_value("inner", "k", NULL, 0, NULL);
	parse(text, "a.b");
	assert_value("app", "dotted", NULL, 0, NULL);
	parse(text, "READ_URL");
	assert_value("u", "p", "h", 1, "d");
	assert_refused(text, "absent", "no member \"absent\"");
	assert_refused(text, "nested.absent", "no member");
	assert_refused(text, "number", "no member");
	assert_refused(text, "number.x", "no member");
	assert_refused(text, ".", "no member");
	assert_refused("plain", "key", "not JSON");
	assert_refused("[1]", "key", "not an object");
}

static void urls_are_read(void **state)
{
	(void)state;
	parse("postgresql://app:p%40ss%2Fword@db.example:6543/app?sslmode=require", NULL);
	assert_value("app", "p@ss/word", "db.example", 6543, "app");
	parse("POSTGRES://app:a:b@[2001:db8::1]:5432/", NULL);
	assert_value("app", "a:b", "2001:db8::1", 5432, NULL);
	parse("postgresql+psycopg://app:p@w@one:1,two:2/db#rest", NULL);
	assert_value("app", "p@w", "one", 1, "db");
	parse("postgresql:///app?host=/run/postgresql&user=app&password=p+q&port=1", NULL);
	assert_value("app", "p+q", "/run/postgresql", 1, "app");
}

static void hostile_urls_are_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "postgresql://app:abc/def@db:5432/app", "port" },
		{ "postgresql://app:%zz@db/app", "without two digits" },
		{ "postgresql://app:p%4@db/app", "without two digits" },
		{ "postgresql://app:p@db/app%", "without two digits" },
		{ "postgresql://app:a%00b@db/app", "control character" },
		{ "postgresql://app:a%0ab@db/app", "line break" },
		{ "postgresql://app:p@[::1/app", "lacks a ]" },
		{ "postgresql://app:p@[::1]5432/app", "malformed" },
		{ "postgresql://app:p@db:99999/app", "port" },
		{ "postgresql://app:p@db:5432x/app", "port" },
		{ "postgresql://app@db/app", "no password" },
		{ "postgresql://", "no password" },
		{ "postgresql+://", "no password" },
		{ "{\"url\":\"postgresql://app:a/b@db/app\"}", "member \"url\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(cases[i].text, NULL, cases[i].reason);
}

static void separate_fields_win_over_a_url(void **state)
{
	(void)state;
	parse("{\"password\":\"right\",\"host\":\"own\",\"url\":\"postgresql://app:wrong@db:1/app\"}", NULL);
	assert_value("app", "right", "own", 1, "app");
	/* As `openssl rand -base64` makes them: no part of such a URL can be told. */
	parse("{\"username\":\"app\",\"password\":\"a/b\",\"sqlalchemy_url\":\"postgresql+asyncpg://app:a/b@db:1/app\"}", NULL);
	assert_text(value.username, "app");
	assert_text(value.password, "a/b");
	assert_null(value.host);
}

static void errors_never_repeat_what_was_read(void **state)
{
	static const char *const texts[] = {
		"{\"password\":\"hunter2hunter2", "{\"password\":[\"hunter2hunter2\"]}", "hunter2hunter2\nhunter2hunter2",
		"postgresql://hunter2hunter2:hunter2hunter2/x@db/app", "hunter2hunter2://x", "{\"hunter2hunter2\":1}",
		"{\"password\":\"p\",\"port\":\"hunter2hunter2\"}", "postgresql://a:hunter2hunter2%@db/app",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_false(parse(texts[i], NULL));
		assert_null(strstr(error.text, "hunter2"));
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_line_is_a_password),
		TEST(what_is_no_password_is_refused),
		TEST(long_texts_are_refused),
		TEST(json_as_rds_writes_it_is_read),
		TEST(hostile_json_is_refused),
		TEST(deep_json_is_refused),
		TEST(json_key_picks_what_counts),
		TEST(urls_are_read),
		TEST(hostile_urls_are_refused),
		TEST(separate_fields_win_over_a_url),
		TEST(errors_never_repeat_what_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
