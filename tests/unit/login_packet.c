/* What a startup packet means, read without any connection. */
#include "login_fixture.h"

#include <string.h>

#include "client_slot.h"
#include "login_internal.h"

static struct error error;

/* `text` holds the pairs, each string ended by a NUL; its own terminating NUL is the packet's. */
#define READ(version, text) read_packet(version, text, sizeof(text))

static struct startup_request *read_packet(uint32_t version, const char *pairs, size_t size)
{
	struct buf packet = { 0 };

	error = (struct error){ 0 };
	buf_append_u32(&packet, (uint32_t)(8 + size));
	buf_append_u32(&packet, version);
	buf_append(&packet, pairs, size);
	struct startup_request *request = startup_request_read(packet.bytes, packet.size, &error);

	buf_fini(&packet);
	return request;
}

#define ALICE "user\0alice\0"

static void database_defaults_to_the_user(void **state)
{
	struct startup_request *request = READ(PROTOCOL_30, ALICE);

	(void)state;
	assert_string_equal(request->user, "alice");
	assert_string_equal(request->database, "alice");
	assert_null(request->settings);
	assert_null(request->login_settings);
	startup_request_free(&request);
}

/* NAMEDATALEN - 1, without an error: PostgreSQL does the same to both. */
static void long_names_are_cut_at_63_bytes(void **state)
{
	char pairs[128] = "user";
	struct startup_request *request;

	(void)state;
	memset(pairs + 5, 'a', 100);
	request = read_packet(PROTOCOL_30, pairs, 5 + 100 + 2);
	assert_int_equal(strlen(request->user), 63);
	assert_int_equal(strlen(request->database), 63);
	startup_request_free(&request);
}

static void parameters_become_settings_with_lower_case_names(void **state)
{
	struct startup_request *request = READ(PROTOCOL_30, ALICE "DateStyle\0ISO, MDY\0log_connections\0on\0");

	(void)state;
	assert_string_equal(state_get(request->settings, "datestyle"), "ISO, MDY");
	assert_int_equal(state_count(request->settings), 1);
	assert_string_equal(state_get(request->login_settings, "log_connections"), "on");
	startup_request_free(&request);
}

static void options_are_taken_apart(void **state)
{
	struct startup_request *request = READ(PROTOCOL_30,
		ALICE "options\0-c search_path=a\\ b --Work-Mem=4MB -cgeqo=off -c log_connections=on -e -S 100\0");

	(void)state;
	assert_string_equal(state_get(request->settings, "search_path"), "a b");
	assert_string_equal(state_get(request->settings, "work_mem"), "4MB");
	assert_string_equal(state_get(request->settings, "geqo"), "off");
	assert_int_equal(state_count(request->settings), 3);
	assert_string_equal(state_get(request->login_settings, "log_connections"), "on");
	assert_string_equal(state_get(request->login_settings, "options"), "-e -S 100");
	startup_request_free(&request);
}

/* By SET they would be read as the client's encoding, or refused. */
static void bytes_that_are_not_utf8_go_as_they_are(void **state)
{
	static const struct { const char *encoding; bool by_set; const char *value; } rows[] = {
		{ "utf-8", true, "\xc3\xa4" }, { "'UNICODE'", true, "\xc3\xa4" }, { "utf8", false, "\xe4" }, { "latin1", false, "\xc3\xa4" },
		{ "utf8mb4", false, "\xc3\xa4" }, { "latin1", true, "a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char pairs[128];
		int size = snprintf(pairs, sizeof(pairs), "user%ca%cx.y%c%s%cclient_encoding%c%s%c", 0, 0, 0, rows[i].value, 0, 0,
			rows[i].encoding, 0);
		struct startup_request *request = read_packet(PROTOCOL_30, pairs, (size_t)size + 1);

		assert_string_equal(state_get(rows[i].by_set ? request->settings : request->login_settings, "x.y"), rows[i].value);
		assert_string_equal(state_get(request->settings, "client_encoding"), rows[i].encoding);
		assert_int_equal(state_count(request->settings), rows[i].by_set ? 2 : 1);
		startup_request_free(&request);
	}
	struct startup_request *request = READ(PROTOCOL_30, ALICE "application_name\0\xe4\0x.\xe4\0z\0");

	assert_null(request->settings);
	assert_string_equal(state_get(request->login_settings, "application_name"), "\xe4");
	assert_string_equal(state_get(request->login_settings, "x.\xe4"), "z");
	startup_request_free(&request);
}

static void a_parameter_wins_over_the_same_one_in_options(void **state)
{
	struct startup_request *request = READ(PROTOCOL_30, ALICE "geqo\0on\0options\0-c geqo=off\0");

	(void)state;
	assert_string_equal(state_get(request->settings, "geqo"), "on");
	startup_request_free(&request);
}

/* It is told once the server has taken `settings`. */
static void assert_refused(struct startup_request *request, const char *sqlstate, const char *text)
{
	assert_non_null(request);
	assert_non_null(request->refusal);
	assert_string_equal(request->refusal->sqlstate, sqlstate);
	assert_string_equal(request->refusal->text, text);
	startup_request_free(&request);
}

static void options_without_a_value_are_refused(void **state)
{
	(void)state;
	assert_refused(READ(PROTOCOL_30, ALICE "options\0-c geqo\0"), "42601", "-c geqo requires a value");
	assert_refused(READ(PROTOCOL_30, ALICE "options\0--geqo\0"), "42601", "--geqo requires a value");
	assert_refused(READ(PROTOCOL_30, ALICE "options\0-c\0"), "42601",
		"invalid command-line argument for server process: -c");
	/* What comes first is said. */
	assert_refused(READ(PROTOCOL_30, ALICE "options\0-c =x --geqo\0"), "42704",
		"unrecognized configuration parameter \"\"");
}

/* A server takes one setting after the other, and the packet's parameters when it is done with the options. */
static void what_comes_behind_a_refusal_is_not_looked_at(void **state)
{
	struct startup_request *request = READ(PROTOCOL_30, ALICE "geqo\0on\0options\0x -c a.b=1 --c -c d.e=1\0");

	(void)state;
	assert_string_equal(state_get(request->settings, "a.b"), "1");
	assert_int_equal(state_count(request->settings), 1);
	assert_refused(request, "42601", "--c requires a value");
}

/* In the startup packet of a server connection such a setting would name another role than the one that logged in. */
static void fields_of_the_packet_cannot_be_settings(void **state)
{
	(void)state;
	assert_refused(READ(PROTOCOL_30, ALICE "USER\0postgres\0"), "42704", "unrecognized configuration parameter \"USER\"");
	assert_refused(READ(PROTOCOL_30, ALICE "options\0-c user=postgres\0"), "42704",
		"unrecognized configuration parameter \"user\"");
	assert_refused(READ(PROTOCOL_30, ALICE "options\0--Replication=true\0"), "42704",
		"unrecognized configuration parameter \"Replication\"");
	assert_refused(READ(PROTOCOL_30, ALICE "options\0-c options=-e\0"), "42704",
		"unrecognized configuration parameter \"options\"");
}

static void replication_is_read_as_postgresql_reads_it(void **state)
{
	static const struct { const char *value, *means; } rows[] = {
		{ "true", "true" }, { "t", "true" }, { "YES", "true" }, { "on", "true" }, { "1", "true" },
		{ "database", "database" }, { "false", NULL }, { "of", NULL }, { "no", NULL }, { "0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char pairs[64] = ALICE "replication";
		size_t head = sizeof(ALICE "replication"), size = strlen(rows[i].value);

		memcpy(pairs + head, rows[i].value, size + 1);
		struct startup_request *request = read_packet(PROTOCOL_30, pairs, head + size + 2);

		assert_non_null(request);
		if (rows[i].means)
			assert_string_equal(request->replication, rows[i].means);
		else
			assert_null(request->replication);
		startup_request_free(&request);
	}
	assert_null(READ(PROTOCOL_30, ALICE "replication\0o\0"));
	assert_string_equal(error.sqlstate, "22023");
	assert_null(READ(PROTOCOL_30, ALICE "replication\0\0"));
}

static void a_packet_without_user_is_refused(void **state)
{
	(void)state;
	assert_null(READ(PROTOCOL_30, "database\0app\0"));
	assert_string_equal(error.sqlstate, "28000");
	assert_null(READ(PROTOCOL_30, "user\0\0"));
	assert_string_equal(error.sqlstate, "28000");
}

static void malformed_packets_are_refused(void **state)
{
	(void)state;
	assert_null(read_packet(PROTOCOL_30, "user\0alice", 11));               /* No terminator. */
	assert_string_equal(error.sqlstate, "08P01");
	assert_null(read_packet(PROTOCOL_30, "user\0alice\0\0x", 13));          /* Bytes behind it. */
	assert_null(read_packet(PROTOCOL_30, "user\0ali", 8));                  /* A string without end. */
	assert_null(read_packet(PROTOCOL_30, "user", 5));                       /* A name without value. */
	assert_null(read_packet(PROTOCOL_30, "", 0));
}

static void minor_versions_are_negotiated_down(void **state)
{
	static const struct { uint32_t asked, minor; bool negotiate; } rows[] = {
		{ 0, 0, false }, { 1, 0, true }, { 2, 2, false }, { 3, 2, true }, { 9999, 2, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct startup_request *request = READ(WIRE_PROTOCOL(3, rows[i].asked), ALICE);

		assert_int_equal(request->minor, rows[i].minor);
		assert_int_equal(request->negotiate, rows[i].negotiate);
		startup_request_free(&request);
	}
}

static void unknown_protocol_options_are_collected(void **state)
{
	struct startup_request *request = READ(PROTOCOL_30, ALICE "_pq_.a\0001\0_pq_.b\0002\0");

	(void)state;
	assert_true(request->negotiate);
	assert_int_equal(request->unknown_count, 2);
	assert_string_equal(request->unknown[1], "_pq_.b");
	assert_null(request->settings);
	startup_request_free(&request);
}

static void slots_count_clients_by_database_and_user(void **state)
{
	struct client_slot *one = client_slot_new(3), *two = client_slot_new(3), *three = client_slot_new(3);

	(void)state;
	assert_null(client_slot_new(3));
	assert_int_equal(client_slot_count(), 3);
	assert_int_equal(client_slot_join(&one, "d", 2, "u", 1), CLIENT_SLOT_JOINED);
	assert_int_equal(client_slot_join(&two, "d", 2, "u", 1), CLIENT_SLOT_USER_FULL);
	assert_int_equal(client_slot_join(&two, "d", 2, "v", 1), CLIENT_SLOT_JOINED);
	assert_int_equal(client_slot_join(&three, "d", 2, "w", 0), CLIENT_SLOT_DATABASE_FULL);
	client_slot_release(&one);
	assert_int_equal(client_slot_join(&three, "d", 2, "u", 1), CLIENT_SLOT_JOINED);
	client_slot_release(&two);
	client_slot_release(&three);
	client_slot_release(&three);
	assert_int_equal(client_slot_count(), 0);
}

/* Thousands of connections that say nothing cost this much each, and no buffer. */
static void a_silent_login_is_less_than_a_kilobyte(void **state)
{
	(void)state;
	assert_true(sizeof(struct login) <= 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(database_defaults_to_the_user),
		cmocka_unit_test(long_names_are_cut_at_63_bytes),
		cmocka_unit_test(parameters_become_settings_with_lower_case_names),
		cmocka_unit_test(options_are_taken_apart),
		cmocka_unit_test(bytes_that_are_not_utf8_go_as_they_are),
		cmocka_unit_test(a_parameter_wins_over_the_same_one_in_options),
		cmocka_unit_test(options_without_a_value_are_refused),
		cmocka_unit_test(what_comes_behind_a_refusal_is_not_looked_at),
		cmocka_unit_test(fields_of_the_packet_cannot_be_settings),
		cmocka_unit_test(replication_is_read_as_postgresql_reads_it),
		cmocka_unit_test(a_packet_without_user_is_refused),
		cmocka_unit_test(malformed_packets_are_refused),
		cmocka_unit_test(minor_versions_are_negotiated_down),
		cmocka_unit_test(unknown_protocol_options_are_collected),
		cmocka_unit_test(slots_count_clients_by_database_and_user),
		cmocka_unit_test(a_silent_login_is_less_than_a_kilobyte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
