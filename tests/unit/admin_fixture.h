/* A console without the rest of the process: a control plane and workers that the test moves, and a client's socket. */
#ifndef PGWEIR_TEST_ADMIN_FIXTURE_H
#define PGWEIR_TEST_ADMIN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/buf.h"

/* What the fake control plane was asked. */
extern struct admin_fakes {
	int reloads, sets, shutdowns;
	bool refuse_reload;
	bool hold_tours;                /* Tours go on only with fixture_finish_tours(). */
} fakes;

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Logs `user` in to the console and reads the welcome. Returns the client's end. */
int fixture_connect(const char *user);
void fixture_finish_tours(void);
void fixture_turn(void);                /* Lets the loop do what there is to do. */

void fixture_send(int fd, const void *bytes, size_t size);
void fixture_query(int fd, const char *sql);
/* What has come, as a string of message types; "!" at the end if the console has closed. Bytes are in `last`. */
const char *fixture_types(int fd);
extern struct buf fixture_last;
/* The value of a field of the first ErrorResponse in `last`, "" if there is none. */
const char *fixture_error(char field);

#endif
