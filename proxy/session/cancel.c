/* Cancel requests: who is meant, and what is done.
 *
 * A key is looked up on each worker in turn, by pid and key together. In transaction mode the pid is ours: the id of
 * this process among its peers, a bit that keeps it above every real pid, and a number. What nobody here knows may be a
 * peer's.
 *
 * Settings go ahead of the client's query in the same packet. A cancel that came meanwhile would hit them, so it waits until
 * the query is the oldest thing that the server has to do. Of a batch nobody hears before the query's answer, so it does not
 * wait for one (setup_batch.c). */
#include <string.h>

#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "session_internal.h"

enum { PID_PEER_SHIFT = 23, PID_OURS = 1 << 22, PID_NUMBER_MASK = PID_OURS - 1 };

/* How often is looked whether what is ahead of the client's has ended. */
enum { OURS_MS = 1 };

static struct session **bucket(struct worker *worker, uint32_t pid)
{
	return &worker->sessions_by_pid[pid & (worker->pid_buckets - 1)];
}

static void grow_table(struct worker *worker)
{
	struct session **old = worker->sessions_by_pid;
	size_t old_buckets = worker->pid_buckets;

	worker->pid_buckets = old_buckets ? old_buckets * 2 : 64;
	worker->sessions_by_pid = NEW_ARRAY(struct session *, worker->pid_buckets);
	for (size_t i = 0; i < old_buckets; i++) {
		for (struct session *session = old[i], *next; session; session = next) {
			struct session **at = bucket(worker, session->pid);

			next = session->next_by_pid;
			session->next_by_pid = *at;
			*at = session;
		}
	}
	mem_free(old);
}

static bool pid_is_taken(struct worker *worker, uint32_t pid)
{
	for (const struct session *session = *bucket(worker, pid); session; session = session->next_by_pid)
		if (session->pid == pid)
			return true;
	return false;
}

/* Numbers of one worker differ from those of the others, and by one among themselves: buckets fill evenly. */
static uint32_t make_pid(struct worker *worker)
{
	uint32_t pid;

	do {
		uint32_t number = worker->next_pid++ * workers_count() + worker->index;

		pid = (uint32_t)worker->config->peer_id << PID_PEER_SHIFT | PID_OURS | (number & PID_NUMBER_MASK);
	} while (pid_is_taken(worker, pid));
	return pid;
}

/* Two servers may give the same pid to two sessions: the key tells them apart. */
void session_register(struct session *session)
{
	struct worker *worker = session->worker;

	if (worker->pid_count >= worker->pid_buckets)
		grow_table(worker);
	worker->pid_count++;
	if (!session->pid)
		session->pid = make_pid(worker);
	struct session **at = bucket(worker, session->pid);

	session->next_by_pid = *at;
	*at = session;
	session->registered = true;
}

void session_unregister(struct session *session)
{
	if (!session->registered)
		return;
	struct session **at = bucket(session->worker, session->pid);

	while (*at != session)
		at = &(*at)->next_by_pid;
	*at = session->next_by_pid;
	session->worker->pid_count--;
	session->registered = false;
}

static struct session *find(struct worker *worker, const struct login_cancel *cancel)
{
	struct session *session = worker->pid_buckets ? *bucket(worker, cancel->pid) : NULL;

	for (; session; session = session->next_by_pid)
		if (session->pid == cancel->pid && session->key_size == cancel->key_size
			&& mem_equal_secret(session->key, cancel->key, cancel->key_size))
			return session;
	return NULL;
}

/* A question of our own behind a transaction is not what the client wants to end; a cancel of it could come late, and hit
 * what the client asks next. */
static bool works_for_client(const struct session *session)
{
	const struct requests *requests = &session->backend->requests;

	for (uint32_t i = 0; i < requests_count(requests); i++)
		if (!(requests_at(requests, i)->flags & REQUEST_INJECTED))
			return true;
	return session->held.size > 0;
}

/* What we have sent ahead of the client's, or ask before we send it, and that is answered by itself. */
static bool waits_for_ours(const struct session *session)
{
	const struct requests *requests = &session->backend->requests;
	uint32_t i = 0;

	while (i < requests_count(requests) && requests_at(requests, i)->flags & REQUEST_INJECTED)
		if (REQUEST_BIT(requests_at(requests, i++)->kind) & REQUESTS_MADE_READY)
			return true;
	return false;
}

struct search {
	struct loop_letter letter;
	struct login_cancel *cancel;
	unsigned next;
	/* Once found: */
	struct worker *worker;
	struct list link;               /* In its relay's. */
	struct loop_timer timer;
};

static void drop_search(struct loop_letter *letter)
{
	struct search *search = CONTAINER_OF(letter, struct search, letter);

	login_cancel_free(&search->cancel);
	mem_free(search);
}

static void end_search(struct search *search)
{
	loop_timer_stop(&search->timer);
	list_remove(&search->link);
	login_cancel_free(&search->cancel);
	mem_free(search);
}

/* The client is told by the end of its connection, as PostgreSQL does: what it asks from then on is safe. */
static void taken(void *arg)
{
	struct login_cancel *cancel = arg;

	login_cancel_free(&cancel);
}

static void cancel_session(struct search *search, struct session *session)
{
	worker_now(session->worker);
	if (session->state == SESSION_WAITING) {
		pool_waiter_cancel(&session->waiter);
		session_fail_waiting(session, "57014", "canceling statement due to user request", NULL);
	} else if (session->backend && works_for_client(session)) {
		if (waits_for_ours(session)) {
			loop_timer_start(&search->timer, OURS_MS);
			return;
		}
		session->setup_cancelled = true;
		pool_cancel(session->backend, taken, search->cancel);
		search->cancel = NULL;
	}
	end_search(search);
}

static void look_again(void *arg)
{
	struct search *search = arg;
	struct session *session = find(search->worker, search->cancel);

	if (session)
		cancel_session(search, session);
	else
		end_search(search);
}

static void keep(struct search *search, struct worker *worker)
{
	search->worker = worker;
	loop_timer_init(&search->timer, worker->loop, look_again, search);
	list_push_back(&((struct relay *)worker->relay)->cancels, &search->link);
}

static void found(struct search *search, struct worker *worker, struct session *session)
{
	worker->cancels_delivered++;
	keep(search, worker);
	cancel_session(search, session);
}

void session_cancels_end(struct worker *worker)
{
	LIST_FOREACH(link, next, &((struct relay *)worker->relay)->cancels)
		end_search(LIST_MEMBER(link, struct search, link));
}

static const struct config_peer *find_peer(const struct config *config, uint32_t pid)
{
	unsigned peer_id = pid >> PID_PEER_SHIFT;

	if (!(pid & PID_OURS) || peer_id == config->peer_id)
		return NULL;
	for (size_t i = 0; i < config->peer_count; i++)
		if (config->peers[i].id == peer_id)
			return &config->peers[i];
	return NULL;
}

static void peer_has_taken(void *arg)
{
	end_search(arg);
}

static void pass_to_peer(struct worker *worker, struct search *search)
{
	const struct login_cancel *cancel = search->cancel;
	const struct config_peer *peer = find_peer(worker->config, cancel->pid);

	worker->cancels_unknown++;
	if (!peer) {
		drop_search(&search->letter);
		return;
	}
	keep(search, worker);
	server_cancel_peer(worker->config, peer, cancel->pid, cancel->key, cancel->key_size, worker->loop, peer_has_taken, search);
}

static void look_here(struct loop_letter *letter)
{
	struct search *search = CONTAINER_OF(letter, struct search, letter);
	struct worker *worker = worker_at(search->next++);
	struct session *session = find(worker, search->cancel);

	if (session) {
		found(search, worker, session);
	} else if (search->next < workers_count()) {
		loop_post(worker_at(search->next)->loop, &search->letter);
	} else {
		pass_to_peer(worker, search);
	}
}

void session_receive_cancel(struct login_cancel *cancel)
{
	struct search *search = NEW(struct search);

	search->cancel = cancel;
	search->letter = (struct loop_letter){ .deliver = look_here, .drop = drop_search };
	loop_post(worker_at(0)->loop, &search->letter);
}
