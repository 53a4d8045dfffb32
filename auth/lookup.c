/* Failure story: a request is a letter that travels to the control loop and back. Whoever sent it may be gone by then:
 * lookup_cancel() only cuts the tie, and the letter is freed when it comes home. `callback` is touched on the login's
 * loop alone, everything else by whoever holds the letter. */
#include "lookup.h"

#include <pthread.h>

#include "lookup_cache.h"
#include "pgweir/mem.h"

struct lookup {
	struct loop_letter letter;
	struct lookup_waiter waiter;
	struct lookup_request request;
	char *database_name, *user;
	struct loop *loop;
	lookup_cb *callback;            /* NULL once cancelled. */
	void *arg;
	struct lookup_answer answer;
};

static struct {
	pthread_mutex_t mutex;          /* For `control`: login threads read it. */
	struct loop *control;
	struct lookup_cache *cache;     /* On the control loop. */
} service = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void come_home(struct loop_letter *letter)
{
	struct lookup *lookup = CONTAINER_OF(letter, struct lookup, letter);

	if (lookup->callback)
		lookup->callback(&lookup->answer, lookup->arg);
	mem_secret_free(lookup->answer.secret);
	mem_free(lookup->database_name);
	mem_free(lookup->user);
	config_unref(&lookup->request.config);
	mem_free(lookup);
}

static void send_home(struct lookup *lookup)
{
	lookup->letter.deliver = come_home;
	loop_post(lookup->loop, &lookup->letter);
}

static void answered(struct lookup_waiter *waiter, const struct lookup_answer *answer)
{
	struct lookup *lookup = CONTAINER_OF(waiter, struct lookup, waiter);

	lookup->answer = *answer;
	lookup->answer.secret = mem_secret_dup(answer->secret);
	send_home(lookup);
}

static void not_running(struct lookup *lookup)
{
	lookup->answer.outcome = LOOKUP_FAILED;
	error_set(&lookup->answer.error, "57P03", "auth_query is not running");
	send_home(lookup);
}

static void arrive(struct loop_letter *letter)
{
	struct lookup *lookup = CONTAINER_OF(letter, struct lookup, letter);

	if (service.cache)
		lookup_cache_ask(service.cache, &lookup->waiter);
	else
		not_running(lookup);
}

struct lookup *lookup_start(const struct lookup_request *request, struct loop *loop, lookup_cb *callback, void *arg)
{
	struct lookup *lookup = NEW(struct lookup);

	lookup->request = *request;
	lookup->request.config = config_ref(request->config);
	lookup->request.database_name = lookup->database_name = mem_strdup(request->database_name);
	lookup->request.user = lookup->user = mem_strdup(request->user);
	lookup->waiter.request = &lookup->request;
	lookup->waiter.answered = answered;
	list_init(&lookup->waiter.link);
	lookup->loop = loop;
	lookup->callback = callback;
	lookup->arg = arg;
	lookup->letter.deliver = arrive;
	pthread_mutex_lock(&service.mutex);
	if (service.control)
		loop_post(service.control, &lookup->letter);
	else
		not_running(lookup);
	pthread_mutex_unlock(&service.mutex);
	return lookup;
}

void lookup_cancel(struct lookup **lookup)
{
	if (*lookup)
		(*lookup)->callback = NULL;
	*lookup = NULL;
}

void lookup_service_start(struct loop *control)
{
	service.cache = lookup_cache_new(control);
	pthread_mutex_lock(&service.mutex);
	service.control = control;
	pthread_mutex_unlock(&service.mutex);
}

void lookup_service_secrets_changed(void)
{
	if (service.cache)
		lookup_cache_secrets_changed(service.cache);
}

void lookup_service_stop(void)
{
	pthread_mutex_lock(&service.mutex);
	service.control = NULL;
	pthread_mutex_unlock(&service.mutex);
	lookup_cache_free(&service.cache);
}
