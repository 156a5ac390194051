/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pr_ports.h: which target ports show an LU and which initiator ports are logged in, as copies that
 * a persistent reservation can be judged by (ALL_TG_PT, SPEC_I_PT, REGISTER AND MOVE).
 */
#ifndef ULIO_ENGINE_PR_PORTS_H
#define ULIO_ENGINE_PR_PORTS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/pr/state.h"

struct lu;

struct pr_ports {
	struct pr_port *ports; /* owned, with the strings behind them; likewise: */
	size_t nports;
	struct pr_initiator *initiators;
	size_t ninitiators;
};

/*
 * Fill in a zeroed *p; initiators only if they are wanted, as that takes the configuration lock. 0
 * or -ENOMEM. On a loop.
 */
int pr_ports_get(struct pr_ports *p, struct lu *lu, bool want_initiators);
void pr_ports_done(struct pr_ports *p);

#endif
