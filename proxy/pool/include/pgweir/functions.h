/* What the functions of a server's database may leave behind (state_audit), and which names a replica may not serve (routing =
 * auto), learned from its catalog.
 *
 * One list per database of a server, shared by the pools and workers that lead to it: immutable, reference-counted, taken
 * over by each worker when it sees that there is a newer one. Functions go by their names without schema and arguments.
 * Whoever has a connection asks functions_builder_question() and hands the rows to a builder. Any thread. */
#ifndef PGWEIR_FUNCTIONS_H
#define PGWEIR_FUNCTIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/map.h"
#include "pgweir/route_names.h"
#include "pgweir/scan_body.h"
#include "pgweir/state.h"

enum functions_flag {
	FUNCTIONS_LEAVE = 1,            /* Something, as far as can be told: the server is to be asked. */
	FUNCTIONS_HIDE = 2,             /* They run what cannot be read. */
	FUNCTIONS_COMPUTE = 4,          /* The name of a setting. */
	FUNCTIONS_SEED = 8,
	FUNCTIONS_LOAD = 16,
	FUNCTIONS_REMAIN = 32,          /* They leave what the server cannot be asked about, and nothing ends. */
	FUNCTIONS_LISTEN = 64,
	FUNCTIONS_WRITE = 128,          /* To tables. */
	FUNCTIONS_DEFINE = 256,         /* They run DDL. */
};

/* What may be left behind by one, or by any of several. */
struct functions_mark {
	uint32_t flags;
	struct state *custom;           /* Names of the custom settings that they set. A reference. */
};

struct functions {
	_Atomic unsigned references;
	uint64_t serial;                /* Never used again, never 0. */
	uint64_t epoch;                 /* The home's, as it was when the server was asked. */
	uint64_t refresh_us;            /* When to ask again. */
	bool failed;                    /* The server has not said: any function may leave anything. */
	struct map by_name;             /* struct functions_mark, of those that have flags. */
	struct functions_mark any;      /* All of them. */
	struct functions_mark on_write; /* Called by triggers, defaults, constraints. */
	struct functions_mark on_read;  /* Called by views, rules, policies, operators, casts, constraints of domains. */
	struct functions_mark on_ddl;   /* Called by event triggers. */
	char encoding[32];              /* The client_encoding in which names were told. */
	bool names_asked;
	struct route_names *names;      /* NULL: not asked for, or the server has not said. */
};

/* Where a database's list is kept. As many as an operator's names; lives as long as the process. */
struct functions_home {
	char *key;
	_Atomic uint64_t epoch;         /* Grows with DDL after which the list is out of date. */
	_Atomic uint64_t serial;        /* Of the current list; 0: there is none. */
	_Atomic uint64_t refreshed_us;  /* When somebody last set out to ask again. */
	_Atomic bool names_wanted;      /* From now on the names are asked for as well. */
	_Atomic unsigned told;          /* What the log has said of it: functions_build.c. */
	pthread_mutex_t mutex;
	struct functions *current;      /* Under the mutex. */
};
struct functions_home *functions_home_get(const char *key);
struct functions_home *functions_home_find(const char *key);    /* NULL: nobody has got it. */
void functions_homes_free(void);

/* The current one, as a reference, or NULL. */
struct functions *functions_current(struct functions_home *home) MUST_USE;
void functions_unref(struct functions **functions);
/* NULL: it leaves nothing. */
const struct functions_mark *functions_find(const struct functions *functions, const char *name, size_t size);
uint32_t functions_flags_of(const struct scan_body *body);       /* Of one that has been read. */
/* It is time to ask the server again: there is no list (`functions` NULL), or it is out of date. */
bool functions_refresh_is_due(const struct functions_home *home, const struct functions *functions, uint64_t now_us);
/* The same, but true for one caller only, who then has to. */
bool functions_refresh_is_mine(struct functions_home *home, const struct functions *functions, uint64_t now_us);

struct functions_builder;
struct functions_builder *functions_builder_new(struct functions_home *home) MUST_USE;
/* What to ask the server, as SQL; the caller's, freed with mem_free(). */
char *functions_builder_question(const struct functions_builder *builder) MUST_USE;
void functions_builder_free(struct functions_builder **builder);
void functions_builder_set_encoding(struct functions_builder *builder, const char *encoding);   /* Of the answer. */
/* A row of the answer, its columns as texts. */
void functions_builder_row(struct functions_builder *builder, const char *name, const char *kind, const char *used,
	const char *body);
/* Makes it the current one; frees the builder. `failed`: the server has refused to say, be it the names only. */
void functions_publish(struct functions_builder **builder, bool failed, uint64_t now_us);

#endif
