#include "pgweir/worker.h"

#include <stdatomic.h>
#include <stdio.h>

#include "pgweir/clock.h"
#include "pgweir/hub.h"
#include "pgweir/mem.h"
#include "pgweir/pool.h"
#include "pgweir/thread.h"

static struct worker *workers[WORKERS_MAX];
static struct thread *threads[WORKERS_MAX];
static unsigned worker_count;
static const struct worker_hooks *hooks;

unsigned workers_count(void)
{
	return worker_count;
}

struct worker *worker_at(unsigned index)
{
	CHECK(index < worker_count);
	return workers[index];
}

uint64_t worker_now(struct worker *worker)
{
	worker->now_us = loop_now_us(worker->loop);
	return worker->now_us;
}

struct worker *worker_least_loaded(void)
{
	static _Atomic unsigned turn;
	unsigned first = atomic_fetch_add(&turn, 1);
	struct worker *best = NULL;
	unsigned best_count = 0;

	/* Starting elsewhere each time spreads equals evenly. */
	for (unsigned i = 0; i < worker_count; i++) {
		struct worker *worker = workers[(first + i) % worker_count];
		unsigned count = atomic_load_explicit(&worker->session_count, memory_order_relaxed);

		if (!best || count < best_count) {
			best = worker;
			best_count = count;
		}
	}
	CHECK(best);
	atomic_fetch_add(&best->session_count, 1);
	return best;
}

/* The kernel waits for whole milliseconds, so that less than one says nothing. */
static void note_delay(struct worker *worker)
{
	uint64_t now_us = clock_now_us(), due_us = worker->tick.due_us;

	worker->loop_delay_us = now_us > due_us ? now_us - due_us : 0;
	worker->loop_delay_total_us += worker->loop_delay_us;
	histogram_note(&worker->loop_delay, worker->loop_delay_us);
}

static void tick(void *arg)
{
	struct worker *worker = arg;

	note_delay(worker);
	loop_timer_start(&worker->tick, WORKER_TICK_MS);
	worker->ticks++;
	worker_now(worker);
	pool_worker_tick(worker);
	hub_worker_tick(worker);
	hooks->tick(worker);
}

static void prepare(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	worker->loop = loop;
	worker->receive_buffer = mem_alloc(WORKER_RECEIVE_SIZE);
	list_init(&worker->shares);
	list_init(&worker->cancels);
	list_init(&worker->hubs);
	list_init(&worker->sessions);
	list_init(&worker->walks);
	worker_now(worker);
	hooks->prepare(worker);
	loop_timer_init(&worker->tick, loop, tick, worker);
	loop_timer_start(&worker->tick, WORKER_TICK_MS);
}

static void finish(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	(void)loop;
	loop_timer_stop(&worker->tick);
	hooks->finish(worker);
	pool_worker_finish(worker);
	map_fini(&worker->shares_by_key);
	mem_free(worker->sessions_by_pid);
	config_unref(&worker->config);
	topology_unref(&worker->topology);
	mem_free(worker->receive_buffer);
}

void workers_start(struct config *config, const struct worker_hooks *given)
{
	hooks = given;
	for (int i = 0; i < config->threads && i < WORKERS_MAX; i++) {
		workers[i] = NEW(struct worker);
		workers[i]->index = (unsigned)i;
		workers[i]->config = config_ref(config);
		worker_count = (unsigned)i + 1;
	}
	for (unsigned i = 0; i < worker_count; i++) {
		char name[24];

		snprintf(name, sizeof(name), "worker-%u", i);
		threads[i] = thread_start(name, prepare, finish, workers[i]);
	}
}

void workers_stop(void)
{
	/* While one ends it may still write to another. */
	for (unsigned i = 0; i < worker_count; i++)
		thread_join(threads[i]);
	for (unsigned i = 0; i < worker_count; i++)
		thread_stop(&threads[i]);
	for (unsigned i = 0; i < worker_count; i++)
		mem_free(workers[i]);
	worker_count = 0;
	pools_free();
}

/* Of one of the two. */
struct publication {
	struct loop_letter letter;
	struct worker *worker;
	struct config *config;
	struct topology *topology;
};

static void drop_publication(struct loop_letter *letter)
{
	struct publication *publication = CONTAINER_OF(letter, struct publication, letter);

	config_unref(&publication->config);
	topology_unref(&publication->topology);
	mem_free(publication);
}

static void adopt(struct loop_letter *letter)
{
	struct publication *publication = CONTAINER_OF(letter, struct publication, letter);
	struct worker *worker = publication->worker;

	config_unref(&worker->config);
	worker->config = publication->config;
	mem_free(publication);
	pool_worker_adopt(worker, worker->config);
}

static void adopt_topology(struct loop_letter *letter)
{
	struct publication *publication = CONTAINER_OF(letter, struct publication, letter);
	struct worker *worker = publication->worker;

	topology_unref(&worker->topology);
	worker->topology = publication->topology;
	mem_free(publication);
	pool_worker_follow(worker);
}

static void publish(const struct publication *content)
{
	for (unsigned i = 0; i < worker_count; i++) {
		struct publication *publication = NEW(struct publication);

		*publication = *content;
		publication->worker = workers[i];
		if (content->config)
			config_ref(content->config);
		topology_ref(content->topology);
		loop_post(workers[i]->loop, &publication->letter);
	}
}

void workers_publish(struct config *config)
{
	publish(&(struct publication){ .letter = { .deliver = adopt, .drop = drop_publication }, .config = config });
}

void workers_publish_topology(struct topology *topology)
{
	publish(&(struct publication){ .letter = { .deliver = adopt_topology, .drop = drop_publication }, .topology = topology });
}

struct wake {
	struct loop_letter letter;
	struct worker *worker;
	worker_visit_cb *visit;
	void *arg;
};

static void woken(struct loop_letter *letter)
{
	struct wake *wake = CONTAINER_OF(letter, struct wake, letter);

	wake->visit(wake->worker, wake->arg);
	mem_free(wake);
}

static void drop_wake(struct loop_letter *letter)
{
	mem_free(CONTAINER_OF(letter, struct wake, letter));
}

void workers_wake(uint64_t mask, worker_visit_cb *visit, void *arg)
{
	for (unsigned i = 0; i < worker_count; i++) {
		if (!(mask & UINT64_C(1) << i))
			continue;
		struct wake *wake = NEW(struct wake);

		*wake = (struct wake){ .letter = { .deliver = woken, .drop = drop_wake }, .worker = workers[i], .visit = visit, .arg = arg };
		loop_post(workers[i]->loop, &wake->letter);
	}
}
