/* SPDX-License-Identifier: BSD-3-Clause */
/* abort.c: one scope of commands, aborted on every loop. */
#include "engine/abort.h"

#include "engine/engine_priv.h"

/* Sent after the function whose commands are aborted, by the same nexus. */
static bool is_younger(const struct abort_scope *sc, const struct cmd *cmd)
{
	int32_t after = (int32_t)(cmd->order - sc->order);

	if (sc->issuer != cmd->nexus)
		return false;
	if (sc->has_order && after)
		return after > 0;
	return sc->issuer_loop == cmd->loop ? cmd->seq >= sc->seq : sc->has_order;
}

static bool matches(const struct abort_scope *sc, const struct cmd *cmd)
{
	if (sc->nexus && cmd->nexus != sc->nexus)
		return false;
	if (sc->has_tag && cmd->tag != sc->tag)
		return false;
	if (is_younger(sc, cmd))
		return false;
	if (sc->retired_only && !(cmd->itl && atomic_load(&cmd->itl->retired)))
		return false;
	if (sc->preempted && !(cmd->itl && atomic_load(&cmd->itl->preempted) == sc->preempted))
		return false;
	return true;
}

static void abort_one(const struct abort_scope *sc, struct cmd *cmd)
{
	bool other = sc->by && cmd->nexus != sc->by;
	bool tas = sc->tas_always || (other && lu_conf(cmd->lu)->tas);

	/* SAM-5 5.14.1: whose commands were cleared without a status is told so. */
	if (other && !tas && sc->clears && cmd->itl)
		ua_add(cmd->itl, SENSE_COMMANDS_CLEARED);
	cmd->cleared_by = sc->id;
	cmd_abort(cmd, tas, sc->orphan);
}

uint32_t abort_commands(const struct abort_scope *sc, struct lu *lu, struct loop *loop)
{
	struct cmd *cmd, *tmp;
	uint32_t n = 0;

	/* One that was aborted before and waits for its disk: only to be left to it. */
	list_for_each_safe (cmd, tmp, &lu_loop(lu, loop)->cmds, struct cmd, link) {
		if ((cmd->aborted && !(sc->orphan && !cmd->orphan)) || !matches(sc, cmd))
			continue;
		n++;
		abort_one(sc, cmd);
	}
	return n;
}

static uint32_t count_commands(const struct abort_scope *sc, struct lu *lu, struct loop *loop)
{
	struct cmd *cmd;
	uint32_t n = 0;

	list_for_each (cmd, &lu_loop(lu, loop)->cmds, struct cmd, link)
		n += !cmd->aborted && matches(sc, cmd);
	return n;
}

/* Orphans count unless the scope leaves them to their disk. */
bool abort_has_ended(const struct abort_scope *sc, struct lu *lu, struct loop *loop)
{
	struct cmd *cmd;

	list_for_each (cmd, &lu_loop(lu, loop)->cmds, struct cmd, link)
		if (cmd->aborted && !(sc->orphan && cmd->orphan) && matches(sc, cmd))
			return false;
	return true;
}

static void abort_begin(struct drain *d, struct loop *loop)
{
	struct abort *a = container_of(d, struct abort, drain);
	const struct lunmap *map;

	if (a->scope.count_only) {
		atomic_fetch_add(&a->found, count_commands(&a->scope, a->scope.lu, loop));
		return;
	}
	if (a->scope.lu) {
		atomic_fetch_add(&a->found, abort_commands(&a->scope, a->scope.lu, loop));
		return;
	}
	map = atomic_load_explicit(&a->scope.map_of->map, memory_order_acquire);
	for (uint32_t i = 0; i < map->n; i++)
		atomic_fetch_add(&a->found, abort_commands(&a->scope, map->e[i].lu, loop));
}

static bool abort_clear(struct drain *d, struct loop *loop)
{
	const struct abort *a = container_of(d, struct abort, drain);
	const struct lunmap *map;

	if (a->scope.count_only)
		return true;
	if (a->scope.lu)
		return abort_has_ended(&a->scope, a->scope.lu, loop);
	map = atomic_load_explicit(&a->scope.map_of->map, memory_order_acquire);
	for (uint32_t i = 0; i < map->n; i++)
		if (!abort_has_ended(&a->scope, map->e[i].lu, loop))
			return false;
	return true;
}

static void abort_drained(struct drain *d)
{
	struct abort *a = container_of(d, struct abort, drain);

	a->done(a);
}

uint64_t abort_id(struct engine *eng)
{
	return atomic_fetch_add_explicit(&eng->next_abort_id, 1, memory_order_relaxed) + 1;
}

int abort_start(struct abort *a, struct engine *eng, struct loop *loop)
{
	atomic_init(&a->found, 0);
	a->drain =
		(struct drain){ .begin = abort_begin, .clear = abort_clear, .done = abort_drained };
	return drain_start(&a->drain, eng, loop);
}
