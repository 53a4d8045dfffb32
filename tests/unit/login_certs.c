#include "login_certs.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgweir/mem.h"

static struct {
	char folder[64];
	char paths[4][128];
	EVP_PKEY *ca_key;
	X509 *ca;
} certs;

static const char *const names[] = { "ca.crt", "server.crt", "server.key", "encrypted.key" };

static X509 *make(const char *common_name, EVP_PKEY *key, EVP_PKEY *signer, X509 *issuer)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	static long serial;

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
	X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
	if (!issuer) {
		X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

		X509_add_ext(certificate, extension, -1);
		X509_EXTENSION_free(extension);
	}
	CHECK(X509_sign(certificate, signer, EVP_sha256()));
	return certificate;
}

static void write_pem(size_t at, X509 *certificate, EVP_PKEY *key, const char *passphrase)
{
	FILE *file = fopen(certs.paths[at], "w");

	CHECK(file);
	if (certificate)
		CHECK(PEM_write_X509(file, certificate));
	if (key)
		CHECK(PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL, (void *)(uintptr_t)passphrase));
	fclose(file);
}

static void clean_up(void)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(certs.paths[i]);
	rmdir(certs.folder);
	X509_free(certs.ca);
	EVP_PKEY_free(certs.ca_key);
}

static void make_all(void)
{
	const char *root = getenv("TMPDIR");

	snprintf(certs.folder, sizeof(certs.folder), "%s/login-certs-XXXXXX", root && strlen(root) < 40 ? root : P_tmpdir);
	CHECK(mkdtemp(certs.folder));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		snprintf(certs.paths[i], sizeof(certs.paths[i]), "%s/%s", certs.folder, names[i]);
	certs.ca_key = EVP_EC_gen("P-256");
	certs.ca = make("test CA", certs.ca_key, certs.ca_key, NULL);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = make("localhost", key, certs.ca_key, certs.ca);

	write_pem(0, certs.ca, NULL, NULL);
	write_pem(1, certificate, NULL, NULL);
	write_pem(2, NULL, key, NULL);
	write_pem(3, NULL, key, CERTS_PASSPHRASE);
	X509_free(certificate);
	EVP_PKEY_free(key);
	atexit(clean_up);
}

const char *certs_file(const char *name)
{
	size_t i = 0;

	if (!certs.ca)
		make_all();
	while (i < ARRAY_LEN(names) - 1 && strcmp(names[i], name) != 0)
		i++;
	return certs.paths[i];
}

void certs_use(SSL_CTX *ssl_ctx, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = make(name, key, certs.ca_key, certs.ca);

	CHECK(SSL_CTX_use_certificate(ssl_ctx, certificate) == 1 && SSL_CTX_use_PrivateKey(ssl_ctx, key) == 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
}
