/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * claim.c: whose turn it is, and who changes what. One thread at a time has the tree; one that
 * waits for a disk or an initiator steps aside, and others go on. What it was changing it has
 * claimed, so that no other change of the same object comes between.
 */
#include <assert.h>
#include <errno.h>

#include "tree/node_priv.h"

/* ---- the turn ------------------------------------------------------------------------------- */

static void took_turn(struct tree *t)
{
	t->holder = pthread_self();
	atomic_store_explicit(&t->held, true, memory_order_relaxed);
}

void tree_enter(struct tree *t)
{
	pthread_mutex_lock(&t->turn);
	took_turn(t);
}

void tree_leave(struct tree *t)
{
	assert(tree_is_ours(t));
	atomic_store_explicit(&t->held, false, memory_order_relaxed);
	pthread_mutex_unlock(&t->turn);
}

/* A thread that sees its own number there wrote it: nobody else could have. */
bool tree_is_ours(const struct tree *t)
{
	return atomic_load_explicit(&t->held, memory_order_relaxed) &&
	       pthread_equal(
		       atomic_load_explicit(&t->holder, memory_order_relaxed), pthread_self());
}

/* ---- claims --------------------------------------------------------------------------------- */

uint64_t claim_unit(const struct node *n)
{
	const struct node *unit = NULL;

	for (const struct node *at = n; at; at = at->parent) {
		if (at->type->unit)
			return at->id;
		if (!unit && at->def < 0)
			unit = at;
	}
	return unit->id;
}

/* Whether a must wait for b, which came earlier. */
static bool excludes(const struct tree_claim *a, const struct tree_claim *b)
{
	if (pthread_equal(a->owner, b->owner))
		return false;
	if (!a->ids[0] || !b->ids[0])
		return true; /* one of them has the whole tree */
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < 2; k++) {
			if (a->ids[i] && a->ids[i] == b->ids[k])
				return true;
		}
	}
	return false;
}

/* Whether c waits for that thread, which has claimed before it. */
static bool waits_for(const struct tree *t, const struct tree_claim *c, pthread_t thread)
{
	const struct tree_claim *at;

	list_for_each (at, &t->claims, struct tree_claim, link) {
		if (at == c)
			return false;
		if (pthread_equal(at->owner, thread) && excludes(c, at))
			return true;
	}
	return false;
}

/* What waits for an earlier claim of the same thread does not keep up its later ones. */
static bool must_wait(const struct tree *t, const struct tree_claim *c)
{
	const struct tree_claim *at;

	list_for_each (at, &t->claims, struct tree_claim, link) {
		if (at == c)
			return false;
		if (excludes(c, at) && !waits_for(t, at, c->owner))
			return true;
	}
	return false;
}

/* Those that came later wait behind it, so that it cannot be overtaken for ever. */
void claim_take(struct tree *t, struct tree_claim *c, uint64_t a, uint64_t b)
{
	*c = (struct tree_claim){ .owner = pthread_self(), .ids = { a, b } };
	list_push_back(&t->claims, &c->link);
	while (must_wait(t, c)) {
		assert(tree_is_ours(t));
		atomic_store_explicit(&t->held, false, memory_order_relaxed);
		pthread_cond_wait(&t->claims_changed, &t->turn);
		took_turn(t);
	}
}

void tree_claim_all(struct tree *t, struct tree_claim *c)
{
	claim_take(t, c, 0, 0);
}

void tree_claim_node(struct tree *t, struct tree_claim *c, const struct node *n)
{
	claim_take(t, c, claim_unit(n), 0);
}

void tree_unclaim(struct tree *t, struct tree_claim *c)
{
	list_del(&c->link);
	pthread_cond_broadcast(&t->claims_changed);
}
