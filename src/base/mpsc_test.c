/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpsc_test.c: order, the report of an empty queue, and several producers against one consumer
 * that sleeps on an eventfd (under TSan as well).
 */
#include "base/mpsc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/list.h"

struct msg {
	struct mpsc_node node;
	unsigned producer, seq;
};

static void order_and_wakeups(void **state)
{
	struct msg m[4] = { { .seq = 0 }, { .seq = 1 }, { .seq = 2 }, { .seq = 3 } };
	struct mpsc_node *n;
	struct mpsc q;

	mpsc_init(&q);
	assert_true(mpsc_empty(&q));
	assert_null(mpsc_take_all(&q));
	assert_true(mpsc_push(&q, &m[0].node));
	assert_false(mpsc_push(&q, &m[1].node));
	assert_false(mpsc_push(&q, &m[2].node));
	assert_false(mpsc_empty(&q));
	n = mpsc_take_all(&q);
	for (unsigned i = 0; i < 3; i++, n = n->next)
		assert_int_equal(container_of(n, struct msg, node)->seq, i);
	assert_null(n);
	assert_true(mpsc_empty(&q));
	assert_true(mpsc_push(&q, &m[3].node));
	n = mpsc_take_all(&q);
	assert_ptr_equal(n, &m[3].node);
	assert_null(n->next);
}

enum { PRODUCERS = 4, MESSAGES = 20000 };

struct crowd {
	struct mpsc q;
	int efd;
	_Atomic unsigned next_producer;
};

static void *producer_main(void *arg)
{
	struct crowd *c = arg;
	unsigned me = atomic_fetch_add(&c->next_producer, 1);

	for (unsigned i = 0; i < MESSAGES; i++) {
		struct msg *m = malloc(sizeof(*m));

		if (!m)
			abort();
		m->producer = me;
		m->seq = i;
		if (mpsc_push(&c->q, &m->node) && eventfd_write(c->efd, 1) != 0)
			abort();
	}
	return NULL;
}

static void crowd_loses_nothing(void **state)
{
	struct crowd c = { .efd = eventfd(0, EFD_CLOEXEC) };
	unsigned next[PRODUCERS] = { 0 }, left = PRODUCERS * MESSAGES;
	pthread_t threads[PRODUCERS];

	assert_true(c.efd >= 0);
	mpsc_init(&c.q);
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, producer_main, &c), 0);
	while (left) {
		struct mpsc_node *n, *after;
		eventfd_t v;

		/* a wake-up that got lost would hang here */
		assert_int_equal(eventfd_read(c.efd, &v), 0);
		for (n = mpsc_take_all(&c.q); n; n = after) {
			struct msg *m = container_of(n, struct msg, node);

			after = n->next;
			assert_int_equal(m->seq, next[m->producer]++);
			free(m);
			left--;
		}
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(mpsc_empty(&c.q));
	close(c.efd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_wakeups),
		cmocka_unit_test(crowd_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
