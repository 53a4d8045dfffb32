#include "pgweir/wheel.h"

static struct list *slot_of(struct wheel *wheel, uint64_t slot)
{
	return &wheel->slots[slot % WHEEL_SLOTS];
}

void wheel_init(struct wheel *wheel, uint64_t now_ms)
{
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		list_init(&wheel->slots[i]);
	wheel->now_slot = now_ms / WHEEL_SLOT_MS;
}

void wheel_entry_init(struct wheel_entry *entry, wheel_cb *callback)
{
	list_init(&entry->link);
	entry->deadline_ms = 0;
	entry->callback = callback;
}

bool wheel_entry_armed(const struct wheel_entry *entry)
{
	return !list_empty(&entry->link);
}

void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t deadline_ms)
{
	uint64_t slot = deadline_ms / WHEEL_SLOT_MS + 1;

	if (slot <= wheel->now_slot)
		slot = wheel->now_slot + 1;
	/* Far deadlines come round early, are found not to be due, and wait another turn of the wheel. */
	list_remove(&entry->link);
	entry->deadline_ms = deadline_ms;
	list_push_back(slot_of(wheel, slot), &entry->link);
}

void wheel_cancel(struct wheel_entry *entry)
{
	list_remove(&entry->link);
}

static void fire_slot(struct wheel *wheel, uint64_t slot, uint64_t now_ms)
{
	struct list *members = slot_of(wheel, slot);
	struct list due;

	list_init(&due);
	LIST_FOREACH(link, next, members) {
		struct wheel_entry *entry = LIST_MEMBER(link, struct wheel_entry, link);

		if (entry->deadline_ms > now_ms)
			continue;
		list_remove(link);
		list_push_back(&due, link);
	}
	/* A callback may cancel or re-arm any entry, so that the list is taken from its front each time. */
	for (struct list *link = list_first(&due); link; link = list_first(&due)) {
		struct wheel_entry *entry = LIST_MEMBER(link, struct wheel_entry, link);

		list_remove(link);
		entry->callback(entry);
	}
}

void wheel_advance(struct wheel *wheel, uint64_t now_ms)
{
	uint64_t target = now_ms / WHEEL_SLOT_MS;

	if (target > wheel->now_slot + WHEEL_SLOTS)
		wheel->now_slot = target - WHEEL_SLOTS;
	while (wheel->now_slot < target) {
		wheel->now_slot++;
		fire_slot(wheel, wheel->now_slot, now_ms);
	}
}
