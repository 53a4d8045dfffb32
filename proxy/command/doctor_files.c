#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "pgweir/descriptors.h"

enum { DAYS_WRONG = 7, DAYS_NOTE = 30 };

/* --- Who may read --- */

static bool can_read(struct doctor *doctor, const char *where, const char *path, struct stat *status)
{
	if (stat(path, status) == 0 && access(path, R_OK) == 0)
		return true;
	doctor_say(doctor, DOCTOR_WRONG, where, "check the path, and that the user pgweir runs as may read it", "%s: %s", path,
		strerror(errno));
	return false;
}

static void look_at_private(struct doctor *doctor, const char *where, const char *path)
{
	struct stat status;

	if (!path || !can_read(doctor, where, path, &status))
		return;
	if (status.st_mode & (S_IROTH | S_IWOTH))
		doctor_say(doctor, DOCTOR_WRONG, where, "chmod o-rwx", "%s may be %s by everybody", path,
			status.st_mode & S_IWOTH ? "written" : "read");
	else
		doctor_say(doctor, DOCTOR_GOOD, where, NULL, "%s can be read, and not by everybody", path);
}

/* --- Certificates --- */

static bool days_left(X509 *certificate, int *days)
{
	int seconds;

	return ASN1_TIME_diff(days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1;
}

static void look_at_certificate(struct doctor *doctor, const char *where, const char *path)
{
	struct stat status;
	FILE *file = path && can_read(doctor, where, path, &status) ? fopen(path, "re") : NULL;
	X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	int days = 0;

	if (!file)
		return;
	fclose(file);
	if (!certificate || !days_left(certificate, &days))
		doctor_say(doctor, DOCTOR_WRONG, where, "it must be a certificate in PEM form", "%s cannot be parsed", path);
	else if (days < 0)
		doctor_say(doctor, DOCTOR_WRONG, where, "renew it, then RELOAD", "%s expired %d days ago", path, -days);
	else
		doctor_say(doctor, days < DAYS_WRONG ? DOCTOR_WRONG : days < DAYS_NOTE ? DOCTOR_NOTE : DOCTOR_GOOD, where,
			days < DAYS_NOTE ? "renew it, then RELOAD" : NULL, "%s is good for %d days", path, days);
	X509_free(certificate);
}

static void look_at_tls(struct doctor *doctor, const char *side, const struct config_tls *tls)
{
	look_at_certificate(doctor, side, tls->cert_file);
	look_at_certificate(doctor, side, tls->ca_file);
	look_at_private(doctor, side, tls->key_file);
}

void doctor_look_at_files(struct doctor *doctor, const struct config *config)
{
	const char *addresses = config->listen_addr ? config->listen_addr : "";
	bool only_here = !*addresses || strcmp(addresses, "127.0.0.1") == 0 || strcmp(addresses, "localhost") == 0;

	look_at_private(doctor, "auth_file", config->auth_file && *config->auth_file ? config->auth_file : NULL);
	look_at_tls(doctor, "TLS towards clients", &config->client_tls);
	look_at_tls(doctor, "TLS towards servers", &config->server_tls);
	if (!only_here && config->client_tls.sslmode < SSLMODE_REQUIRE)
		doctor_say(doctor, DOCTOR_NOTE, "TLS towards clients", "set client_tls_sslmode = require (docs/tls.md)",
			"clients of other machines may come in without encryption");
}

void doctor_look_at_limits(struct doctor *doctor, const struct config *config)
{
	struct rlimit limit;
	unsigned long long wanted = descriptors_wanted((uint64_t)config->max_client_conn, config_server_connections(config));

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_max < wanted)
		doctor_say(doctor, DOCTOR_NOTE, "open files", "raise it (LimitNOFILE= of the unit, ulimit -n), or lower max_client_conn",
			"the limit of this shell is %llu; max_client_conn and the pools may need %llu", (unsigned long long)limit.rlim_max,
			wanted);
	else
		doctor_say(doctor, DOCTOR_GOOD, "open files", NULL, "the limit of %llu is enough", (unsigned long long)limit.rlim_max);
}
