/* SPDX-License-Identifier: BSD-3-Clause */
/* events_test.c: who wants what gets it; who does not read loses some and is told how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "control/events.h"
#include "control/limits.h"

static struct events *ev;
static struct event_queue q;
static unsigned woken;

static void wake(void *arg)
{
	assert_ptr_equal(arg, &q);
	woken++;
}

static int setup(void **state)
{
	woken = 0;
	assert_int_equal(events_new(&ev), 0);
	event_queue_init(&q, ev, wake, &q);
	return 0;
}

static int teardown(void **state)
{
	event_queue_done(&q);
	assert_null(events_free(ev));
	return 0;
}

static void tell(enum notice_kind kind, const char *text)
{
	struct notices to = events_notices(ev);

	notice_tell(&to, &(struct notice){ .kind = kind, .text = text });
}

/* What is there to take: how many events, how many were lost, the text of the last one. */
static unsigned take(uint64_t *ret_lost, char *ret_last, size_t cap, uint64_t *ret_again)
{
	struct strbuf out;
	char *line, *save = NULL;
	unsigned n = 0;

	strbuf_init(&out);
	*ret_lost = 0;
	*ret_again = event_queue_take(&q, &out);
	for (line = out.s ? strtok_r(out.s, "\n", &save) : NULL; line;
		line = strtok_r(NULL, "\n", &save)) {
		json_t *j = json_loads(line, 0, NULL), *p = json_object_get(j, "params");

		assert_string_equal(json_string_value(json_object_get(j, "method")), "event");
		assert_null(json_object_get(j, "id"));
		if (!strcmp(json_string_value(json_object_get(p, "kind")), "lost")) {
			*ret_lost += (uint64_t)json_integer_value(json_object_get(p, "count"));
		} else {
			n++;
			assert_true(json_real_value(json_object_get(p, "time")) > 1e9);
			snprintf(
				ret_last, cap, "%s", json_string_value(json_object_get(p, "text")));
		}
		json_decref(j);
	}
	strbuf_done(&out);
	return n;
}

static void only_what_is_wanted(void **state)
{
	uint64_t lost, again;
	char last[64] = "";

	tell(NOTICE_LOGIN, "nobody wants it");
	assert_int_equal(take(&lost, last, sizeof(last), &again), 0);
	event_queue_want(&q, 1u << NOTICE_LOGIN | 1u << NOTICE_ALUA);
	tell(NOTICE_LOGIN, "a \"name\" of \xff bytes\n");
	tell(NOTICE_ERROR, "not this");
	tell(NOTICE_ALUA, "but this");
	assert_int_equal(woken, 1); /* once for all that wait */
	assert_int_equal(take(&lost, last, sizeof(last), &again), 2);
	assert_string_equal(last, "but this");
	assert_int_equal(lost, 0);
	assert_int_equal(again, 0);
	event_queue_want(&q, 0);
	tell(NOTICE_LOGIN, "no more");
	assert_int_equal(take(&lost, last, sizeof(last), &again), 0);
	assert_int_equal(woken, 1);
}

static void who_does_not_read(void **state)
{
	uint64_t lost, again;
	char last[64] = "";

	event_queue_want(&q, 1u << NOTICE_ERROR);
	for (int i = 0; i < EVENTS_QUEUED_MAX + 7; i++)
		tell(NOTICE_ERROR, "e");
	assert_int_equal(take(&lost, last, sizeof(last), &again), EVENTS_QUEUED_MAX);
	assert_int_equal(lost, 7);
	assert_int_equal(again, 0);
	tell(NOTICE_ERROR, "after");
	assert_int_equal(woken, 2);
	assert_int_equal(take(&lost, last, sizeof(last), &again), 1);
	assert_int_equal(lost, 0);
}

/* However fast a client reads, it gets EVENTS_PER_SECOND, and hears of the rest a second later. */
static void too_many_in_a_second(void **state)
{
	uint64_t lost, again = 0, start = clock_now_ns();
	unsigned n = 0, told = 0;
	char last[64] = "";

	event_queue_want(&q, 1u << NOTICE_ERROR);
	while (!again && told < 10 * EVENTS_PER_SECOND) {
		tell(NOTICE_ERROR, "e");
		told++;
		n += take(&lost, last, sizeof(last), &again);
		assert_int_equal(lost, 0);
	}
	if (clock_now_ns() - start >= NS_PER_S)
		skip(); /* too slow a machine to be too fast on it */
	assert_int_equal(n, EVENTS_PER_SECOND);
	assert_in_range(again, 1, NS_PER_S);
	/* When that time is over. */
	q.second_ns -= NS_PER_S;
	assert_int_equal(take(&lost, last, sizeof(last), &again), 0);
	assert_int_equal(lost, 1);
	assert_int_equal(again, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_what_is_wanted, setup, teardown),
		cmocka_unit_test_setup_teardown(who_does_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_in_a_second, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
