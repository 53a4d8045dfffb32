/* Whatever a server says to pgweir from the startup packet on. The input is all it ever says. */
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pgweir/mem.h"
#include "pgweir/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct {
	int listening;
	struct loop *loop;
	struct config *config;
	struct server_target *target;
	size_t input_size;
} fuzz;

static void stop_all(void)
{
	login_threads_stop();
	server_target_unref(&fuzz.target);
	config_unref(&fuzz.config);
	loop_free(&fuzz.loop);
	close(fuzz.listening);
}

/* A Unix socket without a file. */
static void listen_abstract(char *host, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(host, size, "@pgweir-fuzz-%d", (int)getpid());
	int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s/.s.PGSQL.5432", host + 1);
	socklen_t address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);

	fuzz.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fuzz.listening >= 0 && bind(fuzz.listening, (struct sockaddr *)&address, address_size) == 0);
	CHECK(listen(fuzz.listening, 1) == 0);
}

static struct config *load_config(const char *host)
{
	char path[] = P_tmpdir "/pgweir-fuzz-XXXXXX";
	struct config_problems problems = { 0 };
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	CHECK(fd >= 0 && file);
	fprintf(file, "[database app]\nhost = %s\ndbname = appdb\nconnect_query = select 1\n", host);
	fclose(file);
	struct config *config = config_load(path, &problems);

	unlink(path);
	config_problems_fini(&problems);
	CHECK(config);
	return config;
}

static void start_all(void)
{
	char host[64];
	struct credentials *credentials = NEW(struct credentials);

	listen_abstract(host, sizeof(host));
	fuzz.loop = loop_new("fuzz");
	fuzz.config = load_config(host);
	/* Keys in place of a password: no time is spent on the iterations that an input asks for. */
	atomic_init(&credentials->references, 1);
	credentials->user = mem_strdup("app_user");
	credentials->md5 = mem_strdup("md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	credentials->has_scram_keys = true;
	fuzz.target = NEW(struct server_target);
	atomic_init(&fuzz.target->references, 1);
	fuzz.target->config = config_ref(fuzz.config);
	fuzz.target->database = config_find_database(fuzz.config, "app");
	fuzz.target->host = &fuzz.target->database->cluster->hosts[0];
	fuzz.target->dbname = mem_strdup("appdb");
	fuzz.target->credentials = credentials;
	/* Its clean-up at exit has to come after ours. */
	CHECK(OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) == 1);
	login_threads_start(1);
	atexit(stop_all);
}

static void opened(struct server_opened *answer, void *arg)
{
	(void)arg;
	if (answer->server) {
		CHECK(answer->server->key_size == 0
			|| (answer->server->key_size >= 4 && answer->server->key_size <= WIRE_CANCEL_KEY_MAX));
		CHECK(answer->server->early.size < fuzz.input_size && !answer->server->conn.attached);
		CHECK(answer->error_body.size == 0);
	} else {
		CHECK(strlen(answer->error.sqlstate) == 5);
		CHECK(answer->error_body.size == 0 || answer->from_server);
	}
	server_free(&answer->server);
	loop_stop(fuzz.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (!fuzz.loop)
		start_all();
	fuzz.input_size = size;
	server_open(fuzz.target, fuzz.loop, opened, NULL);
	int fd = accept4(fuzz.listening, NULL, NULL, SOCK_CLOEXEC);

	CHECK(fd >= 0);
	/* The other side may have heard enough before all is said. */
	for (ssize_t sent = 1; size && sent > 0; bytes += sent, size -= (size_t)sent)
		if ((sent = send(fd, bytes, size, MSG_NOSIGNAL)) < 0)
			break;
	shutdown(fd, SHUT_WR);
	loop_run(fuzz.loop);
	close(fd);
	return 0;
}
