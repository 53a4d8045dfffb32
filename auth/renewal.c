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
