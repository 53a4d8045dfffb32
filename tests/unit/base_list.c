/* Lists with their links in the members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pgweir/list.h"

struct member {
	char name;
	struct list link;
};

static void spell(struct list *list, char *out)
{
	LIST_FOREACH(link, next, list)
		*out++ = LIST_MEMBER(link, struct member, link)->name;
	*out = '\0';
}

static void push(struct list *list, struct member *members, const char *names)
{
	for (size_t i = 0; names[i]; i++) {
		members[i].name = names[i];
		list_push_back(list, &members[i].link);
	}
}

static void an_empty_list_has_neither_first_nor_last(void **state)
{
	struct list list;

	(void)state;
	list_init(&list);
	assert_true(list_empty(&list));
	assert_null(list_first(&list));
	assert_null(list_last(&list));
}

static void members_keep_the_order_they_were_pushed_in(void **state)
{
	struct list list;
	struct member members[4] = { 0 };
	char text[8];

	(void)state;
	list_init(&list);
	push(&list, members, "abc");
	members[3].name = 'z';
	list_push_front(&list, &members[3].link);
	spell(&list, text);
	assert_string_equal(text, "zabc");
	assert_ptr_equal(list_first(&list), &members[3].link);
	assert_ptr_equal(list_last(&list), &members[2].link);
}

static void a_removed_member_may_be_removed_again(void **state)
{
	struct list list;
	struct member members[3] = { 0 };
	char text[8];

	(void)state;
	list_init(&list);
	push(&list, members, "abc");
	list_remove(&members[1].link);
	list_remove(&members[1].link);
	spell(&list, text);
	assert_string_equal(text, "ac");
	assert_true(list_empty(&members[1].link));
	list_push_back(&list, &members[1].link);
	spell(&list, text);
	assert_string_equal(text, "acb");
}

static void a_walk_may_remove_the_member_it_stands_on(void **state)
{
	struct list list;
	struct member members[4] = { 0 };
	unsigned seen = 0;

	(void)state;
	list_init(&list);
	push(&list, members, "abcd");
	LIST_FOREACH(link, next, &list) {
		list_remove(link);
		seen++;
	}
	assert_int_equal(seen, 4);
	assert_true(list_empty(&list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_list_has_neither_first_nor_last),
		cmocka_unit_test(members_keep_the_order_they_were_pushed_in),
		cmocka_unit_test(a_removed_member_may_be_removed_again),
		cmocka_unit_test(a_walk_may_remove_the_member_it_stands_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
