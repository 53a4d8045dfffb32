#include "cluster_state.h"

#include "cluster_lag.h"
#include "pgweir/mem.h"

void cluster_state_init(struct cluster_state *state, size_t host_count, unsigned agreement)
{
	CHECK(host_count > 0 && agreement > 0);
	*state = (struct cluster_state){ .host_count = host_count, .agreement = agreement };
	state->hosts = NEW_ARRAY(struct host_state, host_count);
	state->limits.measured_for_us = UINT64_MAX;
	for (size_t i = 0; i < host_count; i++) {
		state->hosts[i].keeps = state->hosts[i].told_keeps = true;
		state->hosts[i].reads = READS_NOT_REPLICA;
		state->hosts[i].weight = 1;
	}
}

void cluster_state_fini(struct cluster_state *state)
{
	mem_free(state->hosts);
	*state = (struct cluster_state){ 0 };
}

void cluster_state_remember(struct cluster_state *state, uint64_t system_identifier, uint32_t newest_timeline)
{
	state->system_identifier = system_identifier;
	state->newest_timeline = newest_timeline;
}

void cluster_state_follow(struct cluster_state *state, const struct cluster_state *former)
{
	cluster_state_remember(state, former->system_identifier, former->newest_timeline);
	state->standing = state->told_standing = former->standing;
}

void cluster_state_keep_host(struct cluster_state *state, size_t host, const struct host_state *former)
{
	unsigned weight = state->hosts[host].weight;

	state->hosts[host] = *former;
	state->hosts[host].weight = weight;
	/* Samples stay behind. */
	state->hosts[host].measured_us = state->hosts[host].fresh_as_of_us = state->hosts[host].good_until_us = 0;
}

void cluster_state_add_host(struct cluster_state *state, size_t host, const struct cluster_state *former)
{
	state->hosts[host].newcomer = former->standing != CLUSTER_LOOKING;
}

/* --- One host --- */

static void agree(struct host_state *host, enum observed what, unsigned agreement)
{
	host->agreeing = what == host->pending ? host->agreeing + 1 : 1;
	host->pending = what;
	if (host->confirmed == OBSERVED_NOTHING || host->agreeing >= agreement)
		host->confirmed = what;
}

static void take(struct host_state *host, const struct observation *observation, unsigned agreement)
{
	bool up = observation->what == OBSERVED_PRIMARY || observation->what == OBSERVED_REPLICA;

	CHECK(observation->what != OBSERVED_NOTHING);
	host->looked_at = true;
	host->blind = observation->what == OBSERVED_BLIND;
	if (!host->blind)
		agree(host, observation->what, agreement);
	if (!up)
		return;
	host->system_identifier = observation->system_identifier;
	host->timeline = observation->timeline;
	if (observation->what == OBSERVED_PRIMARY)
		host->primary_timeline = observation->timeline;
	host->position = observation->position;
	host->server = observation->server;
	host->shared_name = observation->shared_name;
	host->tells_lag = observation->tells_lag;
}

/* --- The cluster --- */

static bool all_looked_at(const struct cluster_state *state)
{
	for (size_t i = 0; i < state->host_count; i++)
		if (!state->hosts[i].looked_at && !state->hosts[i].newcomer)
			return false;
	return true;
}

static bool any_blind(const struct cluster_state *state)
{
	for (size_t i = 0; i < state->host_count; i++)
		if (state->hosts[i].blind)
			return true;
	return false;
}

/* A host that has not said who it is may be anybody's: it is taken for ours, as without probes. */
static bool is_ours(const struct cluster_state *state, const struct host_state *host)
{
	return !state->system_identifier || !host->system_identifier || host->system_identifier == state->system_identifier;
}

static bool is_up(const struct host_state *host)
{
	return host->confirmed == OBSERVED_PRIMARY || host->confirmed == OBSERVED_REPLICA;
}

/* After pg_upgrade, or when the servers were made anew in their places. */
static bool is_another_system(const struct cluster_state *state)
{
	uint64_t found = state->hosts[0].system_identifier;

	for (size_t i = 0; i < state->host_count; i++) {
		const struct host_state *host = &state->hosts[i];

		if (!is_up(host) || host->blind || host->confirmed != host->pending || host->system_identifier != found)
			return false;
	}
	return found && found != state->system_identifier;
}

/* False: hosts differ, and nothing tells which of them is meant. */
static bool find_identity(struct cluster_state *state)
{
	uint64_t found = 0;

	if (state->system_identifier && is_another_system(state))
		cluster_state_remember(state, 0, 0);
	if (state->system_identifier)
		return true;
	for (size_t i = 0; i < state->host_count; i++) {
		uint64_t identifier = state->hosts[i].system_identifier;

		if (identifier && found && identifier != found)
			return false;
		if (identifier)
			found = identifier;
	}
	state->system_identifier = found;
	return true;
}

static void note_timelines(struct cluster_state *state)
{
	for (size_t i = 0; i < state->host_count; i++)
		if (is_ours(state, &state->hosts[i]) && state->hosts[i].timeline > state->newest_timeline)
			state->newest_timeline = state->hosts[i].timeline;
}

static bool is_alias(const struct cluster_state *state, const struct host_state *host)
{
	for (const struct host_state *other = state->hosts; other < state->hosts + state->host_count; other++) {
		if (other == host || !is_up(other) || !host->server || other->server != host->server)
			continue;
		if (other->shared_name != host->shared_name ? host->shared_name : other < host)
			return true;
	}
	return false;
}

static enum host_standing standing_of(const struct cluster_state *state, const struct host_state *host)
{
	if (is_up(host) && is_alias(state, host))
		return HOST_ALIAS;
	switch (host->confirmed) {
	case OBSERVED_DOWN:
		return HOST_DOWN;
	case OBSERVED_PRIMARY:
		if (!is_ours(state, host))
			return HOST_FOREIGN;
		return host->primary_timeline < state->newest_timeline ? HOST_FENCED : HOST_PRIMARY;
	case OBSERVED_REPLICA:
		return is_ours(state, host) ? HOST_REPLICA : HOST_FOREIGN;
	default:
		return HOST_UNKNOWN;
	}
}

static size_t count_primaries(const struct cluster_state *state)
{
	size_t count = 0;

	for (size_t i = 0; i < state->host_count; i++)
		count += state->hosts[i].standing == HOST_PRIMARY;
	return count;
}

static void demote_primaries(struct cluster_state *state, enum host_standing to)
{
	for (size_t i = 0; i < state->host_count; i++)
		if (state->hosts[i].standing == HOST_PRIMARY)
			state->hosts[i].standing = to;
}

static enum cluster_standing decide(struct cluster_state *state)
{
	bool complete = all_looked_at(state);
	bool one_system = complete && find_identity(state);

	if (one_system)
		note_timelines(state);
	for (size_t i = 0; i < state->host_count; i++)
		state->hosts[i].standing = standing_of(state, &state->hosts[i]);
	if (!complete) {
		demote_primaries(state, HOST_UNKNOWN);
		return CLUSTER_LOOKING;
	}
	size_t primaries = count_primaries(state);

	if (!one_system || primaries > 1) {
		demote_primaries(state, HOST_RIVAL);
		return CLUSTER_UNDECIDED;
	}
	if (primaries == 1)
		return CLUSTER_SERVED;
	return any_blind(state) ? CLUSTER_UNOBSERVED : CLUSTER_WITHOUT_PRIMARY;
}

/* Connections to a host that cannot be reached may yet be alive, and do no harm while nobody else is the primary: what
 * the host was before, it will be again if it has not been fenced. */
static bool may_keep(const struct cluster_state *state, const struct host_state *host)
{
	bool left_behind = host->timeline && host->timeline < state->newest_timeline;

	switch (host->standing) {
	case HOST_PRIMARY:
		return true;
	case HOST_UNKNOWN:
	case HOST_DOWN:
		return state->standing != CLUSTER_SERVED && state->standing != CLUSTER_UNDECIDED && !left_behind;
	case HOST_REPLICA:
		return state->standing == CLUSTER_UNOBSERVED;
	default:
		return false;
	}
}

/* Also remembers it as told. */
static bool has_changed(struct cluster_state *state)
{
	bool changed = state->standing != state->told_standing;

	state->told_standing = state->standing;
	for (size_t i = 0; i < state->host_count; i++) {
		struct host_state *host = &state->hosts[i];

		changed |= host->standing != host->told_standing || host->keeps != host->told_keeps;
		host->told_standing = host->standing;
		host->told_keeps = host->keeps;
	}
	return changed;
}

bool cluster_state_observe(struct cluster_state *state, size_t host, const struct observation *observation)
{
	CHECK(host < state->host_count);
	if (observation->what != OBSERVED_LOST)
		take(&state->hosts[host], observation, state->agreement);
	state->standing = decide(state);
	for (size_t i = 0; i < state->host_count; i++)
		state->hosts[i].keeps = may_keep(state, &state->hosts[i]);
	cluster_lag_follow(state, &state->hosts[host], observation);
	cluster_lag_judge(state, &state->hosts[host], observation->now_us);
	state->hosts[host].moved += observation->moved;
	return has_changed(state) || observation->moved;
}
