/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reserve6.h: the reservations of SPC-2 5.5, RESERVE and RELEASE (6) and (10): one nexus has the
 * LU for itself until it releases it, is lost, or the LU is reset. All that is shared is who
 * holds it, one pointer that is compared and never followed; a nexus gives up what it holds
 * before it goes.
 */
#ifndef ULIO_ENGINE_RESERVE6_H
#define ULIO_ENGINE_RESERVE6_H

#include "engine/lu.h"

/* Another nexus than this one has the LU. Any thread. */
static inline bool reserve6_conflicts(struct lu *lu, const struct nexus *nexus)
{
	const struct nexus *holder = atomic_load_explicit(&lu->reserve6, memory_order_acquire);

	return holder && holder != nexus;
}

/* Reserve for nexus. False: another one has it. Any thread. */
static inline bool reserve6_take(struct lu *lu, const struct nexus *nexus)
{
	const struct nexus *nobody = NULL;

	return atomic_compare_exchange_strong(&lu->reserve6, &nobody, nexus) || nobody == nexus;
}

/* Release if nexus has it; else nothing is done (SPC-2 7.19). Any thread. */
static inline void reserve6_release(struct lu *lu, const struct nexus *nexus)
{
	const struct nexus *holder = nexus;

	atomic_compare_exchange_strong(&lu->reserve6, &holder, NULL);
}

/* Whoever has it (a reset). */
static inline void reserve6_reset(struct lu *lu)
{
	atomic_store(&lu->reserve6, NULL);
}

#endif
