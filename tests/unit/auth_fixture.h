/* What the tests of authentication share: a configuration made by hand, without pgweir.ini. */
#ifndef PGWEIR_AUTH_FIXTURE_H
#define PGWEIR_AUTH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "pgweir/config.h"

#define SCRAM_VERIFIER_PENCIL \
	"SCRAM-SHA-256$4096:rPnOm5kla5sBvPew4WPygg==$m90PqiWRR56QPlbfWSoluGiGabHkgO1IRt4SxBVbm/E=:" \
	"1755OxLGqq93up/5iTh7byenSOssJvj58CN1fNdWzsQ="
#define MD5_OF_SECRET "md539c4422cad2e8aa743c2904bf0925538"      /* Of user md5_user, password secret. */

extern struct config fixture_config;
extern int fixture_references;          /* Of fixture_config, beyond the tests' own. */

/* Of IPv4 or IPv6; NULL: of a socket in the file system. */
struct sockaddr_storage fixture_address(const char *text);

/* auth_configure() with files that hold these texts; NULL: no such file is set. The files' names are the system's. */
bool fixture_try(const char *auth_file, const char *hba_file, const char *ident_file, struct config_problems *problems);
/* The same where there must be no problem. */
void fixture_load(const char *auth_file, const char *hba_file, const char *ident_file);

#define assert_problem(problems, index, expected) assert_string_equal((problems).texts[index], expected)

#endif
