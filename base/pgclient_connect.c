/* How both kinds of client, on a loop and on a thread of its own, begin to connect: with addresses that were looked up before,
 * because libpq would wait for a name server by itself. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#include "pgclient_internal.h"
#include "pgweir/buf.h"
#include "pgweir/check.h"

static void append_address(struct buf *hosts, struct buf *addresses, const char *host, const struct sockaddr_storage *address)
{
	char text[INET6_ADDRSTRLEN];
	const void *bytes = address->ss_family == AF_INET ?
		(const void *)&((const struct sockaddr_in *)address)->sin_addr :
		(const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;

	if (!inet_ntop(address->ss_family, bytes, text, sizeof(text)))
		return;
	if (addresses->size) {
		buf_append_char(hosts, ',');
		buf_append_char(addresses, ',');
	}
	buf_append_text(hosts, host);
	buf_append_text(addresses, text);
}

bool pgclient_is_path(const char *host)
{
	return host[0] == '/' || host[0] == '@';
}

/* Without it libpq leaves keys to OpenSSL when there is no `sslpassword`, which asks at the terminal: a daemon's, for ever. */
static void answer_for_keys(void)
{
	PQsetSSLKeyPassHook_OpenSSL(PQdefaultSSLKeyPassHook_OpenSSL);
}

PGconn *pgclient_start(const struct pgclient_options *options, const struct resolver_answer *answer)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct buf hosts = { 0 }, addresses = { 0 };
	char port[8];

	CHECK(pthread_once(&once, answer_for_keys) == 0);
	for (unsigned i = 0; answer && i < answer->count; i++)
		append_address(&hosts, &addresses, options->host, &answer->addresses[i]);
	buf_append_char(&hosts, '\0');
	buf_append_char(&addresses, '\0');
	snprintf(port, sizeof(port), "%u", options->port);
	const char *names[] = { "host", "hostaddr", "port", "dbname", "user", "password", "sslmode", "sslrootcert", "sslcert",
		"sslkey", "sslpassword", "application_name", "options", "gssencmode", "client_encoding", "passfile", NULL };
	/* Neither Kerberos nor a password file of whoever runs us: only what the configuration says. */
	const char *values[] = { answer ? hosts.bytes : options->host, answer ? addresses.bytes : NULL, port, options->dbname,
		options->user, options->password, options->sslmode, options->ssl_ca_file, options->ssl_cert_file, options->ssl_key_file,
		options->ssl_key_passphrase, options->application_name, options->options, "disable", "UTF8", "/dev/null/none", NULL };
	PGconn *conn = PQconnectStartParams(names, values, 0);

	buf_fini(&hosts);
	buf_fini(&addresses);
	return conn;
}
