/* What bench_load was asked to do, and the packets that follow from it. */
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench_wire.h"

enum load_kind {
	LOAD_QUERIES,
	LOAD_LOGINS,
	LOAD_IDLE,
};

#define SCRIPT_STEPS_MAX 3

/* What clients by turns, and the batches of `batch`, have in force: the same for both. */
struct load_state {
	const char *application_name, *search_path, *timezone;
};

extern const struct load_state load_states[2];

/* One operation: packets, sent one after the other's answer. */
struct script {
	struct bytes setup;                     /* Once per client, before the first operation; may be empty. */
	struct bytes steps[SCRIPT_STEPS_MAX];
	unsigned step_count;
	unsigned answers;                       /* ReadyForQuery of each step. */
};

struct load_options {
	enum load_kind kind;
	const char *host;
	uint16_t port;
	const char *user;
	const char *dbname;
	const char *password;
	const char *mode;
	unsigned clients;
	unsigned threads;
	double seconds;
	double warmup_seconds;
	double logins_per_second;               /* 0: as fast as it goes */
	size_t text_bytes;
	const char *text;                       /* Instead of one of `text_bytes`; NULL: none. */
	pid_t proxy_pid;                        /* 0: nobody's CPU is measured */
	bool tls;
	bool vary_app_name;
	bool vary_state;                        /* All of struct load_state. */
	bool json;
	struct script script;
};

/* Ends the program on a usage error. */
void load_options_read(struct load_options *options, int argc, char **argv);

/* Fills in options->script for options->mode; false if there is no such mode. */
bool load_script_prepare(struct load_options *options);
/* The names of the modes, for the usage text. */
const char *load_script_names(void);

#endif
