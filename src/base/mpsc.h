/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpsc.h: an intrusive queue without locks: any thread pushes, one thread takes all.
 *
 *	producers:	if (mpsc_push(&q, &m->node)) wake the consumer
 *	consumer:	for (n = mpsc_take_all(&q); n; n = next) { next = n->next; ... }
 *
 * Nodes of one producer come out in the order in which they were pushed. What a producer wrote
 * before the push is visible to the consumer that takes the node.
 */
#ifndef ULIO_BASE_MPSC_H
#define ULIO_BASE_MPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mpsc_node {
	struct mpsc_node *next;
};

struct mpsc {
	_Atomic(struct mpsc_node *) head; /* the newest node */
};

static inline void mpsc_init(struct mpsc *q)
{
	atomic_init(&q->head, NULL);
}

/*
 * Add a node. True if the queue was empty: then the consumer may sleep and has to be woken; else
 * somebody has already done so for the nodes that are waiting. From the moment of the call the
 * node belongs to the consumer, which may free it before this returns.
 */
static inline bool mpsc_push(struct mpsc *q, struct mpsc_node *n)
{
	struct mpsc_node *old = atomic_load_explicit(&q->head, memory_order_relaxed);

	do
		n->next = old;
	while (!atomic_compare_exchange_weak_explicit(
		&q->head, &old, n, memory_order_release, memory_order_relaxed));
	return old == NULL;
}

/* True if nothing waits; a hint, unless no producer is at work. */
static inline bool mpsc_empty(const struct mpsc *q)
{
	return atomic_load_explicit(&q->head, memory_order_relaxed) == NULL;
}

/* Take all nodes, the oldest first, linked by next; NULL if there is none. Consumer only. */
static inline struct mpsc_node *mpsc_take_all(struct mpsc *q)
{
	struct mpsc_node *n, *next, *oldest = NULL;

	if (mpsc_empty(q))
		return NULL;
	n = atomic_exchange_explicit(&q->head, NULL, memory_order_acquire);
	for (; n; n = next) {
		next = n->next;
		n->next = oldest;
		oldest = n;
	}
	return oldest;
}

#endif
