/* `pgweir doctor`: findings, and where they come from. */
#ifndef PGWEIR_DOCTOR_H
#define PGWEIR_DOCTOR_H

#include <stddef.h>
#include <stdio.h>

#include "pgweir/check.h"
#include "pgweir/config.h"

enum doctor_grade {
	DOCTOR_GOOD,
	DOCTOR_NOTE,                    /* Worth knowing. */
	DOCTOR_WRONG,                   /* Makes the status 1. */
	DOCTOR_GRADES,
};

struct doctor_finding {
	enum doctor_grade grade;
	char *where, *what;
	const char *advice;             /* What to do; NULL: nothing. */
};

struct doctor {
	struct doctor_finding *all;
	size_t count, of_grade[DOCTOR_GRADES];
};

/* `where` and the text are copied, `advice` is a literal. */
void doctor_say(struct doctor *doctor, enum doctor_grade grade, const char *where, const char *advice, const char *format, ...)
	PRINTF_LIKE(5, 6);

/* The files that the configuration names: whether they can be read, by whom, and how long certificates last. */
void doctor_look_at_files(struct doctor *doctor, const struct config *config);
void doctor_look_at_limits(struct doctor *doctor, const struct config *config);
/* The hosts of each cluster, and the logins to each database. Credentials must have been published. */
void doctor_look_at_servers(struct doctor *doctor, const struct config *config);

#endif
