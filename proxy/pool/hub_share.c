/* What comes from the hub, given to the members that it is for. */
#include "hub_share.h"

#include <stdatomic.h>
#include <string.h>

#include "hub_letters.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

struct hub_share *hub_share_get(struct pool_share *share)
{
	if (share->listening)
		return share->listening;
	share->listening = NEW(struct hub_share);
	list_init(&share->listening->members);
	list_init(&share->listening->due);
	return share->listening;
}

void hub_share_free(struct hub_share **listening)
{
	struct hub_share *gone = *listening;

	*listening = NULL;
	if (!gone)
		return;
	CHECK(list_empty(&gone->members) && gone->channels.size == 0);
	map_fini(&gone->channels);
	mem_free(gone);
}

static void make_due(struct hub_member *member)
{
	list_remove(&member->due_link);
	list_push_back(&member->share->listening->due, &member->due_link);
}

static void take_marker(struct hub_share *listening, const char *payload)
{
	LIST_FOREACH(link, next, &listening->members) {
		struct hub_member *member = LIST_MEMBER(link, struct hub_member, link);
		unsigned number;

		if (!hub_is_marker_of(member, payload, &number))
			continue;
		if (number > member->shared_number) {
			member->shared_number = number;
			member->calls->marked(member);
			make_due(member);
		}
		return;
	}
}

static void take_notification(struct hub_share *listening, const char *message, size_t size)
{
	struct notification notification;

	if (!notification_parse(message, size, &notification))
		return;
	if (strcmp(notification.channel, hub_marker()) == 0) {
		take_marker(listening, notification.payload);
		return;
	}
	struct local_channel *channel = map_get_text(&listening->channels, notification.channel);

	if (!channel)
		return;
	LIST_FOREACH(link, next, &channel->memberships) {
		const struct hub_membership *membership = LIST_MEMBER(link, struct hub_membership, link);

		if (membership->number > membership->member->shared_number)
			continue;
		membership->member->calls->deliver(membership->member, message, size);
		make_due(membership->member);
	}
}

static void take_messages(struct hub_share *listening, const struct buf *messages)
{
	for (size_t at = 0; at < messages->size;) {
		size_t size = wire_message_size(messages->bytes + at);

		take_notification(listening, messages->bytes + at, size);
		at += size;
	}
}

static void take_answer(struct hub_share *listening, const struct hub_mail *mail)
{
	LIST_FOREACH(link, next, &listening->members) {
		struct hub_member *member = LIST_MEMBER(link, struct hub_member, link);

		if (member->token != mail->token)
			continue;
		member->token = 0;
		if (mail->kind == HUB_MAIL_READY)
			member->calls->ready(member);
		else
			member->calls->refused(member);
		make_due(member);
		return;
	}
}

static void tell_all(struct hub_share *listening)
{
	LIST_FOREACH(link, next, &listening->members) {
		struct hub_member *member = LIST_MEMBER(link, struct hub_member, link);

		member->calls->interrupted(member);
		make_due(member);
	}
}

void hub_take_mail(struct loop_letter *letter)
{
	struct hub_mail *mail = CONTAINER_OF(letter, struct hub_mail, letter);
	struct pool_share *share = atomic_load(&mail->pool->marks[mail->to->index].share);
	struct hub_share *listening = share ? share->listening : NULL;

	worker_now(mail->to);
	if (listening && mail->kind == HUB_MAIL_MESSAGES)
		take_messages(listening, &mail->messages);
	else if (listening && mail->kind == HUB_MAIL_INTERRUPTED)
		tell_all(listening);
	else if (listening)
		take_answer(listening, mail);
	hub_mail_free(mail);
	/* Whoever is flushed may end, and others with it. */
	for (struct list *first; listening && (first = list_first(&listening->due));) {
		list_remove(first);
		struct hub_member *member = LIST_MEMBER(first, struct hub_member, due_link);

		member->calls->flush(member);
	}
}
