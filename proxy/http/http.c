/* The pages, who may see them, and the moments at which things are looked at. */
#include "pgweir/http.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "health.h"
#include "history.h"
#include "http_server.h"
#include "observation.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "rendering.h"

/* page/status.html, embedded when this was built. */
extern const unsigned char http_page[];
extern const size_t http_page_size;

static struct {
	struct http_server pages, health;
	struct loop_timer sample;
	bool sampling;
} http;

/* --- The status page --- */

enum { NONCE_SIZE = 16 };
#define NONCE_PLACE "00000000000000000000000000nonce!"

/* Nothing runs in the page but what came with it: its style and script carry a number made for this answer. */
static void answer_page(struct http_connection *connection)
{
	unsigned char random[NONCE_SIZE];
	char nonce[2 * NONCE_SIZE + 1];
	struct buf body = { 0 };
	ssize_t got = getrandom(random, sizeof(random), 0);

	CHECK(got == sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(nonce + 2 * i, 3, "%02x", random[i]);
	buf_append(&body, http_page, http_page_size);
	for (char *at = body.bytes; (at = memmem(at, body.size - (size_t)(at - body.bytes), NONCE_PLACE, sizeof(nonce) - 1)) != NULL;)
		memcpy(at, nonce, sizeof(nonce) - 1);
	char *policy = mem_printf("default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
		"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nonce, nonce);

	http_reply(connection, &(struct http_reply){ .status = 200, .type = "text/html; charset=utf-8", .policy = policy }, &body);
	mem_free(policy);
}

/* --- Who gets what --- */

struct route {
	const char *path;
	bool health;                    /* On health_listen too. */
	http_answer_cb *answer;
};

static const struct route routes[] = {
	{ "/", false, answer_page },
	{ "/status.json", false, rendering_status },
	{ "/metrics", false, rendering_metrics },
	{ "/healthz", true, health_alive },
	{ "/readyz", true, health_ready },
};

static void answer(struct http_connection *connection, bool health)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if ((health && !routes[i].health) || strcmp(connection->request.path, routes[i].path) != 0)
			continue;
		routes[i].answer(connection);
		return;
	}
	http_reply_text(connection, 404, health ? "there are /healthz and /readyz here" : "there is no such page");
}

/* In time that does not depend on how much of it is right. */
static bool is_let_in(const struct http_request *request)
{
	const struct config *config = control_config();
	static const char scheme[] = "Basic ";

	if (!config->http_user || !config->http_password)
		return true;
	if (!request->authorization || strncasecmp(request->authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	struct buf plain = { 0 }, coded = { 0 };

	buf_append_text(&plain, config->http_user);
	buf_append_char(&plain, ':');
	buf_append_text(&plain, config->http_password);
	EVP_EncodeBlock((unsigned char *)buf_reserve(&coded, plain.size / 3 * 4 + 8), (const unsigned char *)plain.bytes, (int)plain.size);
	coded.size = plain.size / 3 * 4 + 8;
	bool good = mem_equal_secret_text(request->authorization + sizeof(scheme) - 1, coded.bytes);

	buf_fini_secret(&plain);
	buf_fini_secret(&coded);
	return good;
}

static void answer_pages(struct http_connection *connection)
{
	struct buf body = { 0 };

	if (is_let_in(&connection->request)) {
		answer(connection, false);
		return;
	}
	buf_append_text(&body, "a user name and a password are needed\n");
	http_reply(connection, &(struct http_reply){ .status = 401,
		.header = "WWW-Authenticate: Basic realm=\"pgweir\", charset=\"UTF-8\"\r\n" }, &body);
}

static void answer_health(struct http_connection *connection)
{
	answer(connection, true);
}

/* --- Start and end --- */

static void sampled(struct observation *seen, void *unused)
{
	(void)unused;
	history_note(seen);
	loop_timer_start(&http.sample, HISTORY_STEP_MS);
}

static void take_sample(void *unused)
{
	(void)unused;
	observation_request(sampled, NULL);
}

bool http_open(const struct config *config, struct error *error)
{
	if (*config->http_listen && !http_server_open(&http.pages, control_loop(), config->http_listen, answer_pages, error))
		return error_prepend(error, "http_listen");
	if (*config->health_listen && !http_server_open(&http.health, control_loop(), config->health_listen, answer_health, error)) {
		http_close();
		return error_prepend(error, "health_listen");
	}
	if (!*config->http_listen)
		return true;
	http.sampling = true;
	loop_timer_init(&http.sample, control_loop(), take_sample, NULL);
	take_sample(NULL);
	return true;
}

void http_close(void)
{
	http_server_close(&http.pages);
	http_server_close(&http.health);
	if (http.sampling)
		loop_timer_stop(&http.sample);
	http.sampling = false;
	observation_stop();
	rendering_stop();
	history_stop();
}
