/* Failure story: a reader that leaves takes its connection out of the list, and what is being written for it is dropped
 * in the next turn. What the end of the process cuts short is dropped with the loop's mailbox. */
#include "rendering.h"

#include "metrics.h"
#include "observation.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "status.h"

enum { WRITTEN_PER_TURN = 64 * 1024 };          /* Less than half a millisecond. */

struct rendering {
	struct loop_letter letter;
	struct list link;               /* While it waits for the observation. */
	struct list reader;             /* One connection, or none any more. */
	struct observation *seen;       /* A reference. */
	const struct page *page;
	struct exposition metrics;
	struct status status;
};

struct page {
	/* Writes about as much as that. False: the page is whole. */
	bool (*go_on)(struct rendering *rendering, size_t most);
	struct buf *(*body)(struct rendering *rendering);
	const char *(*type)(const struct rendering *rendering);
};

static struct list waiting = { &waiting, &waiting };

/* --- The pages --- */

static bool metrics_go_on(struct rendering *rendering, size_t most)
{
	rendering->metrics.seen = rendering->seen;
	return metrics_put_some(&rendering->metrics, most);
}

static struct buf *metrics_body(struct rendering *rendering)
{
	return &rendering->metrics.out;
}

static const char *metrics_type(const struct rendering *rendering)
{
	return rendering->metrics.open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		: "text/plain; version=0.0.4; charset=utf-8";
}

static bool status_go_on(struct rendering *rendering, size_t most)
{
	return status_put_some(&rendering->status, rendering->seen, most);
}

static struct buf *status_body(struct rendering *rendering)
{
	return &rendering->status.json.out;
}

static const char *status_type(const struct rendering *rendering)
{
	(void)rendering;
	return "application/json";
}

static const struct page metrics_page = { metrics_go_on, metrics_body, metrics_type };
static const struct page status_page = { status_go_on, status_body, status_type };

/* --- From the request to the answer --- */

static void rendering_free(struct rendering *gone)
{
	list_remove(&gone->link);
	list_remove(&gone->reader);
	observation_unref(&gone->seen);
	buf_fini(gone->page->body(gone));
	mem_free(gone);
}

static void drop(struct loop_letter *letter)
{
	rendering_free(CONTAINER_OF(letter, struct rendering, letter));
}

static void reply(struct rendering *rendering)
{
	struct list *link = list_first(&rendering->reader);

	list_remove(link);
	http_reply(LIST_MEMBER(link, struct http_connection, waiting),
		&(struct http_reply){ .status = 200, .type = rendering->page->type(rendering) }, rendering->page->body(rendering));
}

static void next_turn(struct loop_letter *letter)
{
	struct rendering *rendering = CONTAINER_OF(letter, struct rendering, letter);

	if (!list_empty(&rendering->reader) && rendering->page->go_on(rendering, WRITTEN_PER_TURN)) {
		loop_post(control_loop(), letter);
		return;
	}
	if (!list_empty(&rendering->reader))
		reply(rendering);
	rendering_free(rendering);
}

static void observed(struct observation *seen, void *arg)
{
	struct rendering *rendering = arg;

	list_remove(&rendering->link);
	rendering->seen = observation_ref(seen);
	rendering->letter = (struct loop_letter){ .deliver = next_turn, .drop = drop };
	loop_post(control_loop(), &rendering->letter);
}

static void go_on(struct http_connection *connection)
{
	(void)connection;
}

static struct rendering *rendering_new(struct http_connection *connection, const struct page *page)
{
	struct rendering *rendering = NEW(struct rendering);

	rendering->page = page;
	list_init(&rendering->reader);
	list_push_back(&waiting, &rendering->link);
	http_wait(connection, &rendering->reader, go_on);
	observation_request(observed, rendering);
	return rendering;
}

void rendering_metrics(struct http_connection *connection)
{
	rendering_new(connection, &metrics_page)->metrics.open = metrics_wants_open(connection->request.accept);
}

void rendering_status(struct http_connection *connection)
{
	rendering_new(connection, &status_page);
}

void rendering_stop(void)
{
	LIST_FOREACH(link, next, &waiting)
		rendering_free(LIST_MEMBER(link, struct rendering, link));
}
