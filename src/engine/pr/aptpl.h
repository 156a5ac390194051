/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aptpl.h: persistent reservations that outlive a loss of power (SPC-4 5.12.5, Activate Persist
 * Through Power Loss): where they are kept and how they come back.
 *
 *	<dbroot>/pr/aptpl_<serial>		LIO's file, which LIO reads and writes too
 *	<dbroot>/pr/ulio/aptpl_<serial>.N	a ring of generations, with number and checksums
 *	<dbroot>/pr/aptpl_<serial>.damaged-N	what could not be read, kept aside
 *
 * A commit writes a generation, then LIO's file; each is a temporary file, synced, renamed, with
 * the directory synced. LIO's file, if it is whole, says what is so: others may have changed it,
 * and a commit that was cut off between the two has not happened. A generation is used where the
 * file is damaged or gone, and for what LIO's format has no place for.
 */
#ifndef ULIO_ENGINE_PR_APTPL_H
#define ULIO_ENGINE_PR_APTPL_H

#include <stdbool.h>

#include "base/err.h"

struct engine;
struct pr_state;

/*
 * Whether the state of an LU with this serial number can be kept: there is a dbroot, and the number
 * can name a file. If not, *why (may be NULL) tells the cure. Any thread.
 */
bool aptpl_can_keep(const struct engine *eng, const char *unit_serial, struct errmsg *why);

/*
 * Put the state on stable storage: it is there when 0 is returned. With s->aptpl false it is the
 * state without registrations. On failure the state before may be there or this one.
 * One commit of a serial number at a time; aptpl_can_keep(). Worker or control thread; blocks.
 * 0 or -errno, logged.
 */
int aptpl_commit(struct engine *eng, const char *unit_serial, const struct pr_state *s);

/*
 * What was kept. *ret NULL: nothing. If it could not be read in any way, a state that is `lost`
 * (SPC-5 5.14.5.4). What is not as it was left is logged, damaged files are kept aside and
 * replaced.
 * 0; -errno with *err: it is there and cannot be read now. Control thread; blocks.
 */
int aptpl_load(
	struct engine *eng, const char *unit_serial, struct pr_state **ret, struct errmsg *err);

#endif
