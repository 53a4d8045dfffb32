/* Failure story: a request is a letter that travels to the control loop and back. Whoever sent it may be gone by then:
 * reread_cancel() only cuts the tie, and the letter is freed when it comes home, or when one of the two loops ends with
 * the letter in its mailbox. `callback` is touched on the sender's loop alone. */
#include "reread_internal.h"

#include <pthread.h>

#include "pgweir/mem.h"
#include "pgweir/renewal.h"
#include "pgweir/secrets.h"
#include "pgweir/tokens.h"

enum {
	WAIT_MAX_MS = 3000,                     /* A service that hangs must not use up the time that a login has. */
	PATIENT_WAIT_MAX_MS = 8000,             /* Of a client, so that its try outlives a request that hangs, and the next one. */
};

struct reread {
	struct loop_letter letter;
	struct secrets_waiter waiter;   /* While the secret is being read, */
	struct loop_timer timer;        /* for so long: */
	uint64_t wait_max_ms;
	struct loop *loop;              /* A reference. */
	char *name;
	reread_cb *callback;            /* NULL once cancelled. */
	void *arg;
};

static struct {
	pthread_mutex_t mutex;
	struct loop *control;
} service = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void free_reread(struct loop_letter *letter)
{
	struct reread *reread = CONTAINER_OF(letter, struct reread, letter);

	mem_free(reread->name);
	mem_free(reread);
}

static void come_home(struct loop_letter *letter)
{
	struct reread *reread = CONTAINER_OF(letter, struct reread, letter);

	if (reread->callback)
		reread->callback(reread->arg);
	free_reread(letter);
}

static void send_home(struct reread *reread)
{
	reread->letter.deliver = come_home;
	loop_post_and_unref(reread->loop, &reread->letter);
}

static void reading_done(struct secrets_waiter *waiter, bool good)
{
	struct reread *reread = CONTAINER_OF(waiter, struct reread, waiter);

	(void)good;
	loop_timer_stop(&reread->timer);
	send_home(reread);
}

static void time_is_up(void *arg)
{
	struct reread *reread = arg;

	list_remove(&reread->waiter.link);
	send_home(reread);
}

static void arrive(struct loop_letter *letter)
{
	struct reread *reread = CONTAINER_OF(letter, struct reread, letter);

	reread->waiter.done = reading_done;
	if (secrets_refresh_after(reread->name, &reread->waiter) != SECRETS_UNDER_WAY) {
		send_home(reread);
		return;
	}
	loop_timer_init(&reread->timer, service.control, time_is_up, reread);
	loop_timer_start(&reread->timer, reread->wait_max_ms);
}

static void drop(struct loop_letter *letter)
{
	struct reread *reread = CONTAINER_OF(letter, struct reread, letter);

	/* Still on its way there: it holds its reference. */
	if (letter->deliver == arrive)
		loop_unref(reread->loop);
	free_reread(letter);
}

static struct reread *start(const char *name, uint64_t wait_max_ms, struct loop *loop, reread_cb *callback, void *arg)
{
	struct reread *reread = NEW(struct reread);

	*reread = (struct reread){
		.letter = { .deliver = arrive, .drop = drop },
		.loop = loop_ref(loop),
		.name = mem_strdup(name),
		.wait_max_ms = wait_max_ms,
		.callback = callback,
		.arg = arg,
	};
	pthread_mutex_lock(&service.mutex);
	if (service.control)
		loop_post(service.control, &reread->letter);
	else
		send_home(reread);
	pthread_mutex_unlock(&service.mutex);
	return reread;
}

struct reread *reread_start(const char *name, struct loop *loop, reread_cb *callback, void *arg)
{
	return start(name, WAIT_MAX_MS, loop, callback, arg);
}

static struct reread *start_patiently(const char *name, struct loop *loop, reread_cb *callback, void *arg)
{
	return start(name, PATIENT_WAIT_MAX_MS, loop, callback, arg);
}

void reread_cancel(struct reread **reread)
{
	if (*reread)
		(*reread)->callback = NULL;
	*reread = NULL;
}

static void set_control(struct loop *control)
{
	pthread_mutex_lock(&service.mutex);
	service.control = control;
	pthread_mutex_unlock(&service.mutex);
}

static const struct renewal_source source = {
	.start = start_patiently, .cancel = reread_cancel, .ask_token = token_start, .cancel_token = token_cancel,
};

void reread_service_start(struct loop *control)
{
	set_control(control);
	renewal_provide(&source);
}

void reread_service_stop(void)
{
	set_control(NULL);
}
