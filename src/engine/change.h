/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * change.h: changes of the state of an LU that commands see (persistent reservations, asymmetric
 * access), one after the other. A step of such a change goes this way:
 *
 *	queue	first in, first out, for each LU
 *	decide	what is to change, from the state as it is now
 *	commit	on a worker: what must be on stable storage before anybody sees it
 *	publish	under lu->lock: the new state in place of the old one, itl->bars of all nexuses
 *	drain	on every loop: commands of the step's abort scope are aborted, and those that were
 *		on their way to the disk and that the new state excludes have ended
 *	done	the answer; the next step begins
 *	release	nobody looks at the old state any more: free it, and the step
 *
 * So when done() runs, no command that the new state excludes can reach the disk any more, on any
 * loop. A disk that gives such a command not back is waited for TMF_STUCK_NS: then done() is told
 * so, the queue goes on, and the step stays until the disk has let go.
 *
 * A step outlives the command and the nexus that asked for it, and keeps the LU (lu->holds).
 */
#ifndef ULIO_ENGINE_CHANGE_H
#define ULIO_ENGINE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/abort.h"
#include "engine/drain.h"
#include "loop/loop.h"

struct cmd;
struct lu;
struct lu_step;

/* All run on the step's loop but where it says otherwise; none may block but commit(). */
struct lu_step_ops {
	/*
	 * Its turn has come. False: nothing is to change, done() follows at once. May be NULL:
	 * true.
	 */
	bool (*decide)(struct lu_step *s);
	/* On a worker thread, may block. 0, or -errno: nothing is published. May be NULL. */
	int (*commit)(struct lu_step *s);
	/*
	 * Under lu->lock, which it must not take: store the new state, lu_bars_update(),
	 * conditions of unit attention.
	 */
	void (*publish)(struct lu_step *s);
	/*
	 * On any loop, that of cmd: whether cmd, which is with its disk (cmd->in_io) or has passed
	 * its checks and waits for its turn there (CMD_GATED), is excluded by what was published
	 * and must have ended. It may be orphaned (cmd->orphan): then it has no itl. May be NULL:
	 * none is.
	 */
	bool (*excludes)(const struct lu_step *s, const struct cmd *cmd);
	/*
	 * The end, as far as the one who asked is concerned; s->cmd is NULL if that has gone.
	 *	error	of commit(), nothing was published; else 0
	 *	stuck	published, but an excluded command is still with its disk
	 * Not called for a step that was given up before its turn came.
	 */
	void (*done)(struct lu_step *s, int error, bool stuck);
	/* The last call: free what was replaced, and the step. Always. */
	void (*release)(struct lu_step *s);
};

enum lu_step_state {
	STEP_QUEUED,
	STEP_COMMITTING,
	STEP_PUBLISHED,
};

struct lu_step {
	/* Filled in before lu_step_start(). */
	const struct lu_step_ops *ops;
	struct cmd *cmd; /* that asks for it; NULL: none. NULL later: it was aborted */
	/* Until publish(): */
	bool no_commit; /* commit() has nothing to do this time */
	bool aborts; /* `scope` is to be aborted */
	struct abort_scope scope; /* of lu alone */
	/* Private. */
	struct lu *lu;
	struct loop *loop;
	enum lu_step_state state;
	bool given_up; /* before its turn */
	bool told; /* done() was called */
	struct list link; /* in lu->steps, under lu->lock */
	struct loop_msg turn;
	struct loop_op op;
	struct loop_timer timer;
	struct drain drain;
	struct lu_step_wait *wait; /* of lu_step_run() */
};

/* Queue a step. On loop, which is cmd->loop if there is a command. Never calls back from inside. */
void lu_step_start(struct lu_step *s, struct lu *lu, struct loop *loop);

/*
 * The same for the control thread, which waits for the end: 0, or the error of commit(); *ret_stuck
 * (may be NULL) as in done(). The step is gone or will go by release(): it must not be on the
 * stack.
 */
int lu_step_run(struct lu_step *s, struct lu *lu, bool *ret_stuck);

/*
 * The command that asked is aborted. True: the step goes on without it, or not at all if its turn
 * had not come; the command may be ended. False: its change is being committed, so the command has
 * to wait for the end (never if its nexus is lost). On its loop.
 */
bool lu_step_detach(struct lu_step *s, bool nexus_lost);

#endif
