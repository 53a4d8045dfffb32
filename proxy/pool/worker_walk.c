/* A tour of the workers that takes only a little of each turn of theirs.
 *
 * Shares live as long as their worker. Sessions may end between two slices: each walk that stands before such a one
 * moves on. Failure story: with its worker's end a walk ends too, in the loop's mailbox; nobody is told. */
#include "pgweir/mem.h"
#include "pgweir/pool.h"
#include "pgweir/worker.h"

/* Shares, server connections and sessions, all told. A thousand of them take about a millisecond. */
enum { WALK_PER_TURN = 64 };

struct walk {
	struct loop_letter letter;
	struct list link;               /* In the worker's `walks`, while there. */
	unsigned index;                 /* Of that worker. */
	struct list *next;              /* Member of `sessions` or `shares`, or its end. */
	bool among_shares;
	struct worker_walk calls;
	struct loop *home;
	worker_done_cb *done;
	void *arg;
};

static void drop(struct loop_letter *letter)
{
	mem_free(CONTAINER_OF(letter, struct walk, letter));
}

static void ends(struct loop_letter *letter)
{
	struct walk *walk = CONTAINER_OF(letter, struct walk, letter);

	walk->done(walk->arg);
	mem_free(walk);
}

static unsigned visit_share(struct walk *walk, struct pool_share *share)
{
	walk->calls.share(share, walk->arg);
	return 1 + share->lent_count + share->idle_count + share->cleaning_count;
}

static unsigned visit_next(struct walk *walk)
{
	struct list *link = walk->next;

	walk->next = link->next;
	if (walk->among_shares)
		return visit_share(walk, LIST_MEMBER(link, struct pool_share, link));
	walk->calls.session(link, walk->arg);
	return 1;
}

/* Whether there is something left, perhaps in the next of the lists. */
static bool more(struct walk *walk, struct worker *worker)
{
	if (!walk->among_shares && walk->next == &worker->sessions) {
		walk->among_shares = true;
		walk->next = walk->calls.share ? worker->shares.next : &worker->shares;
	}
	return !walk->among_shares || walk->next != &worker->shares;
}

static void arrives(struct loop_letter *letter);

static void leave(struct walk *walk, struct worker *worker)
{
	list_remove(&walk->link);
	if (walk->calls.last)
		walk->calls.last(worker, walk->arg);
	walk->letter.deliver = ++walk->index == workers_count() ? ends : arrives;
	loop_post(walk->index == workers_count() ? walk->home : worker_at(walk->index)->loop, &walk->letter);
}

static void goes_on(struct loop_letter *letter)
{
	struct walk *walk = CONTAINER_OF(letter, struct walk, letter);
	struct worker *worker = worker_at(walk->index);
	unsigned seen = 0;

	worker_now(worker);
	while (more(walk, worker) && seen < WALK_PER_TURN)
		seen += visit_next(walk);
	if (!more(walk, worker)) {
		leave(walk, worker);
		return;
	}
	/* Letters to oneself are for the next turn. */
	loop_post(worker->loop, letter);
}

static void arrives(struct loop_letter *letter)
{
	struct walk *walk = CONTAINER_OF(letter, struct walk, letter);
	struct worker *worker = worker_at(walk->index);

	list_push_back(&worker->walks, &walk->link);
	walk->among_shares = false;
	walk->next = walk->calls.session ? worker->sessions.next : &worker->sessions;
	letter->deliver = goes_on;
	goes_on(letter);
}

void workers_walk(struct loop *home, const struct worker_walk *calls, worker_done_cb *done, void *arg)
{
	struct walk *walk = NEW(struct walk);

	*walk = (struct walk){ .letter = { .deliver = arrives, .drop = drop }, .calls = *calls, .home = home, .done = done, .arg = arg };
	list_init(&walk->link);
	loop_post(worker_at(0)->loop, &walk->letter);
}

void workers_visit(struct loop *home, worker_visit_cb *visit, worker_done_cb *done, void *arg)
{
	workers_walk(home, &(struct worker_walk){ .last = visit }, done, arg);
}

void worker_visit_sessions(struct worker *worker, worker_session_cb *visit, void *arg)
{
	CHECK(!worker->next_session);
	for (struct list *link = worker->sessions.next; link != &worker->sessions; link = worker->next_session) {
		worker->next_session = link->next;
		visit(link, arg);
	}
	worker->next_session = NULL;
}

void worker_walk_skip(struct worker *worker, const struct list *leaving)
{
	if (worker->next_session == leaving)
		worker->next_session = leaving->next;
	LIST_FOREACH(link, next, &worker->walks) {
		struct walk *walk = LIST_MEMBER(link, struct walk, link);

		if (walk->next == leaving)
			walk->next = leaving->next;
	}
}
