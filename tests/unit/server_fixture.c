#include "server_fixture.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/thread.h"

enum { CONNECTIONS_MAX = 64, PATIENCE_S = 60 };

const char fake_key[4] = "\1\2\xff" "k";

static struct {
	fake_script *script;
	int listening, bound;
	uint16_t port;
	pthread_t acceptor;
	pthread_t connections[CONNECTIONS_MAX];
	_Atomic unsigned connection_count, scripts_ended;

	struct thread *worker;
	struct config *config;
	struct server_target *target;
	struct server_opened opened;
	sem_t answered;
	_Atomic unsigned answers;
} fixture;

/* --- The server's side --- */

bool fake_read(int fd, void *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t got = recv(fd, (char *)bytes + at, size - at, 0);

		if (got <= 0)
			return false;
		at += (size_t)got;
	}
	return true;
}

void fake_read_startup(int fd, struct buf *packet)
{
	char length[4];

	packet->size = 0;
	CHECK(fake_read(fd, length, sizeof(length)));
	buf_append(packet, length, sizeof(length));
	size_t rest = wire_u32(length) - 4;

	CHECK(rest < WIRE_STARTUP_MAX && fake_read(fd, buf_reserve(packet, rest), rest));
	packet->size += rest;
}

void fake_read_message(int fd, char type, struct buf *body)
{
	char header[WIRE_HEADER_SIZE];

	CHECK(fake_read(fd, header, sizeof(header)) && header[0] == type);
	size_t size = wire_message_size(header) - sizeof(header);

	body->size = 0;
	CHECK(fake_read(fd, buf_reserve(body, size), size));
	body->size = size;
}

void fake_send(int fd, const void *bytes, size_t size)
{
	/* The other side may have seen enough already. */
	if (send(fd, bytes, size, MSG_NOSIGNAL) < 0)
		return;
}

void fake_send_buf(int fd, struct buf *out)
{
	fake_send(fd, out->bytes, out->size);
	buf_fini(out);
}

void fake_put_welcome(struct buf *out)
{
	wire_put_authentication(out, 0, NULL, 0);
	wire_put_parameter_status(out, "server_version", "17.0");
	wire_put_parameter_status(out, "in_hot_standby", "off");
	wire_put_backend_key(out, FAKE_PID, fake_key, sizeof(fake_key));
	wire_put_ready_for_query(out, 'I');
}

void fake_trust(int fd)
{
	struct buf buf = { 0 };

	fake_read_startup(fd, &buf);
	buf.size = 0;
	fake_put_welcome(&buf);
	fake_send_buf(fd, &buf);
}

void fake_wait_end(int fd)
{
	char ignored[256];

	while (recv(fd, ignored, sizeof(ignored), 0) > 0)
		continue;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fixture.script(fd);
	close(fd);
	atomic_fetch_add(&fixture.scripts_ended, 1);
	return NULL;
}

static void *accept_all(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept4(fixture.listening, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		unsigned at = atomic_load(&fixture.connection_count);

		CHECK(at < CONNECTIONS_MAX);
		atomic_store(&fixture.connection_count, at + 1);
		CHECK(pthread_create(&fixture.connections[at], NULL, serve, (void *)(intptr_t)fd) == 0);
	}
	return NULL;
}

static int bind_somewhere(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	*port = ntohs(address.sin_port);
	return fd;
}

/* --- The test's side --- */

static struct config *load_config(const char *host, uint16_t port, const char *pgweir_lines, const char *database_lines)
{
	char path[] = P_tmpdir "/pgweir-server-XXXXXX";
	struct config_problems problems = { 0 };
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	CHECK(fd >= 0 && file);
	fprintf(file, "[pgweir]\n%s\n", pgweir_lines ? pgweir_lines : "");
	fprintf(file, "[database app]\nhost = %s\nport = %u\ndbname = appdb\n%s\n", host, port,
		database_lines ? database_lines : "server_tls_sslmode = disable");
	fclose(file);
	struct config *config = config_load(path, &problems);

	unlink(path);
	for (size_t i = 0; i < problems.count; i++)
		fprintf(stderr, "%s\n", problems.texts[i]);
	config_problems_fini(&problems);
	CHECK(config);
	return config;
}

static struct server_target *make_target(struct config *config)
{
	struct server_target *target = NEW(struct server_target);

	atomic_init(&target->references, 1);
	target->config = config_ref(config);
	target->database = config_find_database(config, "app");
	target->host = &target->database->cluster->hosts[0];
	target->dbname = mem_strdup("appdb");
	target->credentials = NEW(struct credentials);
	atomic_init(&target->credentials->references, 1);
	target->credentials->user = mem_strdup("app_user");
	return target;
}

void fixture_start_at(fake_script *script, const char *host, uint16_t port, const char *pgweir_lines,
	const char *database_lines)
{
	fixture.script = script;
	fixture.listening = bind_somewhere(&fixture.port);
	CHECK(listen(fixture.listening, 16) == 0);
	atomic_store(&fixture.connection_count, 0);
	atomic_store(&fixture.scripts_ended, 0);
	atomic_store(&fixture.answers, 0);
	fixture.opened = (struct server_opened){ 0 };
	sem_init(&fixture.answered, 0, 0);
	CHECK(pthread_create(&fixture.acceptor, NULL, accept_all, NULL) == 0);
	fixture.config = load_config(host ? host : "127.0.0.1", port ? port : fixture.port, pgweir_lines, database_lines);
	fixture.target = make_target(fixture.config);
	fixture.worker = thread_start("worker", NULL, NULL, NULL);
	login_threads_start(2);
}

void fixture_start(fake_script *script, const char *pgweir_lines, const char *database_lines)
{
	fixture_start_at(script, NULL, 0, pgweir_lines, database_lines);
}

static void forget_answer(void)
{
	server_free(&fixture.opened.server);
	buf_fini(&fixture.opened.error_body);
	fixture.opened = (struct server_opened){ 0 };
}

void fixture_stop(void)
{
	login_threads_stop();
	thread_stop(&fixture.worker);
	forget_answer();
	shutdown(fixture.listening, SHUT_RDWR);
	pthread_join(fixture.acceptor, NULL);
	close(fixture.listening);
	if (fixture.bound > 0)
		close(fixture.bound);
	fixture.bound = 0;
	for (unsigned i = 0; i < atomic_load(&fixture.connection_count); i++)
		pthread_join(fixture.connections[i], NULL);
	server_target_unref(&fixture.target);
	config_unref(&fixture.config);
	sem_destroy(&fixture.answered);
}

void fixture_stop_worker(void)
{
	thread_stop(&fixture.worker);
}

void fixture_wait_for_scripts(void)
{
	while (atomic_load(&fixture.scripts_ended) < atomic_load(&fixture.connection_count))
		usleep(1000);
}

struct server_target *fixture_target(void)
{
	return fixture.target;
}

void fixture_login_state(const char *name, const char *value)
{
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, fixture.target->login_state);
	state_builder_set(&builder, name, value);
	state_unref(&fixture.target->login_state);
	fixture.target->login_state = state_builder_finish(&builder);
}

struct loop *fixture_loop(void)
{
	return thread_loop(fixture.worker);
}

uint16_t fixture_port(void)
{
	return fixture.port;
}

unsigned fixture_connections(void)
{
	return atomic_load(&fixture.connection_count);
}

uint16_t fixture_closed_port(void)
{
	uint16_t port;

	/* Nobody else gets it meanwhile. */
	fixture.bound = bind_somewhere(&port);
	return port;
}

static void opened(struct server_opened *answer, void *arg)
{
	CHECK(arg == &fixture);
	fixture.opened = *answer;
	answer->error_body = (struct buf){ 0 };
	atomic_fetch_add(&fixture.answers, 1);
	sem_post(&fixture.answered);
}

void fixture_open_start(void)
{
	server_open(fixture.target, thread_loop(fixture.worker), opened, &fixture);
}

const struct server_opened *fixture_opened(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	CHECK(sem_timedwait(&fixture.answered, &until) == 0);
	return &fixture.opened;
}

const struct server_opened *fixture_open(void)
{
	forget_answer();
	fixture_open_start();
	return fixture_opened();
}

struct server *fixture_take(void)
{
	struct server *server = fixture.opened.server;

	fixture.opened.server = NULL;
	return server;
}

unsigned fixture_answers(void)
{
	return atomic_load(&fixture.answers);
}
