#include "aws.h"

#include <openssl/rand.h>
#include <string.h>

#include "aws_region.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

enum { US_PER_S = 1000 * 1000, SKEW_S = 4 * 60, BACKOFF_FIRST_MS = 1000, BACKOFF_MAX_MS = 20 * 1000 };

/* The control thread has one, a command has one, and so has the thread that provisions. */
static _Thread_local struct aws *opened;

struct aws *aws_open(struct loop *loop)
{
	if (opened && opened->loop == loop) {
		opened->references++;
		return opened;
	}
	struct aws *aws = NEW(struct aws);

	aws->references = 1;
	aws->loop = loop;
	aws->http = http_new(loop);
	list_init(&aws->identities);
	list_init(&aws->region.asks);
	opened = aws;
	return aws;
}

void aws_close(struct aws **aws)
{
	struct aws *gone = *aws;

	*aws = NULL;
	if (!gone || --gone->references)
		return;
	CHECK(list_empty(&gone->identities));
	aws_region_fini(gone);
	http_free(&gone->http);
	if (opened == gone)
		opened = NULL;
	mem_free(gone);
}

int64_t aws_now_s(const struct aws *aws)
{
	return clock_wall_us() / US_PER_S + aws->offset_s;
}

bool aws_learn_clock(struct aws *aws, int64_t date_s)
{
	int64_t off_s = date_s ? date_s - aws_now_s(aws) : 0;

	if (off_s < SKEW_S && off_s > -SKEW_S)
		return false;
	aws->offset_s += off_s;
	log_warning("the clock is not that of AWS: requests are signed with theirs", LOG_INT("ahead_s", aws->offset_s));
	return true;
}

uint64_t aws_random(uint64_t max)
{
	uint64_t number;

	CHECK(RAND_bytes((unsigned char *)&number, sizeof(number)) == 1);
	return max == UINT64_MAX ? number : number % (max + 1);
}

uint64_t aws_backoff_ms(unsigned tries)
{
	uint64_t most_ms = tries < 6 ? (uint64_t)BACKOFF_FIRST_MS << tries : BACKOFF_MAX_MS;

	return aws_random(most_ms < BACKOFF_MAX_MS ? most_ms : BACKOFF_MAX_MS);
}
