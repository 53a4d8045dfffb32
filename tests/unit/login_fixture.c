#include "login_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "login_certs.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/server.h"

enum { PATIENCE_S = 60 };

static struct config_database databases[] = {
	{ .name = (char[]){ "app" }, .max_db_client_connections = CONFIG_INHERIT },
	{ .name = (char[]){ "small" }, .max_db_client_connections = 1 },
};

static struct config_user users[] = {
	{ .name = (char[]){ "tight" }, .max_user_client_connections = 1 },
};

struct config fixture_config;
char fixture_problem[512];

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t came;
	struct login_session *sessions[8];
	struct login_cancel *cancels[8];
	size_t session_count, cancel_count;
} arrivals = { .mutex = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER };

static void session_came(struct login_session *session)
{
	pthread_mutex_lock(&arrivals.mutex);
	CHECK(arrivals.session_count < ARRAY_LEN(arrivals.sessions));
	arrivals.sessions[arrivals.session_count++] = session;
	pthread_cond_signal(&arrivals.came);
	pthread_mutex_unlock(&arrivals.mutex);
}

static void cancel_came(struct login_cancel *cancel)
{
	pthread_mutex_lock(&arrivals.mutex);
	CHECK(arrivals.cancel_count < ARRAY_LEN(arrivals.cancels));
	arrivals.cancels[arrivals.cancel_count++] = cancel;
	pthread_cond_signal(&arrivals.came);
	pthread_mutex_unlock(&arrivals.mutex);
}

static bool wait_for(const size_t *count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (!*count)
		if (pthread_cond_timedwait(&arrivals.came, &arrivals.mutex, &until) != 0)
			return false;
	return true;
}

struct login_session *login_fixture_session(void)
{
	pthread_mutex_lock(&arrivals.mutex);
	struct login_session *session = wait_for(&arrivals.session_count) ? arrivals.sessions[--arrivals.session_count] : NULL;

	pthread_mutex_unlock(&arrivals.mutex);
	assert_non_null(session);
	return session;
}

struct login_cancel *login_fixture_cancel(void)
{
	pthread_mutex_lock(&arrivals.mutex);
	struct login_cancel *cancel = wait_for(&arrivals.cancel_count) ? arrivals.cancels[--arrivals.cancel_count] : NULL;

	pthread_mutex_unlock(&arrivals.mutex);
	assert_non_null(cancel);
	return cancel;
}

bool login_fixture_nothing_came(void)
{
	pthread_mutex_lock(&arrivals.mutex);
	bool nothing = !arrivals.session_count && !arrivals.cancel_count;

	pthread_mutex_unlock(&arrivals.mutex);
	return nothing;
}

void login_fixture_settle(unsigned logins_left)
{
	for (unsigned tries = 0; tries < PATIENCE_S * 1000 && login_count() != logins_left; tries++)
		usleep(1000);
	assert_int_equal(login_count(), logins_left);
}

int login_fixture_setup(void **state)
{
	static char admin[] = "admin", stats[] = "stats";
	static const struct login_receiver receiver = { .session = session_came, .cancel = cancel_came };

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	fake_auth = FAKE_AUTH_TRUST;
	fixture_config = (struct config){
		.max_client_conn = 10,
		.admin_users = admin,
		.stats_users = stats,
		.log_pooler_errors = true,
		.log_connections = true,
		.databases = databases, .database_count = ARRAY_LEN(databases),
		.users = users, .user_count = ARRAY_LEN(users),
	};
	login_threads_start(2);
	login_start(&receiver);
	return login_fixture_configure() ? 0 : -1;
}

int login_fixture_teardown(void **state)
{
	(void)state;
	login_stop();
	login_threads_stop();
	assert_true(login_fixture_nothing_came());
	assert_int_equal(login_count(), 0);
	assert_int_equal(client_slot_count(), 0);
	assert_int_equal(fake_auth_alive(), 0);
	assert_int_equal(fake_config_references(), 0);
	return 0;
}

bool login_fixture_configure(void)
{
	struct config_problems problems = { 0 };
	bool good = login_configure(&fixture_config, &problems);

	*fixture_problem = '\0';
	for (size_t i = 0; i < problems.count; i++) {
		snprintf(fixture_problem, sizeof(fixture_problem), "%s", problems.texts[i]);
		mem_free(problems.texts[i]);
	}
	mem_free(problems.texts);
	return good;
}

void login_fixture_tls(enum sslmode sslmode)
{
	fixture_config.client_tls = (struct config_tls){
		.sslmode = sslmode,
		.cert_file = (char *)(uintptr_t)certs_file("server.crt"),
		.key_file = (char *)(uintptr_t)certs_file("server.key"),
		.ca_file = sslmode >= SSLMODE_VERIFY_CA ? (char *)(uintptr_t)certs_file("ca.crt") : NULL,
	};
	assert_true(login_fixture_configure());
}

/* --- Clients --- */

static struct client client_of(int fd)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return (struct client){ .fd = fd };
}

struct client client_tcp(void)
{
	return client_tcp_gone(NULL, 0);
}

struct client client_tcp_gone(const void *said, size_t size_said)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_storage peer = { 0 };
	socklen_t size = sizeof(address), peer_size = sizeof(peer);
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listening, 1), 0);
	getsockname(listening, (struct sockaddr *)&address, &size);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (said) {
		assert_int_equal(send(fd, said, size_said, 0), size_said);
		shutdown(fd, SHUT_WR);
	}
	login_accept(accept4(listening, (struct sockaddr *)&peer, &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC), &peer);
	close(listening);
	return client_of(fd);
}

struct client client_local(void)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNIX };
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	int flags = fcntl(ends[0], F_GETFL);

	fcntl(ends[0], F_SETFL, flags & ~O_NONBLOCK);
	login_accept(ends[1], &peer);
	return client_of(ends[0]);
}

void client_close(struct client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->ssl_ctx);
	close(client->fd);
	*client = (struct client){ .fd = -1 };
}

static void send_piece(struct client *client, const void *bytes, size_t size)
{
	ssize_t sent = client->ssl ? SSL_write(client->ssl, bytes, (int)size) : send(client->fd, bytes, size, MSG_NOSIGNAL);

	assert_int_equal(sent, size);
}

void client_send(struct client *client, const void *bytes, size_t size)
{
	const char *at = bytes;

	if (!client->slow) {
		send_piece(client, bytes, size);
		return;
	}
	for (size_t i = 0; i < size; i++) {
		send_piece(client, at + i, 1);
		usleep(200);
	}
}

void client_send_request(struct client *client, uint32_t code)
{
	char packet[8];

	wire_put_u32(packet, sizeof(packet));
	wire_put_u32(packet + 4, code);
	client_send(client, packet, sizeof(packet));
}

void client_startup(struct client *client, uint32_t version, ...)
{
	struct buf packet = { 0 };
	va_list args;

	buf_append_u32(&packet, 0);
	buf_append_u32(&packet, version);
	va_start(args, version);
	for (const char *text = va_arg(args, const char *); text; text = va_arg(args, const char *))
		buf_append_cstring(&packet, text);
	va_end(args);
	buf_append_char(&packet, '\0');
	wire_put_u32(packet.bytes, (uint32_t)packet.size);
	client_send(client, packet.bytes, packet.size);
	buf_fini(&packet);
}

void client_answer(struct client *client, const char *password)
{
	struct buf message = { 0 };
	size_t begun = wire_begin(&message, 'p');

	buf_append_cstring(&message, password);
	wire_end(&message, begun);
	client_send(client, message.bytes, message.size);
	buf_fini(&message);
}

static ssize_t receive(struct client *client, void *bytes, size_t size)
{
	return client->ssl ? SSL_read(client->ssl, bytes, (int)size) : recv(client->fd, bytes, size, 0);
}

void client_read(struct client *client, void *bytes, size_t size)
{
	for (size_t got = 0; got < size;) {
		ssize_t more = receive(client, (char *)bytes + got, size - got);

		assert_true(more > 0);
		got += (size_t)more;
	}
}

bool client_ended(struct client *client)
{
	char byte;

	return receive(client, &byte, 1) == 0;
}

bool client_tls(struct client *client, bool alpn, const char *name)
{
	static const unsigned char protocols[] = "\012postgresql";

	client->ssl_ctx = SSL_CTX_new(TLS_client_method());
	if (name)
		certs_use(client->ssl_ctx, name);
	client->ssl = SSL_new(client->ssl_ctx);
	if (alpn)
		SSL_set_alpn_protos(client->ssl, protocols, sizeof(protocols) - 1);
	SSL_set_fd(client->ssl, client->fd);
	return SSL_connect(client->ssl) == 1;
}

char client_message(struct client *client, struct buf *body)
{
	char head[WIRE_HEADER_SIZE];

	client_read(client, head, sizeof(head));
	size_t size = wire_u32(head + 1) - 4;

	body->size = 0;
	client_read(client, buf_reserve(body, size + 1), size);
	body->bytes[size] = '\0';
	body->size = size;
	return head[0];
}

void client_expect_fatal(struct client *client, const char *sqlstate, const char *text)
{
	struct buf body = { 0 };

	assert_int_equal(client_message(client, &body), 'E');
	assert_string_equal(wire_error_field(body.bytes, body.size, 'S'), "FATAL");
	assert_string_equal(wire_error_field(body.bytes, body.size, 'C'), sqlstate);
	assert_string_equal(wire_error_field(body.bytes, body.size, 'M'), text);
	assert_true(client_ended(client));
	buf_fini(&body);
}
