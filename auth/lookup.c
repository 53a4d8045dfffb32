#include "lookup.h"

struct lookup *lookup_start(const struct lookup_request *request, struct loop *loop, lookup_cb *callback, void *arg)
{
	(void)request;
	(void)loop;
	(void)callback;
	(void)arg;
	return NULL;
}

void lookup_cancel(struct lookup **lookup)
{
	*lookup = NULL;
}

void lookup_service_start(struct loop *control)
{
	(void)control;
}

void lookup_service_stop(void)
{
}
