#include "unanswered.h"

void unanswered_settle(struct backend *backend)
{
	while (!backend->skipping && backend->pass_left == 0) {
		enum request_kind kind = requests_first_kind(&backend->requests);

		if (kind != REQUEST_LOCAL_PARSE && kind != REQUEST_LOCAL_CLOSE && kind != REQUEST_COPY_END)
			return;
		if (kind != REQUEST_COPY_END && !backend->mute)
			backend->sink->local(backend->owner, requests_at(&backend->requests, 0));
		requests_pop(&backend->requests);
	}
}

void unanswered_undo_until_sync(struct backend *backend)
{
	for (uint32_t i = requests_until_sync(&backend->requests); i > 0; i--) {
		struct request *request = requests_at(&backend->requests, i - 1);

		if (request->kind == REQUEST_PARSE && request->name)
			prepared_remove(&backend->prepared, request->name->statement);
		if (request->kind == REQUEST_CLOSE && request->name)
			prepared_add(&backend->prepared, request->name->statement);
		backend->sink->undone(backend->owner, request);
	}
	for (uint32_t left = requests_until_sync(&backend->requests); left > 0; left--)
		requests_pop(&backend->requests);
	/* A Query behind the error is skipped too: it does not end what only a Sync can end. */
	if (backend->requests.count == 0)
		backend->unsynced = backend->skipping = true;
}

void unanswered_stop_skipping(struct backend *backend)
{
	unanswered_undo_until_sync(backend);
	backend->skipping = false;
}

void backend_settle(struct backend *backend)
{
	unanswered_settle(backend);
	backend->flushes = backend->requests.count > 0;
}

/* Nothing that has been sent will bring the last ReadyForQuery. */
static bool lacks_sync(const struct requests *requests)
{
	for (uint32_t i = requests->count; i > 0; i--) {
		enum request_kind kind = (enum request_kind)requests_at(requests, i - 1)->kind;

		if (REQUEST_BIT(kind) & REQUESTS_MADE_READY)
			return false;
		if (kind != REQUEST_COPY_END && kind != REQUEST_LOCAL_PARSE && kind != REQUEST_LOCAL_CLOSE)
			return true;
	}
	return false;
}

void unanswered_drop_syncs_inside_copy(struct backend *backend)
{
	struct requests *requests = &backend->requests;

	for (uint32_t i = 1; i < requests->count && requests_at(requests, i)->kind != REQUEST_COPY_END;) {
		if (requests_at(requests, i)->kind != REQUEST_SYNC) {
			i++;
			continue;
		}
		requests_remove(requests, i);
	}
	backend->unsynced = lacks_sync(requests);
}

bool unanswered_take_copy_end(struct requests *requests)
{
	for (uint32_t i = 1; i < requests->count; i++) {
		if (requests_at(requests, i)->kind != REQUEST_COPY_END)
			continue;
		requests_remove(requests, i);
		return true;
	}
	return false;
}
