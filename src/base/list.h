/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list.h: intrusive doubly linked list. A node that is in no list points to itself, so
 * list_del() may be called on it again and list_linked() tells.
 */
#ifndef ULIO_BASE_LIST_H
#define ULIO_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)                                                                            \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* True while node n is in a list. */
static inline bool list_linked(const struct list *n)
{
	return n->next != n;
}

static inline void list_insert_before_(struct list *at, struct list *n)
{
	n->prev = at->prev;
	n->next = at;
	at->prev->next = n;
	at->prev = n;
}

static inline void list_push_back(struct list *l, struct list *n)
{
	list_insert_before_(l, n);
}

static inline void list_push_front(struct list *l, struct list *n)
{
	list_insert_before_(l->next, n);
}

static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* The first node, taken out of the list, or NULL. */
static inline struct list *list_pop_front(struct list *l)
{
	struct list *n = l->next;

	if (n == l)
		return NULL;
	l->next = n->next;
	n->next->prev = l;
	list_init(n);
	return n;
}

/* Move all nodes of from to the end of to. */
static inline void list_splice_back(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	list_init(from);
}

#define list_first(l, type, member) (list_empty(l) ? NULL : container_of((l)->next, type, member))

#define list_for_each(pos, l, type, member)                                                        \
	for (pos = container_of((l)->next, type, member); &pos->member != (l);                     \
		pos = container_of(pos->member.next, type, member))

/* The same when the body may take pos out of the list. */
#define list_for_each_safe(pos, tmp, l, type, member)                                              \
	for (pos = container_of((l)->next, type, member),                                          \
	    tmp = container_of(pos->member.next, type, member);                                    \
		&pos->member != (l);                                                               \
		pos = tmp, tmp = container_of(pos->member.next, type, member))

#endif
