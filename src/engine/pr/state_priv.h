/* SPDX-License-Identifier: BSD-3-Clause */
/* state_priv.h: how the rules (rules.c) change a state that they have not handed on yet. */
#ifndef ULIO_ENGINE_PR_STATE_PRIV_H
#define ULIO_ENGINE_PR_STATE_PRIV_H

#include "engine/pr/state.h"

/* Nothing is reserved any more. */
void pr_state_release(struct pr_state *s);
/*
 * Take out the registrations i below n with gone[i]. With the last registration goes the
 * reservation; who removes a sole holder must have released before or reserve after.
 */
void pr_state_remove(struct pr_state *s, const bool *gone, uint32_t n);
/* Assert what must hold of every state. */
void pr_state_check(const struct pr_state *s);

#endif
