/* The transport of requests, against a small server of the test's own that does what each path says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"
#include "pgweir/mem.h"

enum { SOME_MS = 100, LONG_MS = 60 * 1000, REQUEST_MAX = 4096, CONNECTIONS_MAX = 16 };

/* --- The server: a thread for each connection --- */

static struct {
	pthread_t accepting, threads[CONNECTIONS_MAX];
	int listener;
	uint16_t port;
	_Atomic unsigned connections, requests;
	pthread_mutex_t mutex;
	char last[REQUEST_MAX];         /* Head and body. */
} server = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void hang(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
}

static void reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void promise_more_than_is_sent(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void talk_nonsense(int fd)
{
	say(fd, "\001\002 this is no HTTP\r\n\r\n");
}

static void close_without_a_word(int fd)
{
	(void)fd;
}

static void flood(int fd)
{
	static const char piece[4096];
	char head[100];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", HTTP_ANSWER_MAX + 1);
	say(fd, head);
	for (int sent = 0; sent <= HTTP_ANSWER_MAX; sent += (int)sizeof(piece))
		if (send(fd, piece, sizeof(piece), MSG_NOSIGNAL) < 0)
			return;
}

static const struct {
	const char *path;
	void (*act)(int fd);            /* NULL: `answer`, and the connection goes on. */
	const char *answer;
} scripts[] = {
	{ "/good", NULL, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nhello" },
	{ "/busy", NULL, "HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n" },
	{ "/later", NULL, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\nx-amz-retry-after: 1500\r\n\r\n" },
	{ "/much_later", NULL, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\nRetry-After: 86400\r\n\r\n" },
	{ "/elsewhere", NULL, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /good\r\n\r\n" },
	{ "/hang", hang, NULL },
	{ "/reset", reset, NULL },
	{ "/half", promise_more_than_is_sent, NULL },
	{ "/nonsense", talk_nonsense, NULL },
	{ "/nothing", close_without_a_word, NULL },
	{ "/flood", flood, NULL },
};

/* Head and body; false: no more of them. */
static bool read_request(int fd, char request[REQUEST_MAX])
{
	size_t size = 0, wanted = 0;

	memset(request, 0, REQUEST_MAX);
	while (!wanted || size < wanted) {
		ssize_t got = recv(fd, request + size, REQUEST_MAX - 1 - size, 0);

		if (got <= 0)
			return false;
		size += (size_t)got;
		const char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "Content-Length: ");

		if (end)
			wanted = (size_t)(end + 4 - request) + (length ? strtoul(length + 16, NULL, 10) : 0);
	}
	pthread_mutex_lock(&server.mutex);
	memcpy(server.last, request, REQUEST_MAX);
	pthread_mutex_unlock(&server.mutex);
	atomic_fetch_add(&server.requests, 1);
	return true;
}

/* True: the connection goes on. */
static bool answer(int fd, const char *request)
{
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		const char *at = strstr(request, scripts[i].path);

		if (!at || at[strlen(scripts[i].path)] != ' ')
			continue;
		if (!scripts[i].act)
			say(fd, scripts[i].answer);
		else
			scripts[i].act(fd);
		return !scripts[i].act;
	}
	return false;                   /* A proxy that is asked to CONNECT. */
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char request[REQUEST_MAX];

	while (read_request(fd, request) && answer(fd, request))
		;
	close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
		unsigned at = atomic_fetch_add(&server.connections, 1);

		CHECK(at < CONNECTIONS_MAX);
		CHECK(pthread_create(&server.threads[at], NULL, serve, (void *)(intptr_t)fd) == 0);
	}
	return NULL;
}

/* --- The client --- */

static struct loop *loop;
static struct http *http;
static unsigned waiting;

struct outcome {
	long status;
	uint64_t retry_after_ms;
	int64_t date_s;
	char body[64], error[sizeof((struct error){ 0 }.text)];
};

static void forget_proxies(void)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy",
		"ALL_PROXY" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

static int set_up(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	(void)state;
	forget_proxies();
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(server.listener, (struct sockaddr *)&address, size) == 0 && listen(server.listener, CONNECTIONS_MAX) == 0);
	getsockname(server.listener, (struct sockaddr *)&address, &size);
	server.port = ntohs(address.sin_port);
	server.connections = server.requests = 0;
	CHECK(pthread_create(&server.accepting, NULL, accept_all, NULL) == 0);
	loop = loop_new("test");
	http = http_new(loop);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_free(&http);
	loop_free(&loop);
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.accepting, NULL);
	for (unsigned i = 0; i < server.connections; i++)
		pthread_join(server.threads[i], NULL);
	close(server.listener);
	forget_proxies();
	return 0;
}

static void ended(struct http_answer *heard, void *arg)
{
	struct outcome *outcome = arg;
	size_t size = heard->body.size < sizeof(outcome->body) ? heard->body.size : sizeof(outcome->body) - 1;

	outcome->status = heard->status;
	outcome->retry_after_ms = heard->retry_after_ms;
	outcome->date_s = heard->date_s;
	if (size)
		memcpy(outcome->body, heard->body.bytes, size);
	if (!heard->status)
		snprintf(outcome->error, sizeof(outcome->error), "%s", heard->error.text);
	if (--waiting == 0)
		loop_stop(loop);
}

static struct http_call *start(const char *url, uint64_t timeout_ms, bool direct, struct outcome *outcome)
{
	struct http_request request = { .method = "GET", .url = url, .timeout_ms = timeout_ms, .direct = direct };

	*outcome = (struct outcome){ .status = -1 };
	waiting++;
	return http_start(http, &request, ended, outcome);
}

static struct outcome get_url(const char *url, uint64_t timeout_ms, bool direct)
{
	struct outcome outcome;

	(void)!start(url, timeout_ms, direct, &outcome);
	loop_run(loop);
	return outcome;
}

static struct outcome get(const char *path, uint64_t timeout_ms)
{
	char url[100];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server.port, path);
	return get_url(url, timeout_ms, false);
}

static void assert_failed(struct outcome outcome, const char *text)
{
	assert_int_equal(outcome.status, 0);
	if (!strcasestr(outcome.error, text))
		fail_msg("\"%s\" does not say \"%s\"", outcome.error, text);
	/* What is left of one that failed is not used for the next. */
	assert_int_equal(get("/good", LONG_MS).status, 200);
}

static bool was_asked(const char *text)
{
	pthread_mutex_lock(&server.mutex);
	bool found = strstr(server.last, text) != NULL;

	pthread_mutex_unlock(&server.mutex);
	return found;
}

/* --- Answers --- */

static void an_answer_is_handed_over_as_it_came(void **state)
{
	(void)state;
	struct outcome outcome = get("/good", LONG_MS);

	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome.body, "hello");
	assert_int_equal(outcome.date_s, 784111777);
	assert_int_equal(get("/busy", LONG_MS).status, 429);
	assert_int_equal(get("/busy", LONG_MS).retry_after_ms, 7000);
	assert_int_equal(get("/later", LONG_MS).retry_after_ms, 1500);
}

static void a_service_cannot_ask_for_more_than_a_minute(void **state)
{
	(void)state;
	assert_int_equal(get("/much_later", LONG_MS).retry_after_ms, 60 * 1000);
}

/* It would take what is signed for one host to another. */
static void no_redirection_is_followed(void **state)
{
	(void)state;
	assert_int_equal(get("/elsewhere", LONG_MS).status, 302);
	assert_int_equal(server.requests, 1);
}

static void a_body_and_headers_are_sent_whole(void **state)
{
	static const char *const headers[] = { "X-Amz-Target: one", "Content-Type: two", NULL };
	struct outcome outcome = { 0 };
	char url[100];
	struct http_request request = {
		.method = "POST", .url = url, .headers = headers, .body = "a\0b", .body_size = 3, .timeout_ms = LONG_MS,
	};

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/good", server.port);
	waiting = 1;
	(void)!http_start(http, &request, ended, &outcome);
	/* All of it has been copied. */
	memset(url, 0, sizeof(url));
	loop_run(loop);
	assert_int_equal(outcome.status, 200);
	pthread_mutex_lock(&server.mutex);
	assert_memory_equal(strstr(server.last, "\r\n\r\n") + 4, "a\0b", 3);
	pthread_mutex_unlock(&server.mutex);
	assert_true(was_asked("X-Amz-Target: one\r\n"));
	assert_true(was_asked("Content-Type: two\r\n"));
	assert_false(was_asked("Expect:"));
}

/* --- What goes wrong --- */

static void a_server_that_hangs_ends_with_the_time(void **state)
{
	(void)state;
	assert_failed(get("/hang", SOME_MS), "timed out");
}

static void a_connection_that_is_reset_is_an_error(void **state)
{
	(void)state;
	assert_failed(get("/reset", LONG_MS), "");
	assert_failed(get("/nothing", LONG_MS), "empty reply");
}

static void half_an_answer_is_none(void **state)
{
	(void)state;
	assert_failed(get("/half", LONG_MS), "");
	assert_failed(get("/nonsense", LONG_MS), "");
}

static void an_answer_that_is_too_long_is_given_up(void **state)
{
	(void)state;
	assert_failed(get("/flood", LONG_MS), "the answer is longer than 262144 bytes");
}

static void nobody_at_home_is_told_at_once(void **state)
{
	char url[100];
	int taken = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	(void)state;
	/* Bound, and nobody listens. */
	assert_int_equal(bind(taken, (struct sockaddr *)&address, size), 0);
	getsockname(taken, (struct sockaddr *)&address, &size);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
	assert_failed(get_url(url, LONG_MS, false), "connect");
	assert_failed(get_url("file:///etc/hostname", LONG_MS, false), "file");
	close(taken);
}

/* --- Connections --- */

static void one_connection_serves_one_request_after_the_other(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(get("/good", LONG_MS).status, 200);
	assert_int_equal(server.requests, 5);
	assert_int_equal(server.connections, 1);
}

static void a_request_that_hangs_is_in_nobodys_way(void **state)
{
	struct outcome hanging, good;
	char url[100];

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/hang", server.port);
	struct http_call *call = start(url, LONG_MS, false, &hanging);

	waiting--;
	good = get("/good", LONG_MS);
	assert_int_equal(good.status, 200);
	assert_int_equal(server.connections, 2);
	http_cancel(&call);
	assert_null(call);
	assert_int_equal(get("/good", LONG_MS).status, 200);
	assert_int_equal(hanging.status, -1);
}

/* --- Proxies --- */

static void say_proxy(const char *variable)
{
	char url[100];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.port);
	setenv(variable, url, 1);
}

static void the_proxy_of_the_environment_is_asked(void **state)
{
	(void)state;
	say_proxy("http_proxy");
	assert_int_equal(get_url("http://secrets.invalid/good", LONG_MS, false).status, 200);
	assert_true(was_asked("GET http://secrets.invalid/good HTTP/1.1\r\n"));
}

static void tls_goes_through_the_proxy_as_a_tunnel(void **state)
{
	(void)state;
	say_proxy("HTTPS_PROXY");
	assert_int_equal(get_url("https://secrets.invalid/good", LONG_MS, false).status, 0);
	assert_true(was_asked("CONNECT secrets.invalid:443 HTTP/1.1\r\n"));
	assert_false(was_asked("/good"));
}

static void some_hosts_are_reached_without_the_proxy(void **state)
{
	(void)state;
	/* Where there is nobody: whoever asked it would fail. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	assert_int_equal(get("/good", LONG_MS).status, 0);
	setenv("NO_PROXY", "127.0.0.1", 1);
	assert_int_equal(get("/good", LONG_MS).status, 200);
}

static void metadata_is_never_asked_through_a_proxy(void **state)
{
	char url[100];

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/good", server.port);
	assert_int_equal(get_url(url, LONG_MS, true).status, 200);
}

static void plain_http_may_not_leave_the_machine(void **state)
{
	(void)state;
	assert_false(http_is_exposed("https://example.com/"));
	assert_false(http_is_exposed("http://127.0.0.1:80/"));
	assert_false(http_is_exposed("http://localhost/"));
	assert_false(http_is_exposed("http://[::1]:80/"));
	assert_true(http_is_exposed("http://example.com/"));
	assert_true(http_is_exposed("http://127.0.0.1.example.com/"));
	assert_true(http_is_exposed("http://127.0.0.1:80@example.com/"));
	assert_true(http_is_exposed("HTTP://localhost.example.com/"));
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(an_answer_is_handed_over_as_it_came),
		SERVED(a_service_cannot_ask_for_more_than_a_minute),
		SERVED(no_redirection_is_followed),
		SERVED(a_body_and_headers_are_sent_whole),
		SERVED(a_server_that_hangs_ends_with_the_time),
		SERVED(a_connection_that_is_reset_is_an_error),
		SERVED(half_an_answer_is_none),
		SERVED(an_answer_that_is_too_long_is_given_up),
		SERVED(nobody_at_home_is_told_at_once),
		SERVED(one_connection_serves_one_request_after_the_other),
		SERVED(a_request_that_hangs_is_in_nobodys_way),
		SERVED(the_proxy_of_the_environment_is_asked),
		SERVED(tls_goes_through_the_proxy_as_a_tunnel),
		SERVED(some_hosts_are_reached_without_the_proxy),
		SERVED(metadata_is_never_asked_through_a_proxy),
		cmocka_unit_test(plain_http_may_not_leave_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
