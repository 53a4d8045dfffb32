/* What all calls to AWS on one loop share: connections, identities, and how far our clock is off. */
#ifndef PGWEIR_SECRETS_AWS_H
#define PGWEIR_SECRETS_AWS_H

#include "aws_chain.h"
#include "aws_keys.h"
#include "http.h"
#include "pgweir/config.h"
#include "pgweir/loop.h"

struct aws {
	unsigned references;
	struct loop *loop;
	struct http *http;
	struct list identities;         /* aws_identity.c */
	struct {
		struct list asks;
		struct http_call *call;
		char *name;
		uint64_t failed_us;     /* When it was asked for in vain; 0: never. */
	} region;                       /* aws_region.c */
	int64_t offset_s;               /* What AWS's clock shows more than ours. */
};

/* The one of this loop, with a reference; made when first asked for. All loops that ask are one thread's. */
struct aws *aws_open(struct loop *loop) MUST_USE;
void aws_close(struct aws **aws);                       /* NULL is fine. */

int64_t aws_now_s(const struct aws *aws);               /* By AWS's clock, as far as it is known. */
/* An answer that refused a signature bore this date. True: our clock is off by so much that signing again helps. */
bool aws_learn_clock(struct aws *aws, int64_t date_s);
/* Between 0 and `max`, both included, evenly. */
uint64_t aws_random(uint64_t max);
/* How long to wait before try `tries` + 1: random, below 1 s, 2 s, 4 s … 20 s. */
uint64_t aws_backoff_ms(unsigned tries);

/* --- aws_identity.c: who we are, and the keys that prove it --- */

struct aws_identity;
struct aws_ask;
/* Once, on the loop, never from within aws_identity_ask(), not after aws_ask_cancel(). `keys` NULL: `error` says why.
 * References are taken by whoever keeps them. */
typedef void aws_keys_cb(struct aws_keys *keys, const struct error *error, void *arg);

/* The same for all who ask for the same profile, role and region. `region` (of STS) may be NULL. */
struct aws_identity *aws_identity_open(struct aws *aws, const struct aws_who *who, const char *region) MUST_USE;
void aws_identity_close(struct aws_identity **identity);        /* NULL is fine. */
/* What is there, if it is good for a while; else it is acquired first, once for all who wait. */
struct aws_ask *aws_identity_ask(struct aws_identity *identity, aws_keys_cb *callback, void *arg) MUST_USE;
void aws_ask_cancel(struct aws_ask **ask);              /* NULL is fine. */
/* The service does not know these keys (any more): who asks next gets others. */
void aws_identity_reject(struct aws_identity *identity, const struct aws_keys *keys);

#endif
