/* A server's replies, held against what it was asked: backend_receive() between scripted bytes and a sink that writes
 * down what it hears. */
#ifndef PGWEIR_REPLY_FIXTURE_H
#define PGWEIR_REPLY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "pgweir/backend.h"
#include "pgweir/wire.h"

extern struct backend *backend;         /* Lent, to a borrower that writes down what it hears. */
extern struct statement_table reply_statements;
extern struct buf said;                 /* By the server, not yet delivered. */
extern struct buf heard;                /* By the borrower: "call(arguments) …". */
extern struct buf passed;               /* To the client, byte for byte. */
extern bool reply_take_errors;          /* What the borrower answers to error(). */

/* A cmocka test's setup and teardown. */
int reply_start(void **unused);
int reply_stop(void **unused);
#define REPLY_TEST(name) cmocka_unit_test_setup_teardown(name, reply_start, reply_stop)

struct backend *reply_backend_unowned(void);    /* Another; the caller's. */

/* --- Asking --- */

void ask_flagged(enum request_kind kind, uint8_t flags);
void ask(enum request_kind kind);
/* A statement of this name and text; borrowed from the request. */
struct statement *ask_named(enum request_kind kind, const char *text);

/* --- The server's side --- */

void say_bytes(char type, const void *body, size_t size);
/* A literal is its bytes; the NUL that C puts behind it does not count. */
#define SAY(type, literal) say_bytes(type, literal, sizeof(literal) - 1)
void say_error(const char *severity, const char *sqlstate);

/* In pieces of `piece` bytes, each in memory of its own size, which is gone afterwards. What backend_receive() says. */
bool deliver(size_t piece);

/* --- What became of it; each forgets what it has looked at --- */

void expect_heard(const char *text);
/* The types of the messages that went to the client, all of them whole. */
void expect_passed(const char *types);
/* That what was said cannot be delivered; a new backend takes the place of the broken one. */
void expect_broken(void);

#endif
