/* One login as its methods see it. */
#ifndef PGWEIR_AUTHENTICATOR_INTERNAL_H
#define PGWEIR_AUTHENTICATOR_INTERNAL_H

#include "auth_state.h"
#include "client_secrets.h"
#include "hba.h"
#include "lookup.h"
#include "md5.h"
#include "pgweir/renewal.h"
#include "pgweir/authenticator.h"
#include "scram.h"
#include "stored_secret.h"

enum auth_code {
	AUTH_CODE_OK = 0,
	AUTH_CODE_CLEARTEXT = 3,
	AUTH_CODE_MD5 = 5,
	AUTH_CODE_SASL = 10,
	AUTH_CODE_SASL_CONTINUE = 11,
	AUTH_CODE_SASL_FINAL = 12,
};

enum authenticator_phase {
	PHASE_NEW,
	PHASE_LOOKUP,           /* For the secrets, before the first challenge. */
	PHASE_CHALLENGED,
	PHASE_LOOKUP_ANEW,      /* The answer fitted no secret that was cached. */
	PHASE_REREAD,           /* The answer fitted no value of a secret: it is read again. */
	PHASE_DONE,
};

struct auth_method {
	const char *name;       /* As auth_type and pg_hba.conf spell it. */
	bool needs_secrets;
	enum auth_step (*start)(struct authenticator *authenticator);
	/* Takes an answer in; ends with authenticator_judge() when the client has said all. */
	enum auth_step (*answer)(struct authenticator *authenticator, const char *body, size_t size);
	/* Does what the client said fit one of the secrets? May be called again with other secrets. Fills `proved`. */
	bool (*verify)(struct authenticator *authenticator);
};

struct authenticator {
	enum authenticator_phase phase;
	struct config *config;
	struct auth_state *state;
	const struct config_database *database;
	char *database_name, *user, *common_name;
	bool replication, tls;
	struct sockaddr_storage address;
	uid_t peer_uid;
	struct hba_verdict verdict;

	struct loop *loop;
	authenticator_cb *callback;
	void *arg;
	struct lookup *lookup;
	struct reread *reread;

	const struct auth_method *method;
	struct client_secrets secrets;  /* Those of a [secret] only while an answer is judged. */
	bool looked_up, secrets_cached; /* With auth_query; in its cache. */
	bool doomed;                    /* The secret is made up: nothing fits. */
	size_t matched;                 /* Which of `secrets` the answer fitted. */
	const char *detail;             /* Why nothing will fit: for the log only. */
	char *refusal;                  /* Of a denial, for the log only. */
	char *answer;                   /* The password, or the hash of it, that the client sent. */
	unsigned char md5_salt[MD5_SALT_SIZE];
	char *mechanism;                /* Of SASL, as the client chose it. */
	struct scram_salt salt;         /* Of SCRAM: what the client is told. */
	bool scram_begun;
	struct scram_server scram;

	uint32_t code;
	struct buf body;
	struct error error;
	struct credentials *proved;
};

extern const struct auth_method auth_methods[];         /* By enum hba_method. */

/* Fills `method` and `verdict`; false: refused, `error` is set. */
bool authenticator_choose(struct authenticator *authenticator) MUST_USE;
enum auth_step authenticator_challenge(struct authenticator *authenticator, uint32_t code);
enum auth_step authenticator_grant(struct authenticator *authenticator);
enum auth_step authenticator_deny(struct authenticator *authenticator, const char *detail);     /* `error` is set. */
enum auth_step authenticator_judge(struct authenticator *authenticator);
/* A secret that nobody knows takes the place of the ones there are. */
void authenticator_doom(struct authenticator *authenticator, enum stored_secret kind, const char *detail);

#endif
