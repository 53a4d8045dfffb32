/* A thread per lookup, detached: lookups are rare (a few per host and minute) and may hang for as long as a name
 * server does, so that a fixed set of threads would let one bad name hold up the others. */
#include "pgweir/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "pgweir/clock.h"
#include "pgweir/loop.h"
#include "pgweir/mem.h"

struct lookup {
	struct loop_letter letter;
	struct loop *loop;
	resolver_cb *callback;
	resolver_forget_cb *forget;
	void *arg;
	char *host;
	uint16_t port;
	struct resolver_answer answer;
};

static void lookup_free(struct lookup *lookup)
{
	mem_free(lookup->host);
	mem_free(lookup);
}

static void drop(struct loop_letter *letter)
{
	struct lookup *lookup = CONTAINER_OF(letter, struct lookup, letter);

	if (lookup->forget)
		lookup->forget(lookup->arg);
	lookup_free(lookup);
}

static void deliver(struct loop_letter *letter)
{
	struct lookup *lookup = CONTAINER_OF(letter, struct lookup, letter);

	lookup->callback(&lookup->answer, lookup->arg);
	lookup_free(lookup);
}

static void answer_unix(struct lookup *lookup)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&lookup->answer.addresses[0];
	const char *directory = lookup->host;
	int size = snprintf(address->sun_path, sizeof(address->sun_path), "%s/.s.PGSQL.%u", directory, lookup->port);

	if (size < 0 || (size_t)size >= sizeof(address->sun_path)) {
		snprintf(lookup->answer.error_text, sizeof(lookup->answer.error_text), "Unix socket path is too long");
		return;
	}
	address->sun_family = AF_UNIX;
	lookup->answer.sizes[0] = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size + 1);
	if (directory[0] == '@') {      /* Linux's abstract name space: no file, no final NUL. */
		address->sun_path[0] = '\0';
		lookup->answer.sizes[0]--;
	}
	lookup->answer.count = 1;
}

static bool answer_numeric(struct lookup *lookup)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&lookup->answer.addresses[0];
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&lookup->answer.addresses[0];

	if (inet_pton(AF_INET, lookup->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(lookup->port);
		lookup->answer.sizes[0] = sizeof(*v4);
	} else if (inet_pton(AF_INET6, lookup->host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(lookup->port);
		lookup->answer.sizes[0] = sizeof(*v6);
	} else {
		return false;
	}
	lookup->answer.count = 1;
	return true;
}

static void *resolve(void *arg)
{
	struct lookup *lookup = arg;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found = NULL;
	char port[8];

	snprintf(port, sizeof(port), "%u", lookup->port);
	int failed = getaddrinfo(lookup->host, port, &hints, &found);

	if (failed)
		snprintf(lookup->answer.error_text, sizeof(lookup->answer.error_text), "%s", gai_strerror(failed));
	for (struct addrinfo *at = found; at && lookup->answer.count < RESOLVER_ADDRESSES_MAX; at = at->ai_next) {
		memcpy(&lookup->answer.addresses[lookup->answer.count], at->ai_addr, at->ai_addrlen);
		lookup->answer.sizes[lookup->answer.count++] = at->ai_addrlen;
	}
	if (found)
		freeaddrinfo(found);
	loop_post_and_unref(lookup->loop, &lookup->letter);
	return NULL;
}

static void start_thread(struct lookup *lookup)
{
	pthread_t thread;
	sigset_t all, before;

	/* The thread may outlive the loop: a name server that does not answer takes half a minute. */
	loop_ref(lookup->loop);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&thread, NULL, resolve, lookup);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!failed) {
		pthread_detach(thread);
		return;
	}
	snprintf(lookup->answer.error_text, sizeof(lookup->answer.error_text), "cannot start a thread: %s", strerror(failed));
	loop_post_and_unref(lookup->loop, &lookup->letter);
}

void resolver_lookup(struct loop *loop, const char *host, uint16_t port, resolver_cb *callback, resolver_forget_cb *forget,
	void *arg)
{
	struct lookup *lookup = NEW(struct lookup);

	*lookup = (struct lookup){
		.letter = { .deliver = deliver, .drop = drop },
		.loop = loop,
		.callback = callback,
		.forget = forget,
		.arg = arg,
		.host = mem_strdup(host),
		.port = port,
	};
	if (host[0] == '/' || host[0] == '@')
		answer_unix(lookup);
	else if (!answer_numeric(lookup)) {
		start_thread(lookup);
		return;
	}
	loop_post(loop, &lookup->letter);
}

/* --- On a thread that waits --- */

struct waiting {
	struct loop *loop;
	struct resolver_answer *answer;
	bool answered;
};

static void take_answer(const struct resolver_answer *answer, void *arg)
{
	struct waiting *waiting = arg;

	*waiting->answer = *answer;
	waiting->answered = true;
	loop_stop(waiting->loop);
}

static void time_is_up(void *arg)
{
	const struct waiting *waiting = arg;

	loop_stop(waiting->loop);
}

bool resolver_wait(const char *host, uint16_t port, const atomic_bool *stop, uint64_t until_ms,
	struct resolver_answer *answer)
{
	struct waiting waiting = { .loop = loop_new("resolve"), .answer = answer };
	uint64_t now_ms = clock_now_ms();
	struct loop_timer timer;

	loop_timer_init(&timer, waiting.loop, time_is_up, &waiting);
	loop_timer_start(&timer, until_ms > now_ms ? until_ms - now_ms : 0);
	resolver_lookup(waiting.loop, host, port, take_answer, NULL, &waiting);
	(void)!loop_run_until(waiting.loop, stop);
	loop_timer_stop(&timer);
	loop_free(&waiting.loop);
	return waiting.answered;
}

bool resolver_answer_has(const struct resolver_answer *answer, const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;
	bool is_v4 = inet_pton(AF_INET, address, &v4) == 1, is_v6 = inet_pton(AF_INET6, address, &v6) == 1;

	for (unsigned i = 0; i < answer->count; i++) {
		const struct sockaddr_storage *one = &answer->addresses[i];

		if (is_v4 && one->ss_family == AF_INET && memcmp(&((const struct sockaddr_in *)one)->sin_addr, &v4, sizeof(v4)) == 0)
			return true;
		if (is_v6 && one->ss_family == AF_INET6 && memcmp(&((const struct sockaddr_in6 *)one)->sin6_addr, &v6, sizeof(v6)) == 0)
			return true;
	}
	return false;
}
