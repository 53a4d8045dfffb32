#include "md5.h"

#include <openssl/evp.h>
#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/mem.h"

enum { MD5_DIGEST_SIZE = 16 };

static bool md5_text(const void *bytes, size_t size, char text[MD5_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[MD5_DIGEST_SIZE];

	if (!EVP_Digest(bytes, size, digest, NULL, EVP_md5(), NULL))
		return false;
	memcpy(text, "md5", 3);
	for (size_t i = 0; i < sizeof(digest); i++) {
		text[3 + 2 * i] = digits[digest[i] >> 4];
		text[4 + 2 * i] = digits[digest[i] & 15];
	}
	text[MD5_TEXT_SIZE - 1] = '\0';
	return true;
}

bool md5_stored(const char *password, const char *user, char stored[MD5_TEXT_SIZE])
{
	struct buf text = { 0 };

	buf_append_text(&text, password);
	buf_append_text(&text, user);
	bool done = md5_text(text.bytes, text.size, stored);
	buf_fini_secret(&text);
	return done;
}

bool md5_answer(const char *stored, const void *salt, char answer[MD5_TEXT_SIZE])
{
	char text[MD5_TEXT_SIZE - 4 + MD5_SALT_SIZE];

	memcpy(text, stored + 3, MD5_TEXT_SIZE - 4);
	memcpy(text + MD5_TEXT_SIZE - 4, salt, MD5_SALT_SIZE);
	bool done = md5_text(text, sizeof(text), answer);
	mem_wipe(text, sizeof(text));
	return done;
}
