/* Failure story: a server refuses a password while it is being rotated, in any order of events: the server has changed
 * and the secret has not, the other way round, one host before another. What the secret's labels, a recent change or
 * connections that the same secret opened tell of is waited for, and a secret that cannot be read, ROTATION_US long at most
 * unless connections live; without any of that a short while. When many logins begin at once after a while without any, one
 * goes ahead: the value may not be what it was, and a server is to see one failed login, not a swarm of them. A login that
 * holds the trial and ends in any way gives it back. */
#include "pgweir/trials.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/lease.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"

enum {
	ROTATION_US = 2 * 60 * 1000 * 1000,
	WITHOUT_EVIDENCE_US = 2 * 1000 * 1000,
	RECYCLE_US = 10 * 1000 * 1000,
	CONFIRMED_US = 100 * 1000,
	BACK_OFF_FIRST_US = 250 * 1000,
	BACK_OFF_MOST_US = 5 * 1000 * 1000,
};

struct trials {
	char *secret;
	uint64_t good, good_serial;     /* The fingerprint that worked last, 0: none; and the lease's serial at the time. */
	uint64_t good_us;               /* When it did. */
	bool busy;
	uint64_t not_before_us, exhausted_serial;
	unsigned rounds;                /* In a row that nothing came of. */
	struct error error;             /* What the host said in the last one. */
	uint64_t trial_count, refusal_count;
	_Atomic uint64_t refused_since_us;      /* 0: not refused since the last that worked. */
	_Atomic uint64_t recycled_us;           /* 0: a login has worked since. */
	_Atomic unsigned open;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map table;                /* By secret, role, host and port. */

struct trials *trials_get(const struct credentials *credentials, const char *host, uint16_t port)
{
	char *key = mem_printf("%s\n%s\n%s:%u", credentials->secret, credentials->role, host, (unsigned)port);

	pthread_mutex_lock(&mutex);
	struct trials *trials = map_get_text(&table, key);

	if (!trials) {
		trials = NEW(struct trials);
		trials->secret = mem_strdup(credentials->secret);
		map_put_text(&table, key, trials);
	}
	pthread_mutex_unlock(&mutex);
	mem_free(key);
	return trials;
}

static bool free_one(const void *key, size_t size, void *value, void *arg)
{
	struct trials *trials = value;

	(void)key, (void)size, (void)arg;
	mem_free(trials->secret);
	mem_free(trials);
	return true;
}

void trials_forget_all(void)
{
	pthread_mutex_lock(&mutex);
	map_foreach(&table, free_one, NULL);
	map_fini(&table);
	table = (struct map){ 0 };
	pthread_mutex_unlock(&mutex);
}

/* --- A login --- */

static bool is_among(uint64_t fingerprint, const uint64_t *refused, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (refused[i] == fingerprint)
			return true;
	return false;
}

struct credentials *trials_choose(struct trials *trials, const struct credentials *wanted, const uint64_t *refused,
	unsigned refused_count)
{
	struct credentials *chosen = NULL;

	pthread_mutex_lock(&mutex);
	uint64_t good = trials->good, good_serial = trials->good_serial;
	pthread_mutex_unlock(&mutex);
	for (int stage = 0; stage < SECRET_STAGES; stage++) {
		struct credentials *each = credentials_of_stage(wanted, (enum secret_stage)stage);

		if (!each || is_among(each->fingerprint, refused, refused_count)) {
			credentials_unref(&each);
			continue;
		}
		bool worked = each->fingerprint == good && each->secret_serial == good_serial;

		if (chosen && worked)
			credentials_unref(&chosen);
		if (!chosen)
			chosen = each;
		else
			credentials_unref(&each);
		if (worked)
			break;
	}
	return chosen;
}

static enum trials_turn turn_of(const struct trials *trials, const struct credentials *credentials)
{
	bool worked = credentials->fingerprint == trials->good;

	if (worked && clock_now_us() - trials->good_us < CONFIRMED_US)
		return TRIALS_KNOWN;
	if (trials->busy)
		return TRIALS_BUSY;
	bool later = !worked && clock_now_us() < trials->not_before_us && credentials->secret_serial == trials->exhausted_serial;

	return later ? TRIALS_LATER : TRIALS_BEGUN;
}

enum trials_turn trials_begin(struct trials *trials, const struct credentials *credentials, struct error *error)
{
	pthread_mutex_lock(&mutex);
	enum trials_turn turn = turn_of(trials, credentials);

	if (turn == TRIALS_LATER)
		*error = trials->error;
	if (turn == TRIALS_BEGUN) {
		trials->busy = true;
		trials->trial_count += credentials->fingerprint != trials->good;
	}
	pthread_mutex_unlock(&mutex);
	return turn;
}

void trials_worked(struct trials *trials, const struct credentials *credentials)
{
	pthread_mutex_lock(&mutex);
	/* A slow login with an older value does not hide that a newer one is taken by now. */
	if (!trials->good || credentials->secret_serial >= trials->good_serial) {
		trials->good = credentials->fingerprint;
		trials->good_serial = credentials->secret_serial;
		trials->good_us = clock_now_us();
	}
	trials->rounds = 0;
	trials->not_before_us = 0;
	atomic_store(&trials->refused_since_us, 0);
	atomic_store(&trials->recycled_us, 0);
	pthread_mutex_unlock(&mutex);
}

void trials_refused(struct trials *trials, const struct credentials *credentials)
{
	pthread_mutex_lock(&mutex);
	trials->refusal_count++;
	if (trials->good == credentials->fingerprint)
		trials->good = 0;
	if (!atomic_load(&trials->refused_since_us))
		atomic_store(&trials->refused_since_us, clock_now_us());
	pthread_mutex_unlock(&mutex);
}

void trials_exhausted(struct trials *trials, const struct error *error)
{
	pthread_mutex_lock(&mutex);
	struct lease *lease = lease_find(trials->secret);
	uint64_t after_us = BACK_OFF_FIRST_US;

	for (unsigned i = 0; i < trials->rounds && after_us < BACK_OFF_MOST_US; i++)
		after_us *= 2;
	trials->rounds++;
	trials->not_before_us = clock_now_us() + (after_us < BACK_OFF_MOST_US ? after_us : BACK_OFF_MOST_US);
	trials->exhausted_serial = lease ? lease->serial : 0;
	trials->error = *error;
	pthread_mutex_unlock(&mutex);
	lease_unref(&lease);
}

void trials_end(struct trials *trials)
{
	pthread_mutex_lock(&mutex);
	CHECK(trials->busy);
	trials->busy = false;
	pthread_mutex_unlock(&mutex);
}

/* --- What to make of a refusal --- */

/* RDS says so when PAM, behind which IAM is, refuses a token: with either of the two SQLSTATEs. */
bool trials_is_refusal(const struct error *error)
{
	return strcmp(error->sqlstate, "28P01") == 0
		|| (strcmp(error->sqlstate, "28000") == 0 && strstr(error->text, "PAM authentication failed"));
}

static bool same_login(const struct lease_value *a, const struct lease_value *b)
{
	bool same_user = a->username && b->username ? mem_equal_secret_text(a->username, b->username) : a->username == b->username;

	return same_user && mem_equal_secret_text(a->password, b->password);
}

/* Until when the secret itself gives reason to wait; 0: it gives none. */
static uint64_t expected_until_us(const struct lease *lease, uint64_t refused_since_us)
{
	bool known = lease->pending.password && lease->value.password;
	bool pending = known ? !same_login(&lease->pending, &lease->value) : lease->rotating;
	/* A refusal has the secret read anew: while that brings nothing, it may say something else by now. */
	bool unsure = !lease->on_demand && lease->fetched_us < refused_since_us;
	uint64_t until_us = lease->dated ? lease->changed_us + ROTATION_US : 0;

	/* A rotation that failed leaves its label for good, a deleted secret stays so: no reasons without an end. */
	if ((pending || unsure) && refused_since_us + ROTATION_US > until_us)
		until_us = refused_since_us + ROTATION_US;
	return until_us;
}

struct trials_outlook trials_outlook(struct trials *trials)
{
	struct trials_outlook outlook = { 0 };
	struct lease *lease = lease_find(trials->secret);
	uint64_t now_us = clock_now_us();

	pthread_mutex_lock(&mutex);
	uint64_t since_us = atomic_load(&trials->refused_since_us);
	uint64_t until_us = lease ? expected_until_us(lease, since_us) : 0;

	if (since_us + WITHOUT_EVIDENCE_US > until_us)
		until_us = since_us + WITHOUT_EVIDENCE_US;
	outlook.hopeful = lease && since_us && (now_us < until_us || atomic_load(&trials->open) > 0);
	outlook.after_us = trials->not_before_us > now_us ? trials->not_before_us - now_us : 0;
	pthread_mutex_unlock(&mutex);
	lease_unref(&lease);
	return outlook;
}

bool trials_refusing(const struct trials *trials)
{
	return atomic_load_explicit(&trials->refused_since_us, memory_order_relaxed) != 0;
}

bool trials_may_recycle(struct trials *trials)
{
	uint64_t recycled_us = atomic_load(&trials->recycled_us), now_us = clock_now_us();

	if (trials_refusing(trials) || (recycled_us && now_us - recycled_us < RECYCLE_US))
		return false;
	/* Of several workers that ask one gets the answer. */
	return atomic_compare_exchange_strong(&trials->recycled_us, &recycled_us, now_us);
}

void trials_opened(struct trials *trials)
{
	atomic_fetch_add(&trials->open, 1);
}

void trials_closed(struct trials *trials)
{
	CHECK(atomic_fetch_sub(&trials->open, 1) > 0);
}

/* --- Looking at it --- */

struct count {
	const char *secret;
	struct trials_sum *sum;
};

static bool add_one(const void *key, size_t size, void *value, void *arg)
{
	const struct trials *trials = value;
	const struct count *count = arg;

	(void)key, (void)size;
	if (strcmp(trials->secret, count->secret) != 0)
		return true;
	count->sum->trials += trials->trial_count;
	count->sum->refusals += trials->refusal_count;
	count->sum->open += atomic_load(&trials->open);
	count->sum->hosts_refusing += trials_refusing(trials);
	return true;
}

void trials_count(const char *secret, struct trials_sum *sum)
{
	struct count count = { secret, sum };

	*sum = (struct trials_sum){ 0 };
	pthread_mutex_lock(&mutex);
	map_foreach(&table, add_one, &count);
	pthread_mutex_unlock(&mutex);
}
