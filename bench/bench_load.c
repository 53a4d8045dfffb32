/* The load generator: N clients in one thread (or a few), closed loop, latencies in a histogram.
 *
 * The engines' threads do the work; the main thread sets the window, and samples the measured proxy's CPU exactly
 * at its two ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "load_cpu.h"
#include "load_engine.h"

struct result {
	uint64_t ops;
	uint64_t errors;
	double seconds;
	struct histogram histogram;
	bool has_cpu;
	double cpu_us_per_op;
	double cpu_cores;       /* CPU seconds per second */
	double user_share;
};

typedef void engine_body(struct engine *engine);

static engine_body *const bodies[] = {
	[LOAD_QUERIES] = engine_run_queries,
	[LOAD_LOGINS] = engine_run_logins,
};

static void *run_body(void *arg)
{
	struct engine *engine = arg;

	bodies[engine->home.options->kind](engine);
	return NULL;
}

static void sleep_until(uint64_t until_ns)
{
	struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000u),
				  .tv_nsec = (long)(until_ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
		continue;
}

static void start_threads(struct engine **engines, pthread_t *threads, const struct load_options *options,
			  struct window *window)
{
	unsigned first = 0;

	for (unsigned i = 0; i < options->threads; i++) {
		unsigned count = options->clients / options->threads + (i < options->clients % options->threads);

		engines[i] = calloc(1, sizeof(*engines[i]));
		if (!engines[i])
			exit(1);
		engine_init(engines[i], options, window, first, count);
		if (pthread_create(&threads[i], NULL, run_body, engines[i]) != 0) {
			perror("bench_load: a thread");
			exit(1);
		}
		first += count;
	}
}

static void keep_cpu(struct result *result, const struct cpu_sample *before, const struct cpu_sample *after)
{
	double run_ns = (double)(after->run_ns - before->run_ns);
	double user = (double)(after->user_ticks - before->user_ticks);
	double system = (double)(after->system_ticks - before->system_ticks);

	result->has_cpu = after->run_ns > before->run_ns;
	result->cpu_us_per_op = result->ops > 0 ? run_ns / 1e3 / (double)result->ops : 0;
	result->cpu_cores = run_ns / 1e9 / result->seconds;
	result->user_share = user + system > 0 ? user / (user + system) : 0;
}

static void measure(const struct load_options *options, struct result *result)
{
	struct window window = { 0 };
	struct engine **engines = calloc(options->threads, sizeof(struct engine *));
	pthread_t *threads = calloc(options->threads, sizeof(*threads));
	struct cpu_sample before;
	struct cpu_sample after;

	if (!engines || !threads)
		exit(1);
	pthread_barrier_init(&window.arrived, NULL, options->threads + 1);
	pthread_barrier_init(&window.go, NULL, options->threads + 1);
	start_threads(engines, threads, options, &window);
	pthread_barrier_wait(&window.arrived);
	window.start_ns = conn_now_ns() + (uint64_t)(options->warmup_seconds * 1e9);
	window.end_ns = window.start_ns + (uint64_t)(options->seconds * 1e9);
	pthread_barrier_wait(&window.go);
	sleep_until(window.start_ns);
	before = cpu_sample_take(options->proxy_pid);
	sleep_until(window.end_ns);
	after = cpu_sample_take(options->proxy_pid);
	result->seconds = options->seconds;
	for (unsigned i = 0; i < options->threads; i++) {
		pthread_join(threads[i], NULL);
		result->ops += engines[i]->ops;
		result->errors += engines[i]->home.errors;
		histogram_merge(&result->histogram, &engines[i]->histogram);
		engine_fini(engines[i]);
		free(engines[i]);
	}
	if (options->proxy_pid > 0)
		keep_cpu(result, &before, &after);
	free(engines);
	free(threads);
}

static double quantile_us(const struct result *result, double quantile)
{
	return (double)histogram_quantile_ns(&result->histogram, quantile) / 1e3;
}

static void report(const struct load_options *options, const struct result *result)
{
	static const char json[] = "{\"ops\": %llu, \"seconds\": %.3f, \"per_second\": %.1f, \"p50_us\": %.1f, "
				   "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"errors\": %llu";
	static const char plain[] = "%llu operations in %.3f s, %.1f/s; latency in us: p50 %.1f, p99 %.1f, p99.9 %.1f, "
				    "max %.1f; %llu errors";

	printf(options->json ? json : plain, (unsigned long long)result->ops, result->seconds,
	       (double)result->ops / result->seconds, quantile_us(result, 0.5), quantile_us(result, 0.99),
	       quantile_us(result, 0.999), (double)result->histogram.max_ns / 1e3,
	       (unsigned long long)result->errors);
	if (result->has_cpu)
		printf(options->json ? ", \"cpu_us_per_op\": %.3f, \"cpu_cores\": %.3f, \"user_share\": %.3f" :
				       "; proxy CPU: %.3f us per operation, %.3f cores, user share %.3f",
		       result->cpu_us_per_op, result->cpu_cores, result->user_share);
	printf(options->json ? "}\n" : "\n");
}

static int hold_idle(const struct load_options *options)
{
	static struct engine engine;

	engine_init(&engine, options, NULL, 0, options->clients);
	engine_run_idle(&engine);
	engine_fini(&engine);
	return engine.home.errors > 0;
}

int main(int argc, char **argv)
{
	static struct load_options options;
	static struct result result;

	load_options_read(&options, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	conn_raise_descriptor_limit();
	if (options.kind == LOAD_IDLE)
		return hold_idle(&options);
	measure(&options, &result);
	report(&options, &result);
	return result.errors > 0;
}
