/* The CPU time of another process, from /proc. */
#ifndef BENCH_LOAD_CPU_H
#define BENCH_LOAD_CPU_H

#include <stdint.h>
#include <sys/types.h>

struct cpu_sample {
	uint64_t run_ns;        /* All threads' time on a CPU, user and system together: task/<tid>/schedstat. */
	uint64_t user_ticks;    /* The split, in clock ticks: too coarse for the sum over short runs. */
	uint64_t system_ticks;
};

/* Zeroes where the process is gone. A thread that ends between two samples takes its time with it. */
struct cpu_sample cpu_sample_take(pid_t pid);

#endif
