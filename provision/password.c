#include "password.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/mem.h"

static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", lower[] = "abcdefghijklmnopqrstuvwxyz", digit[] = "0123456789",
	special[] = "!#%*+-_=.~^";

/* Below `limit`, each equally likely: what does not divide evenly is thrown again. */
static unsigned random_below(unsigned limit)
{
	unsigned greatest = 256 - 256 % limit;
	unsigned char byte;

	do
		CHECK(RAND_bytes(&byte, 1) == 1);
	while (byte >= greatest);
	return byte % limit;
}

static void fill(char *text, size_t size, const char *alphabet)
{
	unsigned count = (unsigned)strlen(alphabet);

	for (size_t i = 0; i < size; i++)
		text[i] = alphabet[random_below(count)];
	text[size] = '\0';
}

char *password_make(void)
{
	char text[PASSWORD_SIZE + 1], alphabet[128];

	memcpy(alphabet, upper, sizeof(upper) - 1);
	memcpy(alphabet + 26, lower, sizeof(lower) - 1);
	memcpy(alphabet + 52, digit, sizeof(digit) - 1);
	memcpy(alphabet + 62, special, sizeof(special));
	/* Whole texts are thrown again, too: putting one of each class in place would make some likelier. */
	do
		fill(text, PASSWORD_SIZE, alphabet);
	while (!strpbrk(text, upper) || !strpbrk(text, lower) || !strpbrk(text, digit) || !strpbrk(text, special));
	char *password = mem_secret_dup(text);

	mem_wipe(text, sizeof(text));
	return password;
}

char *password_name(const char *prefix)
{
	char suffix[SUFFIX_SIZE + 1];

	fill(suffix, SUFFIX_SIZE, "abcdefghijklmnopqrstuvwxyz0123456789");
	return mem_printf("%s%s", prefix, suffix);
}

char *password_version(const char *provision, const char *purpose, const char *of, unsigned attempt)
{
	char *text = mem_printf("pgweir %s\n%s\n%s\n%u", provision, purpose, of ? of : "", attempt);
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct buf id = { 0 };

	SHA256((const unsigned char *)text, strlen(text), digest);
	/* 64 characters: as many as Secrets Manager allows. */
	for (size_t i = 0; i < sizeof(digest); i++)
		buf_printf(&id, "%02x", digest[i]);
	mem_free(text);
	return buf_take_text(&id);
}
