#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pgweir/admin.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "pgweir/worker.h"

enum { TOURS_MAX = 16, TYPES_MAX = 4096 };

struct admin_fakes fakes;
struct buf fixture_last;

static struct loop *loop;
static struct config *config;

static struct tour {
	worker_done_cb *done;
	void *arg;
} tours[TOURS_MAX];
static size_t tour_count;

/* --- The control plane --- */

struct loop *control_loop(void) { return loop; }
struct config *control_config(void) { return config; }
uint64_t control_started_us(void) { return 0; }
bool control_is_shutting_down(void) { return false; }

bool control_reload(struct config_problems *problems)
{
	fakes.reloads++;
	if (!fakes.refuse_reload)
		return true;
	problems->texts = NEW_ARRAY(char *, 2);
	problems->texts[problems->count++] = mem_strdup("first problem");
	problems->texts[problems->count++] = mem_strdup("second problem");
	return false;
}

bool control_set(const char *key, const char *value, struct error *error)
{
	(void)value;
	fakes.sets++;
	return strcmp(key, "good") == 0 || error_set(error, "42704", "there is no setting \"%s\"", key);
}

void control_shutdown(enum control_shutdown how)
{
	(void)how;
	fakes.shutdowns++;
}

/* --- Workers: there are none, so that a tour is only its end --- */

unsigned workers_count(void) { return 0; }
struct worker *worker_at(unsigned index) { (void)index; return NULL; }
struct worker *worker_least_loaded(void) { return NULL; }
uint64_t worker_now(struct worker *worker) { return worker->now_us; }
void workers_wake(uint64_t mask, worker_visit_cb *visit, void *arg) { (void)mask, (void)visit, (void)arg; }

void workers_visit(struct loop *home, worker_visit_cb *visit, worker_done_cb *done, void *arg)
{
	(void)home, (void)visit;
	assert_true(tour_count < TOURS_MAX);
	tours[tour_count++] = (struct tour){ done, arg };
}

void workers_walk(struct loop *home, const struct worker_walk *calls, worker_done_cb *done, void *arg)
{
	(void)calls;
	workers_visit(home, NULL, done, arg);
}

void worker_visit_sessions(struct worker *worker, worker_session_cb *visit, void *arg)
{
	LIST_FOREACH(link, next, &worker->sessions)
		visit(link, arg);
}

void worker_walk_skip(struct worker *worker, const struct list *leaving) { (void)worker, (void)leaving; }

void fixture_finish_tours(void)
{
	while (tour_count > 0) {
		struct tour first = tours[0];

		memmove(&tours[0], &tours[1], --tour_count * sizeof(tours[0]));
		first.done(first.arg);
	}
}

/* --- The fixture --- */

static struct config *load_config(void)
{
	static const char text[] = "[pgweir]\nauth_type = trust\nadmin_users = root\nstats_users = watcher\n"
		"client_tls_sslmode = disable\n[database app]\nhost = 127.0.0.1\n";
	char path[] = P_tmpdir "/pgweir-admin-XXXXXX";
	struct config_problems problems = { 0 };
	int fd = mkstemp(path);

	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	struct config *loaded = config_load(path, &problems);

	unlink(path);
	assert_int_equal(problems.count, 0);
	config_problems_fini(&problems);
	return loaded;
}

int fixture_setup(void **state)
{
	(void)state;
	fakes = (struct admin_fakes){ 0 };
	config = load_config();
	loop = loop_new("test");
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	fixture_finish_tours();
	admin_stop();
	fixture_finish_tours();
	loop_free(&loop);
	config_unref(&config);
	buf_fini(&fixture_last);
	return 0;
}

void fixture_turn(void)
{
	for (int i = 0; i < 4; i++) {
		loop_run_once(loop, false);
		if (!fakes.hold_tours)
			fixture_finish_tours();
	}
}

int fixture_connect(const char *user)
{
	struct login_session *session = NEW(struct login_session);
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	conn_init(&session->conn, ends[0]);
	session->user = mem_strdup(user);
	session->database_name = mem_strdup("pgweir");
	session->address.ss_family = AF_UNIX;
	admin_receive(session);
	assert_string_equal(fixture_types(ends[1]), "RSSSSSSSSSSSKZ");
	return ends[1];
}

void fixture_send(int fd, const void *bytes, size_t size)
{
	assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
	fixture_turn();
}

void fixture_query(int fd, const char *sql)
{
	struct buf message = { 0 };

	wire_put_query(&message, sql);
	fixture_send(fd, message.bytes, message.size);
	buf_fini(&message);
}

const char *fixture_types(int fd)
{
	static char types[TYPES_MAX];
	ssize_t got;
	size_t count = 0;

	fixture_turn();
	fixture_last.size = 0;
	do {
		got = recv(fd, buf_reserve(&fixture_last, 65536), 65536, 0);
		fixture_last.size += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	for (size_t at = 0; at < fixture_last.size; at += wire_message_size(fixture_last.bytes + at)) {
		assert_true(count < TYPES_MAX - 2);
		types[count++] = fixture_last.bytes[at];
	}
	if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		types[count++] = '!';
	types[count] = '\0';
	return types;
}

const char *fixture_error(char field)
{
	for (size_t at = 0; at < fixture_last.size; at += wire_message_size(fixture_last.bytes + at)) {
		const char *message = fixture_last.bytes + at;

		if (*message != 'E')
			continue;
		const char *value = wire_error_field(message + WIRE_HEADER_SIZE, wire_message_size(message) - WIRE_HEADER_SIZE, field);

		return value ? value : "";
	}
	return "";
}
