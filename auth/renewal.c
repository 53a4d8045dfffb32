#include "pgweir/renewal.h"

#include <stdatomic.h>

static _Atomic(const struct renewal_source *) provided;

void renewal_provide(const struct renewal_source *source)
{
	atomic_store(&provided, source);
}

struct reread *renewal_start(const char *secret, struct loop *loop, renewal_cb *callback, void *arg)
{
	const struct renewal_source *source = atomic_load(&provided);

	return source ? source->start(secret, loop, callback, arg) : NULL;
}

void renewal_cancel(struct reread **reread)
{
	const struct renewal_source *source = atomic_load(&provided);

	if (source)
		source->cancel(reread);
	*reread = NULL;
}

struct token_ask *renewal_ask_token(const struct renewal_place *place, bool anew, struct loop *loop, renewal_token_cb *callback,
	void *arg)
{
	const struct renewal_source *source = atomic_load(&provided);

	if (!source || !source->ask_token)
		return NULL;
	return source->ask_token(place->secret, place->host, place->port, place->user, anew, loop, callback, arg);
}

void renewal_cancel_token(struct token_ask **ask)
{
	const struct renewal_source *source = atomic_load(&provided);

	if (source && source->cancel_token)
		source->cancel_token(ask);
	*ask = NULL;
}
