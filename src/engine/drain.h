/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drain.h: wait until something is true on every loop. The common part of gates, range locks and
 * aborts: begin() marks on each loop what is concerned, clear() tells there whether it has gone;
 * when it has gone on all loops, done() runs on the loop that asked.
 */
#ifndef ULIO_ENGINE_DRAIN_H
#define ULIO_ENGINE_DRAIN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "loop/loop.h"

struct drain_slot;
struct engine;

struct drain {
	void (*begin)(struct drain *d, struct loop *loop); /* may be NULL */
	bool (*clear)(struct drain *d, struct loop *loop);
	void (*done)(struct drain *d);
	/* Private. */
	struct engine *eng;
	struct loop *origin;
	struct drain_slot *slots; /* one per loop */
	_Atomic unsigned missing;
	struct loop_msg back;
};

/*
 * Start. done() never runs from inside of this call; the drain is in use until then. On a loop.
 * 0 or -ENOMEM.
 */
int drain_start(struct drain *d, struct engine *eng, struct loop *loop);
/* Something has ended on this loop: ask those that wait here. On that loop. */
void drain_poke(struct engine *eng, struct loop *loop);

#endif
