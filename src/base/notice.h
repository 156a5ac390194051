/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notice.h: what happens and people may want to hear of at once: a login, a refused one, the end of
 * a session, a unit that comes or fails, a path that changes. Who knows of it fills in a struct
 * notice; where it goes is said by whoever put the parts together. This is no log: a notice that
 * nobody waits for costs a comparison.
 */
#ifndef ULIO_BASE_NOTICE_H
#define ULIO_BASE_NOTICE_H

#include <stdatomic.h>

enum notice_kind {
	NOTICE_LOGIN, /* a session has begun */
	NOTICE_LOGIN_REFUSED,
	NOTICE_LOGOUT, /* a session has ended: by logout, or lost, as text says */
	NOTICE_LUN, /* a unit has become ready, not ready, or another size */
	NOTICE_ALUA, /* the access state of a target port group */
	NOTICE_ERROR, /* something is broken and stays so until somebody acts */
	NOTICE_KINDS
};

/* Texts that are NULL are not told. Nothing in it is secret. */
struct notice {
	enum notice_kind kind;
	const char *object; /* a unit, a portal group's path */
	const char *target, *initiator, *peer;
	const char *state; /* a word: "ready", "active/optimized", "logged out" */
	const char *text; /* a sentence */
};

/* n and what it points to are the caller's again when this returns. Any thread; must not wait. */
typedef void notice_fn(void *arg, const struct notice *n);

/* Where notices go; zeroed: nowhere. */
struct notices {
	notice_fn *fn;
	void *arg;
	const _Atomic unsigned *wanted; /* set of 1 << enum notice_kind */
};

/* Does anybody wait for these? Asked before costly texts are made. Any thread. */
static inline int notice_wanted(const struct notices *s, enum notice_kind kind)
{
	return s->fn && atomic_load_explicit(s->wanted, memory_order_relaxed) >> kind & 1;
}

static inline void notice_tell(const struct notices *s, const struct notice *n)
{
	if (notice_wanted(s, n->kind))
		s->fn(s->arg, n);
}

#endif
