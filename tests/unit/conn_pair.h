/* A connection under test, and the socket at its other end: local, and neither of them blocks. */
#ifndef PGWEIR_CONN_PAIR_H
#define PGWEIR_CONN_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgweir/conn.h"

/* The other end, for the caller to close. */
int conn_pair_open(struct conn *conn);

#endif
