/* A table of sets, found by a keyed hash of the address. In a full set the address that has the most tokens left is
 * forgotten: it loses least. A flood from many addresses can thus only ever make the throttle more lenient. */
#include "throttle.h"

#include <netinet/in.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "pgweir/clock.h"
#include "scram.h"

enum { THROTTLE_SETS = 2048, THROTTLE_WAYS = 4, THROTTLE_KEY_SIZE = 9 };

struct bucket {
	unsigned char key[THROTTLE_KEY_SIZE];   /* First byte: the family; 0: empty. */
	uint32_t missing;                       /* Tokens taken and not yet filled up. */
	uint64_t filled_at_ms;
};

static struct {
	pthread_mutex_t mutex;
	bool keyed;
	unsigned char key[SCRAM_KEY_SIZE];
	struct bucket buckets[THROTTLE_SETS][THROTTLE_WAYS];
} throttle = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* False: this kind of address is not counted. */
static bool make_key(const struct sockaddr_storage *address, unsigned char key[THROTTLE_KEY_SIZE], uint32_t *burst)
{
	bool loopback;

	memset(key, 0, THROTTLE_KEY_SIZE);
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		key[0] = 4;
		memcpy(key + 1, &in->sin_addr, sizeof(in->sin_addr));
		loopback = key[1] == 127;
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

		key[0] = 6;
		memcpy(key + 1, &in6->sin6_addr, THROTTLE_KEY_SIZE - 1);
		loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	} else {
		return false;
	}
	*burst = loopback ? THROTTLE_LOOPBACK_BURST : THROTTLE_BURST;
	return true;
}

static struct bucket *find_set(const unsigned char key[THROTTLE_KEY_SIZE])
{
	unsigned char hash[SCRAM_KEY_SIZE];
	uint32_t number;

	if (!throttle.keyed) {
		CHECK(RAND_bytes(throttle.key, sizeof(throttle.key)) == 1);
		throttle.keyed = true;
	}
	scram_hmac(throttle.key, sizeof(throttle.key), key, THROTTLE_KEY_SIZE, hash);
	memcpy(&number, hash, sizeof(number));
	return throttle.buckets[number % THROTTLE_SETS];
}

static void fill_up(struct bucket *bucket, uint64_t now_ms)
{
	if (now_ms < bucket->filled_at_ms)
		return;
	uint64_t tokens = (now_ms - bucket->filled_at_ms) * THROTTLE_PER_SECOND / 1000;

	if (tokens >= bucket->missing) {
		bucket->missing = 0;
		bucket->filled_at_ms = now_ms;
		return;
	}
	bucket->missing -= (uint32_t)tokens;
	bucket->filled_at_ms += tokens * 1000 / THROTTLE_PER_SECOND;
}

static struct bucket *find(struct bucket *set, const unsigned char key[THROTTLE_KEY_SIZE], uint64_t now_ms)
{
	for (size_t i = 0; i < THROTTLE_WAYS; i++) {
		if (memcmp(set[i].key, key, THROTTLE_KEY_SIZE) != 0)
			continue;
		fill_up(&set[i], now_ms);
		return &set[i];
	}
	return NULL;
}

static struct bucket *replace(struct bucket *set, const unsigned char key[THROTTLE_KEY_SIZE], uint64_t now_ms)
{
	struct bucket *victim = set;

	for (size_t i = 0; i < THROTTLE_WAYS; i++) {
		fill_up(&set[i], now_ms);
		if (set[i].missing < victim->missing)
			victim = &set[i];
	}
	*victim = (struct bucket){ .filled_at_ms = now_ms };
	memcpy(victim->key, key, THROTTLE_KEY_SIZE);
	return victim;
}

bool throttle_allows(const struct sockaddr_storage *address)
{
	unsigned char key[THROTTLE_KEY_SIZE];
	uint32_t burst;

	if (!make_key(address, key, &burst))
		return true;
	pthread_mutex_lock(&throttle.mutex);
	struct bucket *bucket = find(find_set(key), key, clock_now_ms());
	bool allows = !bucket || bucket->missing < burst;
	pthread_mutex_unlock(&throttle.mutex);
	return allows;
}

void throttle_failed(const struct sockaddr_storage *address)
{
	unsigned char key[THROTTLE_KEY_SIZE];
	uint32_t burst;

	if (!make_key(address, key, &burst))
		return;
	uint64_t now_ms = clock_now_ms();

	pthread_mutex_lock(&throttle.mutex);
	struct bucket *set = find_set(key);
	struct bucket *bucket = find(set, key, now_ms);
	if (!bucket)
		bucket = replace(set, key, now_ms);
	if (bucket->missing < burst)
		bucket->missing++;
	pthread_mutex_unlock(&throttle.mutex);
}

void throttle_reset(void)
{
	pthread_mutex_lock(&throttle.mutex);
	memset(throttle.buckets, 0, sizeof(throttle.buckets));
	pthread_mutex_unlock(&throttle.mutex);
}
