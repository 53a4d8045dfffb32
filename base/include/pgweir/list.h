/* Doubly linked lists whose links lie in the members. A list head and an unlinked member point to themselves. */
#ifndef PGWEIR_LIST_H
#define PGWEIR_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *list) { list->prev = list->next = list; }
static inline bool list_empty(const struct list *list) { return list->next == list; }

static inline void list_insert_before(struct list *at, struct list *member)
{
	member->prev = at->prev;
	member->next = at;
	at->prev->next = member;
	at->prev = member;
}

static inline void list_push_back(struct list *list, struct list *member) { list_insert_before(list, member); }
static inline void list_push_front(struct list *list, struct list *member) { list_insert_before(list->next, member); }

static inline void list_remove(struct list *member)
{
	member->prev->next = member->next;
	member->next->prev = member->prev;
	list_init(member);
}

static inline struct list *list_first(struct list *list) { return list_empty(list) ? NULL : list->next; }
static inline struct list *list_last(struct list *list) { return list_empty(list) ? NULL : list->prev; }

#define LIST_MEMBER(link, type, member) CONTAINER_OF(link, type, member)

/* `next` is kept aside, so that the body may remove the current member. */
#define LIST_FOREACH(cursor, following, head) \
	for (struct list *cursor = (head)->next, *following = cursor->next; cursor != (head); \
	     cursor = following, following = cursor->next)

#endif
