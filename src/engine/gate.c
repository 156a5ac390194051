/* SPDX-License-Identifier: BSD-3-Clause */
/* gate.c: closing, waiting for quiet, opening; one gate of an LU after the other. */
#include "engine/gate.h"

#include <assert.h>
#include <errno.h>

#include "engine/engine_priv.h"

static void gate_count(struct gate *gate, struct loop *loop, int by)
{
	struct lu_loop *ll = lu_loop(gate->lu, loop);

	if (gate->kinds & GATE_TASKS)
		ll->tasks_closed += (uint32_t)by;
	if (gate->kinds & GATE_IO)
		ll->io_closed += (uint32_t)by;
}

static void gate_begin(struct drain *d, struct loop *loop)
{
	struct gate *gate = container_of(d, struct gate, drain);

	/* The closer's own loop has been closed since gate_close(). */
	if (loop != gate->loop)
		gate_count(gate, loop, 1);
}

static bool gate_clear(struct drain *d, struct loop *loop)
{
	struct gate *gate = container_of(d, struct gate, drain);
	const struct lu_loop *ll = lu_loop(gate->lu, loop);

	if ((gate->kinds & GATE_TASKS) && ll->ntasks)
		return false;
	return !((gate->kinds & GATE_IO) && ll->nio);
}

static void gate_drained(struct drain *d)
{
	struct gate *gate = container_of(d, struct gate, drain);

	gate->entered(gate);
}

static void gate_started(struct loop *loop, struct loop_msg *msg)
{
	struct gate *gate = container_of(msg, struct gate, start);

	/*
	 * Out of memory here would leave the LU closed for ever, so the try is repeated: each
	 * round lets the loop release something first.
	 */
	if (drain_start(&gate->drain, gate->lu->eng, loop))
		loop_post(loop, &gate->start);
}

int gate_close(struct gate *gate, struct lu *lu, struct loop *loop, uint32_t kinds)
{
	bool first;

	gate->lu = lu;
	gate->loop = loop;
	gate->kinds = kinds;
	gate->drain.begin = gate_begin;
	gate->drain.clear = gate_clear;
	gate->drain.done = gate_drained;
	gate->start = (struct loop_msg){ .fn = gate_started };
	gate_count(gate, loop, 1);
	pthread_mutex_lock(&lu->lock);
	first = list_empty(&lu->gates);
	list_push_back(&lu->gates, &gate->link);
	pthread_mutex_unlock(&lu->lock);
	if (first)
		loop_post(loop, &gate->start);
	return 0;
}

static void gate_open_loop(struct loop *loop, struct loop_barrier *b)
{
	struct gate *gate = container_of(b, struct gate, barrier);

	gate_count(gate, loop, -1);
	lu_loop_kick(lu_loop(gate->lu, loop));
}

static void gate_opened(struct loop_barrier *b)
{
	struct gate *gate = container_of(b, struct gate, barrier);
	struct lu *lu = gate->lu;
	struct gate *next;

	pthread_mutex_lock(&lu->lock);
	list_del(&gate->link);
	next = list_first(&lu->gates, struct gate, link);
	pthread_mutex_unlock(&lu->lock);
	if (next)
		loop_post(next->loop, &next->start);
	if (gate->opened)
		gate->opened(gate);
}

static void gate_retry_open(struct loop *loop, struct loop_msg *msg)
{
	struct gate *gate = container_of(msg, struct gate, start);

	gate_open(gate, gate->opened);
}

void gate_open(struct gate *gate, void (*opened)(struct gate *gate))
{
	gate->opened = opened;
	gate->barrier = (struct loop_barrier){ .on_loop = gate_open_loop, .done = gate_opened };
	if (loop_barrier_start(gate->loop, &gate->barrier)) {
		gate->start.fn = gate_retry_open;
		loop_post(gate->loop, &gate->start);
	}
}
