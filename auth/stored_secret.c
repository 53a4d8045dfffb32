#include "stored_secret.h"

#include <string.h>

#include "scram.h"

enum { MD5_DIGITS = 32 };

enum stored_secret stored_secret_kind(const char *text)
{
	struct scram_verifier verifier;

	if (strncmp(text, "md5", 3) == 0 && strlen(text + 3) == MD5_DIGITS &&
		strspn(text + 3, "0123456789abcdef") == MD5_DIGITS)
		return STORED_MD5;
	return scram_verifier_parse(text, &verifier) ? STORED_SCRAM : STORED_PLAIN;
}
