/* The clients of one thread, and the three things they can be made to do.
 *
 * An engine belongs to one thread. It counts what completes within the window, which is set by the main thread
 * after every engine has arrived. */
#ifndef BENCH_LOAD_ENGINE_H
#define BENCH_LOAD_ENGINE_H

#include <pthread.h>

#include "bench_histogram.h"
#include "load_client.h"

struct window {
	pthread_barrier_t arrived;      /* All engines and the main thread: the clients are logged in. */
	pthread_barrier_t go;           /* The times below are set. */
	uint64_t start_ns;
	uint64_t end_ns;
};

struct engine {
	struct client_home home;        /* First: a client leads back to its engine. */
	struct window *window;
	struct client *clients;
	unsigned client_count;
	unsigned unsettled;             /* Clients of whom the current phase still expects something. */
	struct client **free_clients;   /* Logins: those that are not connected. */
	unsigned free_count;
	uint64_t ops;
	struct histogram histogram;
};

/* Clients are numbered from `first_number`. Ends the program when something is missing. */
void engine_init(struct engine *engine, const struct load_options *options, struct window *window,
		 unsigned first_number, unsigned client_count);
void engine_fini(struct engine *engine);

/* Thread bodies: log in, meet the main thread at both barriers, run until the window ends, log out. */
void engine_run_queries(struct engine *engine);
void engine_run_logins(struct engine *engine);
/* Opens the sessions, says so, and obeys standard input until it ends. Without barriers and window. */
void engine_run_idle(struct engine *engine);

/* For the above. */
struct engine *engine_of(struct client *client);
/* Waits at most `timeout_ms` and lets the clients handle what came. */
void engine_turn(struct engine *engine, int timeout_ms);
/* Turns until nobody is unsettled, or until the time is up. */
void engine_settle(struct engine *engine, uint64_t deadline_ns);
/* Logs every client in, a limited number at once, and sends the script's set-up packet. */
void engine_log_in(struct engine *engine);
void engine_log_out(struct engine *engine);
/* Counts one operation begun at `since_ns`, if it ends within the window; returns the time. */
uint64_t engine_count(struct engine *engine, uint64_t since_ns);

#endif
