#include "auth_fake_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pgweir/buf.h"
#include "pgweir/mem.h"

enum { PORT = 6543, USERS_MAX = 16, CONNECTIONS_MAX = 128 };

static struct {
	pthread_mutex_t mutex;
	int listener;
	char host[64];
	pthread_t acceptor, threads[CONNECTIONS_MAX];
	int fds[CONNECTIONS_MAX];
	size_t connections;
	bool refuse;
	unsigned logins, queries, open;
	char options[256];
	struct { const char *user, *secret; } users[USERS_MAX];
} server = { .mutex = PTHREAD_MUTEX_INITIALIZER, .listener = -1 };

static bool read_all(int fd, char *bytes, size_t size)
{
	return size == 0 || recv(fd, bytes, size, MSG_WAITALL) == (ssize_t)size;
}

/* A message's body without its length, NUL-terminated, or NULL at the end. */
static char *read_body(int fd, size_t *size)
{
	uint32_t length;

	if (!read_all(fd, (char *)&length, 4))
		return NULL;
	*size = ntohl(length) - 4;
	char *body = mem_alloc(*size + 1);

	if (read_all(fd, body, *size))
		return body;
	mem_free(body);
	return NULL;
}

static void put(struct buf *out, char type, const void *body, size_t size)
{
	buf_append_char(out, type);
	buf_append_u32(out, (uint32_t)size + 4);
	buf_append(out, body, size);
}

static void put_error(struct buf *out, const char *severity, const char *sqlstate, const char *text)
{
	struct buf body = { 0 };

	buf_printf(&body, "S%s%cV%s%cC%s%cM%s%c%c", severity, 0, severity, 0, sqlstate, 0, text, 0, 0);
	put(out, 'E', body.bytes, body.size);
	buf_fini(&body);
}

static bool flush(int fd, struct buf *out)
{
	bool sent = send(fd, out->bytes, out->size, MSG_NOSIGNAL) == (ssize_t)out->size;

	buf_fini(out);
	return sent;
}

static void note_options(const char *body, size_t size)
{
	for (const char *at = body + 4; at < body + size && *at;) {
		const char *value = at + strlen(at) + 1;

		if (strcmp(at, "options") == 0)
			snprintf(server.options, sizeof(server.options), "%s", value);
		at = value + strlen(value) + 1;
	}
}

static bool log_in(int fd)
{
	struct buf out = { 0 };
	size_t size;
	char *body = read_body(fd, &size);

	if (!body)
		return false;
	pthread_mutex_lock(&server.mutex);
	note_options(body, size);
	bool refuse = server.refuse;
	server.logins++;
	pthread_mutex_unlock(&server.mutex);
	mem_free(body);
	if (refuse) {
		put_error(&out, "FATAL", "28P01", "password authentication failed for user \"lookup\"");
		flush(fd, &out);
		return false;
	}
	put(&out, 'R', "\0\0\0", 4);
	put(&out, 'S', "server_version\0" "15.0", 20);
	put(&out, 'Z', "I", 1);
	return flush(fd, &out);
}

/* Bind: portal, statement, formats, then the parameters. */
static void take_parameter(const char *body, char user[64])
{
	const char *at = body + strlen(body) + 1;
	uint16_t formats;
	uint32_t size;

	at += strlen(at) + 1;
	memcpy(&formats, at, 2);
	at += 2 + 2 * ntohs(formats) + 2;
	memcpy(&size, at, 4);
	snprintf(user, 64, "%.*s", (int)ntohl(size), at + 4);
}

static void put_field(struct buf *body, const char *name)
{
	buf_append_cstring(body, name);
	buf_append_u32(body, 0);
	buf_append_u16(body, 0);
	buf_append_u32(body, 25);
	buf_append_u16(body, UINT16_MAX);
	buf_append_u32(body, UINT32_MAX);
	buf_append_u16(body, 0);
}

static void put_row(struct buf *out, const char *user, const char *secret)
{
	struct buf body = { 0 };

	buf_append_u16(&body, 2);
	buf_append_u32(&body, (uint32_t)strlen(user));
	buf_append_text(&body, user);
	buf_append_u32(&body, secret ? (uint32_t)strlen(secret) : UINT32_MAX);
	if (secret)
		buf_append_text(&body, secret);
	put(out, 'D', body.bytes, body.size);
	buf_fini(&body);
}

static void put_rows(struct buf *out, const char *user)
{
	struct buf body = { 0 };

	put(out, '1', NULL, 0);
	put(out, '2', NULL, 0);
	buf_append_u16(&body, 2);
	put_field(&body, "usename");
	put_field(&body, "passwd");
	put(out, 'T', body.bytes, body.size);
	buf_fini(&body);
	pthread_mutex_lock(&server.mutex);
	server.queries++;
	for (size_t i = 0; i < USERS_MAX; i++)
		if (server.users[i].user && strcmp(server.users[i].user, user) == 0)
			put_row(out, user, server.users[i].secret);
	pthread_mutex_unlock(&server.mutex);
	put(out, 'C', "SELECT 1", 9);
}

static bool answer(int fd, const char *user)
{
	struct buf out = { 0 };
	char byte;

	if (strcmp(user, "drop") == 0)
		return false;
	if (strcmp(user, "hang") == 0)
		return recv(fd, &byte, 1, 0) > 0;
	if (strcmp(user, "error") == 0)
		put_error(&out, "ERROR", "42501", "permission denied for table pg_authid");
	else
		put_rows(&out, user);
	put(&out, 'Z', "I", 1);
	return flush(fd, &out);
}

static void count_open(int difference)
{
	pthread_mutex_lock(&server.mutex);
	server.open += (unsigned)difference;
	pthread_mutex_unlock(&server.mutex);
}

static void *serve(void *arg)
{
	int fd = *(int *)arg;
	char type, user[64] = "";
	count_open(1);
	bool open = log_in(fd);

	while (open && read_all(fd, &type, 1)) {
		size_t size;
		char *body = read_body(fd, &size);

		if (!body)
			break;
		if (type == 'B')
			take_parameter(body, user);
		mem_free(body);
		if (type == 'S')
			open = answer(fd, user);
		if (type == 'X')
			break;
	}
	shutdown(fd, SHUT_RDWR);
	count_open(-1);
	return NULL;
}

static void *accept_all(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(server.listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		pthread_mutex_lock(&server.mutex);
		CHECK(server.connections < CONNECTIONS_MAX);
		int *slot = &server.fds[server.connections];
		*slot = fd;
		pthread_create(&server.threads[server.connections++], NULL, serve, slot);
		pthread_mutex_unlock(&server.mutex);
	}
}

void fake_server_start(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static int number;

	snprintf(server.host, sizeof(server.host), "@pgweir-test-%d-%d", (int)getpid(), number++);
	int size = snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%d", server.host, PORT);
	address.sun_path[0] = '\0';
	server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(server.listener, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size)) == 0);
	CHECK(listen(server.listener, 16) == 0);
	CHECK(pthread_create(&server.acceptor, NULL, accept_all, NULL) == 0);
}

void fake_server_drop_connections(void)
{
	pthread_mutex_lock(&server.mutex);
	for (size_t i = 0; i < server.connections; i++)
		shutdown(server.fds[i], SHUT_RDWR);
	pthread_mutex_unlock(&server.mutex);
}

void fake_server_stop(void)
{
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.acceptor, NULL);
	close(server.listener);
	fake_server_drop_connections();
	for (size_t i = 0; i < server.connections; i++) {
		pthread_join(server.threads[i], NULL);
		close(server.fds[i]);
	}
	server.connections = 0;
	server.logins = server.queries = 0;
	server.refuse = false;
	memset(server.users, 0, sizeof(server.users));
}

const char *fake_server_host(void)
{
	return server.host;
}

unsigned short fake_server_port(void)
{
	return PORT;
}

void fake_server_set(const char *user, const char *secret)
{
	size_t free_slot = USERS_MAX;

	pthread_mutex_lock(&server.mutex);
	for (size_t i = USERS_MAX; i-- > 0;)
		if (!server.users[i].user || strcmp(server.users[i].user, user) == 0)
			free_slot = i;
	for (size_t i = 0; i < USERS_MAX; i++)
		if (server.users[i].user && strcmp(server.users[i].user, user) == 0)
			free_slot = i;
	CHECK(free_slot < USERS_MAX);
	server.users[free_slot].user = user;
	server.users[free_slot].secret = secret;
	pthread_mutex_unlock(&server.mutex);
}

void fake_server_forget(const char *user)
{
	pthread_mutex_lock(&server.mutex);
	for (size_t i = 0; i < USERS_MAX; i++)
		if (server.users[i].user && strcmp(server.users[i].user, user) == 0)
			server.users[i].user = NULL;
	pthread_mutex_unlock(&server.mutex);
}

void fake_server_refuse_logins(bool refuse)
{
	pthread_mutex_lock(&server.mutex);
	server.refuse = refuse;
	pthread_mutex_unlock(&server.mutex);
}

unsigned fake_server_logins(void)
{
	pthread_mutex_lock(&server.mutex);
	unsigned logins = server.logins;
	pthread_mutex_unlock(&server.mutex);
	return logins;
}

unsigned fake_server_queries(void)
{
	pthread_mutex_lock(&server.mutex);
	unsigned queries = server.queries;
	pthread_mutex_unlock(&server.mutex);
	return queries;
}

bool fake_server_saw_option(const char *option)
{
	pthread_mutex_lock(&server.mutex);
	bool saw = strstr(server.options, option) != NULL;
	pthread_mutex_unlock(&server.mutex);
	return saw;
}

unsigned fake_server_connections(void)
{
	pthread_mutex_lock(&server.mutex);
	unsigned open = server.open;
	pthread_mutex_unlock(&server.mutex);
	return open;
}
