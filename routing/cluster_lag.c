#include "cluster_lag.h"

static void sample(struct cluster_state *state, struct host_state *host, const struct observation *observation)
{
	if (host != state->sampled || host->timeline != state->sampled_timeline)
		lag_forget(&state->samples);
	state->sampled = host;
	state->sampled_timeline = host->timeline;
	lag_add(&state->samples, observation->asked_us, lag_insert_position(observation->position, observation->wal));
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void forget_measurement(struct host_state *host)
{
	host->measured_us = host->fresh_as_of_us = host->lag_bytes = host->good_until_us = 0;
}

static void hold_against_samples(const struct cluster_state *state, struct host_state *host)
{
	host->fresh_as_of_us = lag_fresh_as_of(&state->samples, host->position);
	host->lag_bytes = lag_bytes(&state->samples, host->position);
}

static void measure(struct cluster_state *state, struct host_state *host, const struct observation *observation)
{
	host->measured_us = observation->asked_us;
	host->good_until_us = add_capped(observation->asked_us, state->limits.measured_for_us);
	hold_against_samples(state, host);
}

/* They are at least where they were when last looked at. */
static void measure_others(struct cluster_state *state)
{
	for (size_t i = 0; i < state->host_count; i++)
		if (state->hosts[i].standing == HOST_REPLICA && state->hosts[i].measured_us && !state->hosts[i].tells_lag)
			hold_against_samples(state, &state->hosts[i]);
}

/* A primary that is gone leaves its history behind, which holds until there is another. */
static bool samples_hold(const struct cluster_state *state)
{
	const struct host_state *from = state->sampled;

	return from && (from->standing == HOST_PRIMARY
		|| (from->standing == HOST_DOWN && state->standing == CLUSTER_WITHOUT_PRIMARY
			&& state->sampled_timeline == state->newest_timeline));
}

void cluster_lag_follow(struct cluster_state *state, struct host_state *host, const struct observation *observation)
{
	/* What was measured against another history says nothing now. */
	if (state->sampled && !samples_hold(state)) {
		state->sampled = NULL;
		lag_forget(&state->samples);
	}
	if (observation->what != OBSERVED_REPLICA)
		forget_measurement(host);
	if (host->standing == HOST_REPLICA && observation->what == OBSERVED_REPLICA && observation->tells_lag) {
		host->measured_us = observation->asked_us;
		host->good_until_us = add_capped(observation->asked_us, state->limits.measured_for_us);
		host->fresh_as_of_us = observation->asked_us > observation->lag_us ? observation->asked_us - observation->lag_us : 0;
	} else if (host->standing == HOST_PRIMARY && observation->what == OBSERVED_PRIMARY && observation->position) {
		sample(state, host, observation);
		measure_others(state);
	} else if (host->standing == HOST_REPLICA && observation->what == OBSERVED_REPLICA && state->sampled) {
		measure(state, host, observation);
	}
	for (size_t i = 0; i < state->host_count; i++)
		if ((!state->sampled && !state->hosts[i].tells_lag) || state->hosts[i].standing != HOST_REPLICA)
			forget_measurement(&state->hosts[i]);
}

/* --- Reads --- */

/* `part` of the limits: 1 is all of them, 2 half. */
static enum topology_reads within(const struct cluster_limits *limits, const struct host_state *host, uint64_t now_us,
	unsigned part)
{
	uint64_t lag_us = now_us > host->fresh_as_of_us ? now_us - host->fresh_as_of_us : 0;

	if (limits->max_lag_us && (!host->fresh_as_of_us || lag_us > limits->max_lag_us / part))
		return READS_LAG;
	if (limits->max_lag_bytes && host->lag_bytes > limits->max_lag_bytes / part)
		return READS_LAG_BYTES;
	return READS_ALLOWED;
}

static bool is_behind(enum topology_reads reads)
{
	return reads == READS_LAG || reads == READS_LAG_BYTES || reads == READS_RETURNING;
}

/* `looked`: the host itself has just been looked at. */
static enum topology_reads judge(const struct cluster_state *state, struct host_state *host, uint64_t now_us, bool looked)
{
	if (host->standing != HOST_REPLICA)
		return READS_NOT_REPLICA;
	if (!host->weight)
		return READS_UNWEIGHTED;
	if (host->shared_name)
		return READS_SHARED_NAME;
	if (!host->measured_us || now_us > host->good_until_us)
		return is_behind(host->reads) ? host->reads : READS_UNMEASURED;
	enum topology_reads found = within(&state->limits, host, now_us, 1);

	if (found != READS_ALLOWED || !is_behind(host->reads)) {
		host->well = 0;
		return found;
	}
	if (within(&state->limits, host, now_us, 2) != READS_ALLOWED)
		host->well = 0;
	else if (looked)
		host->well++;
	return host->well < state->agreement ? READS_RETURNING : READS_ALLOWED;
}

void cluster_lag_judge(struct cluster_state *state, const struct host_state *looked_at, uint64_t now_us)
{
	for (size_t i = 0; i < state->host_count; i++) {
		struct host_state *host = &state->hosts[i];
		enum topology_reads before = host->reads;

		host->reads = judge(state, host, now_us, host == looked_at);
		if (before != READS_ALLOWED || host->reads == READS_ALLOWED)
			continue;
		state->barred[host->reads]++;
		host->times_barred++;
	}
}
