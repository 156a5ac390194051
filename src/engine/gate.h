/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.h: the one mechanism that excludes commands on an LU, which no loop owns.
 *
 *	close	new commands of that kind wait in their loops; those under way finish
 *	act	when none is left on any loop, entered() runs
 *	open	the waiting ones go on
 *
 * GATE_TASKS holds back the enabling of tasks (ORDERED, SAM-5 8.6.4); GATE_IO holds back what would
 * reach the disk (resets, resize, removal, preemption). Gates of one LU come one after the other.
 */
#ifndef ULIO_ENGINE_GATE_H
#define ULIO_ENGINE_GATE_H

#include <stdint.h>

#include "base/list.h"
#include "engine/drain.h"
#include "loop/loop.h"

struct lu;

enum gate_kind { GATE_TASKS = 1 << 0, GATE_IO = 1 << 1 };

struct gate {
	/* Runs on the loop that closed the gate, when nothing of its kind is left on any loop. */
	void (*entered)(struct gate *gate);
	/* Private. */
	void (*opened)(struct gate *gate);
	struct lu *lu;
	struct loop *loop;
	uint32_t kinds;
	struct list link; /* in lu->gates, under lu->lock */
	struct drain drain;
	struct loop_barrier barrier;
	struct loop_msg start;
};

/*
 * Close. From now on commands of this loop wait, those of the others from the gate's turn on.
 * entered() runs when it is this gate's turn and all is quiet, never from inside of this call.
 * 0 or -ENOMEM. Any loop.
 */
int gate_close(struct gate *gate, struct lu *lu, struct loop *loop, uint32_t kinds);
/*
 * Open again, after entered(), on its loop. opened (may be NULL) runs there when every loop goes
 * on; the gate is in use until then.
 */
void gate_open(struct gate *gate, void (*opened)(struct gate *gate));

#endif
