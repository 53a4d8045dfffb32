#include "load_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option long_options[] = {
	{ "host", required_argument, NULL, 'h' },
	{ "port", required_argument, NULL, 'p' },
	{ "user", required_argument, NULL, 'U' },
	{ "dbname", required_argument, NULL, 'd' },
	{ "password", required_argument, NULL, 'w' },
	{ "mode", required_argument, NULL, 'm' },
	{ "clients", required_argument, NULL, 'c' },
	{ "threads", required_argument, NULL, 't' },
	{ "seconds", required_argument, NULL, 's' },
	{ "warmup", required_argument, NULL, 'W' },
	{ "rate", required_argument, NULL, 'r' },
	{ "text-size", required_argument, NULL, 'x' },
	{ "proxy-pid", required_argument, NULL, 'P' },
	{ "idle", required_argument, NULL, 'i' },
	{ "logins", no_argument, NULL, 'l' },
	{ "tls", no_argument, NULL, 'T' },
	{ "text", required_argument, NULL, 'q' },
	{ "vary-app-name", no_argument, NULL, 'v' },
	{ "vary-state", no_argument, NULL, 'V' },
	{ "json", no_argument, NULL, 'j' },
	{ 0 },
};

static void usage(void)
{
	fprintf(stderr,
		"usage: bench_load --port N [--host IPV4] [--user U] [--dbname D] [--password P] [--tls] [--json]\n"
		"                  [--clients N] [--threads N] [--seconds S] [--warmup S] [--proxy-pid PID]\n"
		"                  [--mode %s] [--text-size BYTES | --text SQL] [--vary-app-name | --vary-state]\n"
		"                  [--logins [--rate N]] [--idle N]\n",
		load_script_names());
	exit(2);
}

static void take(struct load_options *options, int option)
{
	switch (option) {
	case 'h': options->host = optarg; return;
	case 'p': options->port = (uint16_t)atoi(optarg); return;
	case 'U': options->user = optarg; return;
	case 'd': options->dbname = optarg; return;
	case 'w': options->password = optarg; return;
	case 'm': options->mode = optarg; return;
	case 'c': options->clients = (unsigned)atoi(optarg); return;
	case 't': options->threads = (unsigned)atoi(optarg); return;
	case 's': options->seconds = atof(optarg); return;
	case 'W': options->warmup_seconds = atof(optarg); return;
	case 'r': options->logins_per_second = atof(optarg); return;
	case 'x': options->text_bytes = (size_t)atol(optarg); return;
	case 'P': options->proxy_pid = (pid_t)atoi(optarg); return;
	case 'i':
		options->kind = LOAD_IDLE;
		options->clients = (unsigned)atoi(optarg);
		return;
	case 'l': options->kind = LOAD_LOGINS; return;
	case 'T': options->tls = true; return;
	case 'q': options->text = optarg; return;
	case 'v': options->vary_app_name = true; return;
	case 'V': options->vary_state = true; return;
	case 'j': options->json = true; return;
	default: usage();
	}
}

void load_options_read(struct load_options *options, int argc, char **argv)
{
	int option;

	*options = (struct load_options){
		.kind = LOAD_QUERIES,
		.host = "127.0.0.1",
		.user = "bench",
		.dbname = "bench",
		.password = "benchpw",
		.mode = "simple",
		.clients = 32,
		.threads = 1,
		.seconds = 5,
		.warmup_seconds = 0.3,
	};
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take(options, option);
	if (options->port == 0 || options->clients == 0 || options->threads == 0 ||
	    options->threads > options->clients || options->seconds <= 0 || !load_script_prepare(options))
		usage();
}
