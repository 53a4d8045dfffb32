/* The orderly end, as a state machine that a timer drives.
 *
 * A drain: still accepting for drain_delay, so that whoever balances load has time to notice; then nobody new, idle
 * clients closed bit by bit until two thirds of drain_timeout, then those that still wait for a server connection, and what
 * is left at drain_timeout closed where it stands.
 *
 * Failure story: whoever is closed in the middle of a statement takes it for undone, so that pgweir stays until the server has
 * been told to cancel it; but no longer than a second, since a server that does not answer shall not hold up the end. */
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/worker.h"
#include "control_internal.h"
#include "notify.h"
#include "pgweir/pool_share.h"
#include "pgweir/session.h"

enum {
	STEP_MS = 100,
	LOGINS_GRACE_MS = 1000,         /* For logins under way to hear that they are refused; the silent ones hear nothing. */
	CANCELS_GRACE_MS = 1000,
};

static struct {
	struct loop_timer timer;
	bool running, touring;
	enum control_shutdown how;
	uint64_t began_ms, refusing_ms, empty_ms;       /* `empty_ms`: since when no client is left; 0: some are. */
	bool refusing;
	unsigned left, cleaning;
} drain;

struct pace {
	unsigned most;
	enum sessions_drained which;
};
static struct pace pace;

static void visit(struct worker *worker, void *arg)
{
	(void)arg;
	worker->draining = true;
	drain.left += sessions_drain(worker, pace.most, pace.which);
	LIST_FOREACH(link, next, &worker->shares)
		drain.cleaning += LIST_MEMBER(link, struct pool_share, link)->cleaning_count;
}

static void visited(void *arg)
{
	(void)arg;
	uint64_t now_ms = clock_now_ms();
	bool logins_had_time = drain.refusing && now_ms - drain.refusing_ms >= LOGINS_GRACE_MS;

	drain.touring = false;
	if (drain.left > 0 || drain.empty_ms == 0)
		drain.empty_ms = drain.left > 0 ? 0 : now_ms;
	if (drain.left > 0 || (login_count() > 0 && !logins_had_time))
		return;
	if (drain.cleaning == 0 || now_ms - drain.empty_ms >= CANCELS_GRACE_MS)
		control_end();
}

static void tour(unsigned most, enum sessions_drained which)
{
	pace = (struct pace){ most, which };
	drain.left = drain.cleaning = 0;
	drain.touring = true;
	workers_visit(control_loop(), visit, visited, NULL);
}

static void refuse_newcomers(void)
{
	if (drain.refusing)
		return;
	drain.refusing = true;
	drain.refusing_ms = clock_now_ms();
	login_refuse(true);
	log_notable("refusing new clients");
}

/* As many as it takes to be through with the idle ones in time, evenly. */
static unsigned share_of(uint64_t since_ms, uint64_t until_ms)
{
	uint64_t steps = since_ms < until_ms ? (until_ms - since_ms) / STEP_MS : 0;

	return (unsigned)(client_slot_count() / (steps + 1) / workers_count()) + 1;
}

static void step_drain(uint64_t passed_ms)
{
	const struct config *config = control_config();
	uint64_t timeout_ms = config->drain_timeout_ms;
	uint64_t delay_ms = config->drain_delay_ms < timeout_ms ? config->drain_delay_ms : timeout_ms;

	if (passed_ms < delay_ms)
		return;
	refuse_newcomers();
	uint64_t idle_until_ms = delay_ms + (timeout_ms - delay_ms) * 2 / 3;

	if (passed_ms >= timeout_ms)
		tour(UINT32_MAX, SESSIONS_ALL);
	else
		tour(share_of(passed_ms, idle_until_ms), passed_ms < idle_until_ms ? SESSIONS_IDLE : SESSIONS_NOT_STARTED);
}

static void step(void *arg)
{
	uint64_t passed_ms = clock_now_ms() - drain.began_ms;

	(void)arg;
	loop_timer_start(&drain.timer, STEP_MS);
	if (drain.touring)
		return;
	switch (drain.how) {
	case CONTROL_DRAIN:
		step_drain(passed_ms);
		break;
	case CONTROL_WAIT_FOR_SERVERS:
		refuse_newcomers();
		tour(UINT32_MAX, SESSIONS_NOT_STARTED);
		break;
	case CONTROL_WAIT_FOR_CLIENTS:
		refuse_newcomers();
		tour(0, SESSIONS_IDLE);
		break;
	case CONTROL_NOW:
		refuse_newcomers();
		tour(UINT32_MAX, SESSIONS_ALL);
		break;
	}
}

static const char *const words[] = {
	[CONTROL_DRAIN] = "drain",
	[CONTROL_WAIT_FOR_SERVERS] = "wait for servers",
	[CONTROL_WAIT_FOR_CLIENTS] = "wait for clients",
	[CONTROL_NOW] = "now",
};

void control_shutdown(enum control_shutdown how)
{
	/* Asked a second time, it goes faster. */
	if (drain.running && how == drain.how)
		how = CONTROL_NOW;
	notify_stopping();
	log_notable("shutting down", LOG_TEXT("how", words[how]), LOG_INT("clients", client_slot_count()));
	drain.how = how;
	if (!drain.running)
		drain.began_ms = clock_now_ms();
	drain.running = true;
	step(NULL);
}

bool control_is_shutting_down(void)
{
	return drain.running;
}

void drain_init(struct loop *loop)
{
	loop_timer_init(&drain.timer, loop, step, NULL);
}

void drain_fini(void)
{
	loop_timer_stop(&drain.timer);
}
