/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keep.h: persistent reservations of an LU and what is kept of them (aptpl.h): what was kept is in
 * force before the first initiator sees the LU, and from then on its serial number, by which it is
 * kept, does not change.
 */
#ifndef ULIO_ENGINE_PR_KEEP_H
#define ULIO_ENGINE_PR_KEEP_H

#include <stdbool.h>

#include "base/err.h"

struct lu;
struct pr_state;

/*
 * Bring what was kept for the LU into force, and find out whether its state can be kept. Once for a
 * serial number; an LU that is shown as a LUN has been through this already. To be called before it
 * is shown the first time, and before an administrator sees or changes its state.
 * 0; -errno with *err: something was kept and cannot be read, so the LU must not be shown. Control
 * thread.
 */
int pr_keep_load(struct lu *lu, struct errmsg *err);
/* Whether APTPL can be had of it. Any thread while it is shown, else the control thread. */
bool pr_keep_offered(const struct lu *lu);
/* aptpl_commit() of its state. 0, also if it cannot be kept at all. Worker or control thread. */
int pr_keep_commit(const struct lu *lu, const struct pr_state *s);
/* The LU goes: another one may have its serial number. Control thread. */
void pr_keep_done(struct lu *lu);

/*
 * A registration as it is written to res_aptpl_metadata: it becomes one of the LU's, in place of
 * what the same nexus had, and is kept. 0; -EBUSY: the LU is shown; -EINVAL, -ENOMEM, -errno of the
 * storage with *err. Control thread.
 */
int pr_keep_import(struct lu *lu, const char *text, struct errmsg *err);

#endif
