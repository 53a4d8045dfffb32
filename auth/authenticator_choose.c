/* Which method a login has to pass: auth_type says so, or the first line of auth_hba_file that fits. */
#include <netinet/in.h>
#include <string.h>

#include "authenticator_internal.h"

static const enum hba_method method_of_type[] = {
	[AUTH_TYPE_TRUST] = HBA_TRUST,
	[AUTH_TYPE_PLAIN] = HBA_PLAIN,
	[AUTH_TYPE_MD5] = HBA_MD5,
	[AUTH_TYPE_SCRAM_SHA_256] = HBA_SCRAM,
	[AUTH_TYPE_CERT] = HBA_CERT,
};

static bool refuse_by_rules(struct authenticator *authenticator, const char *what)
{
	char host[INET6_ADDRSTRLEN];
	const char *encryption = authenticator->tls ? "SSL encryption" : "no encryption";

	hba_address_text(&authenticator->address, host, sizeof(host));
	if (authenticator->replication)
		return error_set(&authenticator->error, "28000", "%s replication connection from host \"%s\", user \"%s\", %s",
			what, host, authenticator->user, encryption);
	return error_set(&authenticator->error, "28000", "%s host \"%s\", user \"%s\", database \"%s\", %s", what, host,
		authenticator->user, authenticator->database_name, encryption);
}

static bool choose_by_rules(struct authenticator *authenticator)
{
	struct hba_client client = {
		.database = authenticator->database_name,
		.user = authenticator->user,
		.address = &authenticator->address,
		.tls = authenticator->tls,
		.replication = authenticator->replication,
	};

	if (!authenticator->state->hba || !hba_match(authenticator->state->hba, &client, &authenticator->verdict))
		return refuse_by_rules(authenticator, "no pg_hba.conf entry for");
	if (authenticator->verdict.method == HBA_REJECT)
		return refuse_by_rules(authenticator, "pg_hba.conf rejects connection for");
	return true;
}

static bool choose_method(struct authenticator *authenticator)
{
	enum auth_type type = authenticator->config->auth_type;

	if (type == AUTH_TYPE_HBA) {
		if (!choose_by_rules(authenticator))
			return false;
	} else {
		authenticator->verdict.method = method_of_type[type];
		/* Without rules there is no place to name a map; one called "cert" is used if the file has it. */
		if (type == AUTH_TYPE_CERT)
			authenticator->verdict.map = "cert";
	}
	authenticator->method = &auth_methods[authenticator->verdict.method];
	return true;
}

static bool check_certificate(struct authenticator *authenticator)
{
	enum hba_clientcert wanted = authenticator->verdict.clientcert;

	if (wanted != HBA_CLIENTCERT_NONE && !authenticator->common_name)
		return error_set(&authenticator->error, "28000", "connection requires a valid client certificate");
	if (wanted == HBA_CLIENTCERT_VERIFY_FULL && strcmp(authenticator->common_name, authenticator->user) != 0)
		return error_set(&authenticator->error, "28000", "certificate authentication failed for user \"%s\"",
			authenticator->user);
	return true;
}

bool authenticator_choose(struct authenticator *authenticator)
{
	return choose_method(authenticator) && check_certificate(authenticator);
}
