/* Failure story: every way in which a request can fail ends in the callback with a status of 0 and a text. Names are looked
 * up by libcurl's own resolver thread; at the end of the process one that hangs there is left behind. A cancelled call
 * takes its connection with it. */
#include "http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/mem.h"
#include "wiped_memory.h"

enum {
	CONNECT_TIMEOUT_MS = 5000,
	KEPT_CONNECTIONS = 8,
	CONNECTIONS_MAX = 64,                   /* Many secrets are fetched at the start. */
	MS_PER_S = 1000,
	RETRY_AFTER_MAX_MS = 60 * 1000,
};

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer timer;                /* When libcurl wants to be called without a reason of ours. */
	struct list calls, sockets;
};

struct http_call {
	struct list link;
	struct http *http;
	CURL *easy;
	struct curl_slist *headers;
	struct buf request_body;
	struct http_answer answer;
	char curl_error[CURL_ERROR_SIZE];
	http_cb *callback;
	void *arg;
	bool too_long;
};

struct http_socket {
	struct list link;
	struct http *http;
	struct loop_io io;
};

/* --- The end of a call --- */

static void free_call(struct http_call *call)
{
	list_remove(&call->link);
	curl_multi_remove_handle(call->http->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	buf_fini_secret(&call->request_body);
	buf_fini_secret(&call->answer.body);
	mem_free(call);
}

static void finish(struct http_call *call, CURLcode result)
{
	if (result == CURLE_OK)
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->answer.status);
	else if (call->too_long)
		error_set(&call->answer.error, NULL, "the answer is longer than %d bytes", HTTP_ANSWER_MAX);
	else
		error_set(&call->answer.error, NULL, "%s",
			call->curl_error[0] ? call->curl_error : curl_easy_strerror(result));
	if (result != CURLE_OK)
		call->answer.status = 0;
	http_cb *callback = call->callback;

	/* Out of libcurl's hands before the callback, which may cancel others. */
	call->callback = NULL;
	callback(&call->answer, call->arg);
	free_call(call);
}

static void collect(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct http_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		finish(call, message->data.result);
	}
}

static void act(struct http *http, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(http->multi, fd, what, &running);
	collect(http);
}

/* --- What libcurl asks for --- */

static void socket_ready(unsigned what, void *arg)
{
	struct http_socket *socket = arg;
	int mask = (what & (LOOP_READ | LOOP_CLOSED) ? CURL_CSELECT_IN : 0) | (what & LOOP_WRITE ? CURL_CSELECT_OUT : 0);

	act(socket->http, socket->io.fd, mask);
}

static void free_socket(struct http_socket *socket)
{
	list_remove(&socket->link);
	loop_io_fini(&socket->io);
	mem_free(socket);
}

static struct http_socket *new_socket(struct http *http, curl_socket_t fd)
{
	struct http_socket *socket = NEW(struct http_socket);

	socket->http = http;
	list_push_back(&http->sockets, &socket->link);
	loop_io_init(&socket->io, http->loop, fd, socket_ready, socket);
	curl_multi_assign(http->multi, fd, socket);
	return socket;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct http *http = arg;
	struct http_socket *socket = known;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (socket)
			free_socket(socket);
		return 0;
	}
	if (!socket)
		socket = new_socket(http, fd);
	loop_io_read(&socket->io, what & CURL_POLL_IN);
	loop_io_write(&socket->io, what & CURL_POLL_OUT);
	return 0;
}

static void time_is_up(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http *http = arg;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_stop(&http->timer);
	else
		loop_timer_start(&http->timer, (uint64_t)timeout_ms);
	return 0;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;

	call->too_long = call->answer.body.size + size * count > HTTP_ANSWER_MAX;
	if (call->too_long)
		return 0;
	buf_append(&call->answer.body, bytes, size * count);
	return size * count;
}

static bool header_is(const char *line, size_t size, const char *name, char value[64])
{
	size_t name_size = strlen(name);

	if (size <= name_size || strncasecmp(line, name, name_size) != 0)
		return false;
	size_t value_size = size - name_size < 63 ? size - name_size : 63;

	memcpy(value, line + name_size, value_size);
	value[value_size] = '\0';
	return true;
}

static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	char value[64];

	if (header_is(line, size * count, "date:", value)) {
		time_t date = curl_getdate(value, NULL);

		call->answer.date_s = date > 0 ? date : 0;
	} else if (header_is(line, size * count, "x-amz-retry-after:", value)) {
		call->answer.retry_after_ms = strtoul(value, NULL, 10);
	} else if (header_is(line, size * count, "retry-after:", value)) {
		call->answer.retry_after_ms = strtoul(value, NULL, 10) * MS_PER_S;
	}
	if (call->answer.retry_after_ms > RETRY_AFTER_MAX_MS)
		call->answer.retry_after_ms = RETRY_AFTER_MAX_MS;
	return size * count;
}

/* --- Calls --- */

static void set_peer(struct http_call *call, const struct http_request *request)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (request->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
	if (request->direct)
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
		(long)(request->timeout_ms < CONNECT_TIMEOUT_MS ? request->timeout_ms : CONNECT_TIMEOUT_MS));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
}

static void set_message(struct http_call *call, const struct http_request *request)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	if (strcmp(request->method, "GET") != 0) {
		buf_append(&call->request_body, request->body, request->body_size);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body_size);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body_size ? call->request_body.bytes : "");
	}
	for (const char *const *header = request->headers; header && *header; header++)
		call->headers = curl_slist_append(call->headers, *header);
	/* Never waited for. */
	call->headers = curl_slist_append(call->headers, "Expect:");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "pgweir/" PGWEIR_VERSION);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

struct http_call *http_start(struct http *http, const struct http_request *request, http_cb *callback, void *arg)
{
	struct http_call *call = NEW(struct http_call);

	call->http = http;
	call->callback = callback;
	call->arg = arg;
	call->easy = curl_easy_init();
	CHECK(call->easy);
	list_push_back(&http->calls, &call->link);
	set_peer(call, request);
	set_message(call, request);
	CHECK(curl_multi_add_handle(http->multi, call->easy) == CURLM_OK);
	return call;
}

void http_cancel(struct http_call **call)
{
	struct http_call *gone = *call;

	*call = NULL;
	/* While its own callback runs it is freed after that. */
	if (gone && gone->callback)
		free_call(gone);
}

struct http *http_new(struct loop *loop)
{
	struct http *http = NEW(struct http);

	wiped_memory_install();
	http->loop = loop;
	list_init(&http->calls);
	list_init(&http->sockets);
	loop_timer_init(&http->timer, loop, time_is_up, http);
	http->multi = curl_multi_init();
	CHECK(http->multi);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
	curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
	return http;
}

void http_free(struct http **http)
{
	struct http *gone = *http;

	*http = NULL;
	if (!gone)
		return;
	LIST_FOREACH(link, next, &gone->calls)
		free_call(LIST_MEMBER(link, struct http_call, link));
	curl_multi_cleanup(gone->multi);
	LIST_FOREACH(link, next, &gone->sockets)
		free_socket(LIST_MEMBER(link, struct http_socket, link));
	loop_timer_stop(&gone->timer);
	mem_free(gone);
}

bool http_is_exposed(const char *url)
{
	const char *host = url + strlen("http://");

	if (strncasecmp(url, "http://", strlen("http://")) != 0)
		return false;
	size_t size = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	bool loopback = size > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == size;

	/* "name:word@host" would have the host elsewhere. */
	if (strchr(host, '@'))
		return true;
	return !loopback && !(size == 9 && strncasecmp(host, "localhost", size) == 0)
		&& !(size == 5 && memcmp(host, "[::1]", size) == 0);
}
