/* SPDX-License-Identifier: BSD-3-Clause */
/* ua.c: the queue of unit attention conditions of one nexus on one LU. */
#include "engine/ua.h"

#include <string.h>

#include "engine/lu.h"

void ua_add(struct itl *itl, enum sense_name ua)
{
	uint32_t n;

	pthread_mutex_lock(&itl->lock);
	n = atomic_load_explicit(&itl->nua, memory_order_relaxed);
	for (uint32_t i = 0; i < n; i++)
		if (itl->ua[i] == ua)
			goto out;
	/*
	 * SAM-5 5.14.1: conditions of a reset (29h) are told first, and before them nothing
	 * counts.
	 */
	if (n == ITL_MAX_UA)
		n--;
	if (sense_asc(ua) == 0x29) {
		memmove(&itl->ua[1], &itl->ua[0], n * sizeof(itl->ua[0]));
		itl->ua[0] = ua;
	} else {
		itl->ua[n] = ua;
	}
	atomic_store_explicit(&itl->nua, n + 1, memory_order_release);
out:
	pthread_mutex_unlock(&itl->lock);
}

bool ua_take(struct itl *itl, enum sense_name *ret)
{
	uint32_t n;

	pthread_mutex_lock(&itl->lock);
	n = atomic_load_explicit(&itl->nua, memory_order_relaxed);
	if (n) {
		*ret = itl->ua[0];
		memmove(&itl->ua[0], &itl->ua[1], (n - 1) * sizeof(itl->ua[0]));
		atomic_store_explicit(&itl->nua, n - 1, memory_order_release);
	}
	pthread_mutex_unlock(&itl->lock);
	return n != 0;
}

uint32_t ua_peek(struct itl *itl, enum sense_name *ret)
{
	uint32_t n;

	pthread_mutex_lock(&itl->lock);
	n = atomic_load_explicit(&itl->nua, memory_order_relaxed);
	if (n)
		*ret = itl->ua[0];
	pthread_mutex_unlock(&itl->lock);
	return n;
}

void ua_add_all(struct lu *lu, enum sense_name ua, const struct nexus *except)
{
	struct itl *itl;

	pthread_mutex_lock(&lu->lock);
	list_for_each (itl, &lu->itls, struct itl, lu_link)
		if (itl->nexus != except)
			ua_add(itl, ua);
	pthread_mutex_unlock(&lu->lock);
}

void itl_prevent_removal(struct itl *itl, bool prevent)
{
	pthread_mutex_lock(&itl->lock);
	if (prevent && !itl->prevents_removal)
		atomic_fetch_add(&itl->lu->prevent_count, 1);
	else if (!prevent && itl->prevents_removal)
		atomic_fetch_sub(&itl->lu->prevent_count, 1);
	itl->prevents_removal = prevent;
	pthread_mutex_unlock(&itl->lock);
}

void itl_allow_removal_all(struct lu *lu)
{
	struct itl *itl;

	pthread_mutex_lock(&lu->lock);
	list_for_each (itl, &lu->itls, struct itl, lu_link)
		itl_prevent_removal(itl, false);
	pthread_mutex_unlock(&lu->lock);
}
