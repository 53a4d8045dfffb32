/* Backing users: what [provision] sections declare is compared with what the server has, and brought about.
 *
 * Every call here works step by step and waits for servers and for the store of the secret: it is for commands and for a
 * thread of its own. None of what it reports or notes holds a password. What may go wrong at any point, a crash included,
 * is mended by doing it again. */
#ifndef PGWEIR_PROVISION_H
#define PGWEIR_PROVISION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/config.h"
#include "pgweir/error.h"

struct topology;

enum step_kind {
	STEP_CHANGE,            /* A difference, and the SQL that mends it. */
	STEP_MEANS,             /* SQL without which the others would not be allowed; no difference. */
	STEP_BLOCKED,           /* A difference that pgweir cannot mend. */
	STEP_EXTRA,             /* Beyond the declaration; stays. */
	STEP_WARNING,           /* Something to know. */
};

struct step {
	enum step_kind kind;
	char *database;         /* "": for the whole cluster. */
	char *what;             /* For people. */
	char *sql;              /* Passwords are masked. NULL: none. */
	size_t mask_at;         /* Where the mask stands in it; 0: nowhere. */
};

struct plan {
	struct step *steps;
	size_t count;
};

enum provision_outcome {
	PROVISION_CLEAN,        /* As declared. */
	PROVISION_DRIFTED,      /* The plan has differences. */
	PROVISION_FAILED,       /* `error`. */
	PROVISION_BUSY,         /* Another pgweir is at work in the cluster; `error` says so. */
};

struct provision_report {
	const struct config_provision *section;
	enum provision_outcome outcome;
	char *role;                     /* NULL: not chosen yet. */
	char *user;                     /* Who logs in with the current version; another than `role` while a clone has its turn. */
	char *place;                    /* Of the secret: its id or path. */
	struct plan plan;               /* What is to be done, or what is left to do. */
	size_t changed;                 /* Steps that were done. */
	bool rotated;
	bool rotation_due;              /* rotate_every has passed, or a rotation was left half done. */
	int64_t password_since_s;       /* Since 1970, of the current version; 0: not known. */
	struct error error;
};

/* How to go about it. */
struct provision_run {
	const struct config *config;
	const struct topology *topology;        /* Where the primary is. NULL, or a cluster that nobody watches: the hosts are asked. */
	const atomic_bool *stop;        /* May be NULL. */
	uint64_t lock_wait_ms;          /* For another pgweir that is at work. */
	bool if_due;                    /* rotate: only if it is due, as the report says. Another may have done it meanwhile. */
	void (*note)(const char *text, void *arg);      /* Progress, for people; may be NULL. */
	void *arg;
	const char *reassign_to;        /* drop: who gets what the user owns; may be NULL. */
	const char *crash_at;           /* Tests: the process kills itself at this point; NULL: nowhere. */
};

/* Each fills a report, which is to be freed. */
void provision_plan(const struct provision_run *run, const struct config_provision *section, struct provision_report *report);
void provision_apply(const struct provision_run *run, const struct config_provision *section, struct provision_report *report);
void provision_rotate(const struct provision_run *run, const struct config_provision *section,
	struct provision_report *report);
/* With `sure` false it only plans. */
void provision_drop(const struct provision_run *run, const struct config_provision *section, bool sure,
	struct provision_report *report);
void provision_report_fini(struct provision_report *report);

/* "change", "extra" and so on. */
const char *provision_step_word(enum step_kind kind);
const char *provision_outcome_word(enum provision_outcome outcome);

#endif
