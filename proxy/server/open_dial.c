/* The way of an attempt to its server: one address after the other, with TLS or without.
 *
 * Failure story:
 *  - An address that cannot be reached leads to the next address of the name; the last one's error counts. Of
 *    server_connect_timeout each address gets its share.
 *  - A server that refuses the login for want of TLS, or because of it, is tried the other way where sslmode allows
 *    both (allow, prefer). */
#include <errno.h>
#include <string.h>

#include "open_internal.h"
#include "pgweir/clock.h"
#include "pgweir/descriptors.h"

/* The ways to connect under each sslmode, as libpq's documentation has them ("SSL Mode Descriptions"). */
static const struct {
	enum dial_tls first, second;    /* The same: there is no second. */
} ways[] = {
	[SSLMODE_DISABLE] = { DIAL_PLAIN, DIAL_PLAIN },
	[SSLMODE_ALLOW] = { DIAL_PLAIN, DIAL_TLS },
	[SSLMODE_PREFER] = { DIAL_TLS_IF_OFFERED, DIAL_PLAIN },
	[SSLMODE_REQUIRE] = { DIAL_TLS, DIAL_TLS },
	[SSLMODE_VERIFY_CA] = { DIAL_TLS, DIAL_TLS },
	[SSLMODE_VERIFY_FULL] = { DIAL_TLS, DIAL_TLS },
};

bool attempt_fall_back(struct attempt *attempt)
{
	enum sslmode sslmode = attempt->target->database->server_tls.sslmode;
	bool local = attempt->addresses.addresses[attempt->address].ss_family == AF_UNIX;
	enum dial_tls second = ways[sslmode].second;

	if (attempt->fell_back || local || second == ways[sslmode].first || attempt->tls == (second != DIAL_PLAIN))
		return false;
	attempt->fell_back = true;
	attempt_close_login(attempt);
	attempt_enter(attempt, ATTEMPT_DIAL);
	attempt_dial(attempt);
	return true;
}

static void next_address(struct attempt *attempt)
{
	struct error error = attempt->dial.error;

	if (attempt->fell_back || attempt->address + 1 >= attempt->addresses.count) {
		attempt_fail(attempt, &error);
		return;
	}
	attempt->address++;
	attempt_enter(attempt, ATTEMPT_DIAL);
	attempt_dial(attempt);
}

static void dialled(enum dial_outcome outcome, void *arg)
{
	struct attempt *attempt = arg;

	loop_timer_stop(&attempt->address_timer);
	attempt->tls = attempt->dial.tls;
	if (outcome == DIAL_UNREACHABLE) {
		next_address(attempt);
		return;
	}
	if (outcome == DIAL_FAILED) {
		if (!attempt_fall_back(attempt))
			attempt_fail(attempt, &attempt->dial.error);
		return;
	}
	conn_move(&attempt->conn, &attempt->dial.conn);
	attempt_enter(attempt, ATTEMPT_AUTH);
	login_start_on(attempt);
}

void attempt_address_timer_fired(void *arg)
{
	struct attempt *attempt = arg;

	if (attempt->state == ATTEMPT_TURN) {
		attempt_login_with_secret(attempt);
		return;
	}
	if (attempt->state != ATTEMPT_DIAL || attempt->dial.state != DIAL_CONNECTING)
		return;
	dial_close(&attempt->dial);
	error_set(&attempt->dial.error, "08001", "timeout");
	next_address(attempt);
}

/* What is left of server_connect_timeout is divided among the addresses that are left. */
static void start_address_timer(struct attempt *attempt)
{
	uint64_t limit_ms = attempt->target->config->server_connect_timeout_ms;
	uint64_t spent_ms = (clock_now_us() - attempt->started_us) / 1000;
	unsigned left = attempt->addresses.count - attempt->address;

	if (left > 1 && limit_ms > spent_ms)
		loop_timer_start(&attempt->address_timer, (limit_ms - spent_ms) / left);
}

void attempt_dial(struct attempt *attempt)
{
	const struct server_target *target = attempt->target;
	enum sslmode sslmode = target->database->server_tls.sslmode;
	struct dial *dial = &attempt->dial;

	if (!descriptors_for_server()) {
		error_set(&dial->error, "08001", "%s", strerror(EMFILE));
		attempt_fail(attempt, &dial->error);
		return;
	}
	dial->loop = attempt->work.loop;
	dial->config = target->config;
	dial->config_tls = &target->database->server_tls;
	dial->host = target->host->host;
	dial->port = target->host->port;
	dial->wanted = attempt->fell_back ? ways[sslmode].second : ways[sslmode].first;
	dial->callback = dialled;
	dial->arg = attempt;
	start_address_timer(attempt);
	dial_start(dial, &attempt->addresses.addresses[attempt->address], attempt->addresses.sizes[attempt->address]);
}
