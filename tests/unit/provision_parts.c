/* Passwords and names, what profiles mean, and the store of files: all of provisioning that needs no server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "declaration.h"
#include "password.h"
#include "pgweir/mem.h"
#include "pgweir/secrets.h"
#include "store.h"

static struct error error;

/* --- Passwords --- */

static void passwords_have_24_characters_of_four_classes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		char *password = password_make();

		assert_int_equal(strlen(password), PASSWORD_SIZE);
		assert_non_null(strpbrk(password, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
		assert_non_null(strpbrk(password, "abcdefghijklmnopqrstuvwxyz"));
		assert_non_null(strpbrk(password, "0123456789"));
		assert_non_null(strpbrk(password, "!#%*+-_=.~^"));
		/* None that a URL, a shell or a literal takes for something else. */
		assert_null(strpbrk(password, ":/@\"'\\ $`?&"));
		mem_secret_free(password);
	}
}

static void names_and_passwords_do_not_repeat(void **state)
{
	char *first = password_name("app_"), *second = password_name("app_");
	char *one = password_make(), *other = password_make();

	(void)state;
	assert_int_equal(strlen(first), strlen("app_") + SUFFIX_SIZE);
	assert_memory_equal(first, "app_", 4);
	assert_string_not_equal(first, second);
	assert_string_not_equal(one, other);
	mem_free(first);
	mem_free(second);
	mem_secret_free(one);
	mem_secret_free(other);
}

/* Two processes that begin the same rotation mean the same version; the next rotation means another. */
static void version_ids_follow_from_what_they_replace(void **state)
{
	char *ids[] = { password_version("p", "rotation", "a", 0), password_version("p", "rotation", "a", 0),
		password_version("p", "rotation", "b", 0), password_version("p", "rotation", "a", 1) };

	(void)state;
	assert_string_equal(ids[0], ids[1]);
	assert_string_not_equal(ids[0], ids[2]);
	assert_string_not_equal(ids[0], ids[3]);
	assert_int_equal(strlen(ids[0]), 64);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		mem_free(ids[i]);
}

/* --- Declarations --- */

static char *privileges_of(const struct declaration *declaration, enum object_kind kind)
{
	struct buf text = { 0 };

	declaration_append_privileges(&text, declaration->privileges[kind]);
	return buf_take_text(&text);
}

static void a_profile_gives_future_tables_what_present_ones_have(void **state)
{
	struct config_provision section = { .name = (char *)"p", .databases = (char *)"a, b", .owners = (char *)"o",
		.profile = PROVISION_PROFILE_READ_WRITE };
	struct declaration declaration;

	(void)state;
	assert_true(declaration_make(&section, &declaration, &error));
	char *tables = privileges_of(&declaration, OBJECT_TABLE), *future = privileges_of(&declaration, OBJECT_FUTURE_TABLES);

	assert_string_equal(tables, "SELECT, INSERT, UPDATE, DELETE");
	assert_string_equal(future, tables);
	assert_int_equal(declaration.databases.count, 2);
	assert_string_equal(declaration.schemas.items[0], "public");
	mem_free(tables);
	mem_free(future);
	declaration_fini(&declaration);
}

static void a_privilege_of_nothing_and_a_setting_without_a_value_are_errors(void **state)
{
	struct config_provision sections[] = {
		{ .name = (char *)"p", .databases = (char *)"a", .privileges = (char *)"SELECT, FLY" },
		{ .name = (char *)"p", .databases = (char *)"a", .privileges = (char *)"SELECT", .settings = (char *)"work_mem" },
		{ .name = (char *)"p", .profile = PROVISION_PROFILE_READ_ONLY },
	};
	static const char *const texts[] = { "FLY", "name=value", "database" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		struct declaration declaration;

		assert_false(declaration_make(&sections[i], &declaration, &error));
		assert_non_null(strstr(error.text, texts[i]));
		declaration_fini(&declaration);
	}
}

/* --- The store of files --- */

static char folder[64], path[96], record[112];
static struct config_secret secret;

static int set_up(void **state)
{
	(void)state;
	secrets_json_prepare();
	snprintf(folder, sizeof(folder), "/tmp/pgweir-store-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/secret", folder);
	snprintf(record, sizeof(record), "%s.pgweir", path);
	secret = (struct config_secret){ .name = (char *)"s", .provider = (char *)"file", .path = path };
	return 0;
}

static int tear_down(void **state)
{
	char deleted[112];

	(void)state;
	snprintf(deleted, sizeof(deleted), "%s.deleted", path);
	unlink(path);
	unlink(record);
	unlink(deleted);
	assert_int_equal(rmdir(folder), 0);     /* Nothing else was left behind. */
	return 0;
}

static void assert_stored(struct store *store, enum secret_stage stage, const char *wanted)
{
	struct stored_text text;

	assert_true(store_get(store, stage, &text, &error));
	if (wanted)
		assert_string_equal(text.text, wanted);
	else
		assert_null(text.text);
	stored_text_fini(&text);
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_created_secret_is_current_private_and_tagged(void **state)
{
	struct store *store = store_open(&secret, NULL, &error);
	struct stored stored;
	struct stat status;

	(void)state;
	assert_non_null(store);
	assert_true(store_describe(store, &stored, &error));
	assert_int_equal(stored.state, STORED_MISSING);
	assert_true(store_create(store, "v1", "first", "p", "role", &error));
	assert_true(store_describe(store, &stored, &error));
	assert_int_equal(stored.state, STORED_GOOD);
	assert_string_equal(stored.current, "v1");
	assert_string_equal(stored.provision, "p");
	assert_string_equal(stored.role, "role");
	stored_fini(&stored);
	assert_stored(store, SECRET_CURRENT, "first");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(stat(record, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	store_close(&store);
}

static void promoting_is_refused_where_another_version_is_current_by_now(void **state)
{
	struct store *store = store_open(&secret, NULL, &error);

	(void)state;
	assert_true(store_create(store, "v1", "first", "p", "role", &error));
	assert_true(store_put(store, "v2", "second", SECRET_PENDING, &error));
	assert_false(store_put(store, "v2", "other", SECRET_PENDING, &error));
	assert_string_equal(error.sqlstate, "42710");
	assert_false(store_promote(store, "v2", "v0", &error));
	assert_stored(store, SECRET_CURRENT, "first");
	assert_true(store_promote(store, "v2", "v1", &error));
	assert_true(store_promote(store, "v2", "v1", &error));      /* Again, after a crash. */
	assert_stored(store, SECRET_CURRENT, "second");
	assert_stored(store, SECRET_PREVIOUS, "first");
	assert_stored(store, SECRET_PENDING, NULL);
	store_close(&store);
}

/* The process ended after the record was written and before the file was; or somebody has removed the file. */
static void a_file_that_is_missing_comes_back_as_the_record_has_it(void **state)
{
	struct store *store = store_open(&secret, NULL, &error);
	struct stored stored;

	(void)state;
	assert_true(store_create(store, "v1", "first", "p", "role", &error));
	assert_int_equal(unlink(path), 0);
	assert_true(store_describe(store, &stored, &error));
	assert_int_equal(stored.state, STORED_EMPTY);
	stored_fini(&stored);
	assert_true(store_put(store, "v1", "made anew", SECRET_CURRENT, &error));
	assert_true(store_describe(store, &stored, &error));
	assert_int_equal(stored.state, STORED_GOOD);
	stored_fini(&stored);
	assert_stored(store, SECRET_CURRENT, "first");
	store_close(&store);
}

/* The process ended after the file was replaced and before the record was. */
static void a_pending_version_whose_text_is_in_the_file_is_current(void **state)
{
	struct store *store = store_open(&secret, NULL, &error);
	struct stored stored;

	(void)state;
	assert_true(store_create(store, "v1", "first", "p", "role", &error));
	assert_true(store_put(store, "v2", "second", SECRET_PENDING, &error));
	write_file("second");
	assert_true(store_describe(store, &stored, &error));
	assert_string_equal(stored.current, "v2");
	assert_string_equal(stored.previous, "v1");
	assert_null(stored.pending);
	stored_fini(&stored);
	store_close(&store);
}

static void what_somebody_has_written_by_hand_is_current(void **state)
{
	struct store *store = store_open(&secret, NULL, &error);

	(void)state;
	assert_true(store_create(store, "v1", "first", "p", "role", &error));
	write_file("by hand\n");
	assert_stored(store, SECRET_CURRENT, "by hand");
	assert_stored(store, SECRET_PREVIOUS, "first");
	store_close(&store);
}

static void a_deleted_secret_can_be_restored(void **state)
{
	struct store *store = store_open(&secret, NULL, &error);
	struct stored stored;
	char *until;

	(void)state;
	assert_true(store_create(store, "v1", "first", "p", "role", &error));
	assert_true(store_delete(store, &until, &error));
	assert_non_null(until);
	mem_free(until);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(store_describe(store, &stored, &error));
	assert_int_equal(stored.state, STORED_DELETED);
	stored_fini(&stored);
	assert_true(store_restore(store, &error));
	assert_stored(store, SECRET_CURRENT, "first");
	store_close(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords_have_24_characters_of_four_classes),
		cmocka_unit_test(names_and_passwords_do_not_repeat),
		cmocka_unit_test(version_ids_follow_from_what_they_replace),
		cmocka_unit_test(a_profile_gives_future_tables_what_present_ones_have),
		cmocka_unit_test(a_privilege_of_nothing_and_a_setting_without_a_value_are_errors),
		cmocka_unit_test_setup_teardown(a_created_secret_is_current_private_and_tagged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(promoting_is_refused_where_another_version_is_current_by_now, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_is_missing_comes_back_as_the_record_has_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pending_version_whose_text_is_in_the_file_is_current, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_somebody_has_written_by_hand_is_current, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_deleted_secret_can_be_restored, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
