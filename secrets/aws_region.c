/* Failure story: away from EC2 nobody answers, and each request would take its time for nothing; so one that has failed is
 * not begun again for a minute. A region that is known stays: machines do not move. */
#include "aws_region.h"

#include "aws_metadata.h"
#include "pgweir/clock.h"
#include "pgweir/mem.h"

enum { PAUSE_US = 60 * 1000 * 1000 };

struct aws_region_ask {
	struct list link;
	aws_region_cb *callback;
	void *arg;
};

const char *aws_region_known(const struct aws *aws)
{
	return aws->region.name;
}

static void end(struct aws *aws)
{
	struct list asks;

	if (!aws->region.name)
		aws->region.failed_us = clock_now_us();
	/* Those who ask from within a callback belong to the next request. */
	list_init(&asks);
	while (!list_empty(&aws->region.asks)) {
		struct list *link = list_first(&aws->region.asks);

		list_remove(link);
		list_push_back(&asks, link);
	}
	while (!list_empty(&asks)) {
		struct aws_region_ask *ask = LIST_MEMBER(list_first(&asks), struct aws_region_ask, link);

		list_remove(&ask->link);
		ask->callback(ask->arg);
		mem_free(ask);
	}
}

static void got_region(struct http_answer *answer, void *arg)
{
	struct aws *aws = arg;
	char *name = answer->status == 200 ? aws_metadata_line(answer) : NULL;

	aws->region.call = NULL;
	if (name && *name)
		aws->region.name = mem_strdup(name);
	mem_free(name);
	end(aws);
}

static void got_token(struct http_answer *answer, void *arg)
{
	struct aws *aws = arg;
	bool has_token = answer->status == 200;
	char *token = has_token ? aws_metadata_line(answer) : NULL;

	aws->region.call = NULL;
	if (has_token || aws_metadata_has_no_tokens(answer))
		aws->region.call = aws_metadata_ask(aws, "latest/meta-data/placement/region", token, got_region, aws);
	else
		end(aws);
	mem_secret_free(token);
}

struct aws_region_ask *aws_region_ask(struct aws *aws, aws_region_cb *callback, void *arg)
{
	uint64_t failed_us = aws->region.failed_us;

	if (aws_metadata_is_disabled() || (failed_us && clock_now_us() - failed_us < PAUSE_US))
		return NULL;
	struct aws_region_ask *ask = NEW(struct aws_region_ask);

	*ask = (struct aws_region_ask){ .callback = callback, .arg = arg };
	list_push_back(&aws->region.asks, &ask->link);
	if (!aws->region.call)
		aws->region.call = aws_metadata_ask_token(aws, got_token, aws);
	return ask;
}

void aws_region_cancel(struct aws_region_ask **ask)
{
	struct aws_region_ask *gone = *ask;

	*ask = NULL;
	if (!gone)
		return;
	list_remove(&gone->link);
	mem_free(gone);
}

void aws_region_fini(struct aws *aws)
{
	CHECK(list_empty(&aws->region.asks));
	http_cancel(&aws->region.call);
	mem_free(aws->region.name);
}
