/* SPDX-License-Identifier: BSD-3-Clause */
/* portal.h: addresses by which initiators reach a target. */
#ifndef ULIO_CLI_PORTAL_H
#define ULIO_CLI_PORTAL_H

#include "cli/cli.h"

enum { PORTAL_CHARS = 300, PORTALS_MAX = 16 };

/*
 * HOST:PORT for initiators of a portal's name: of one on all addresses this host's first address
 * that is not its loopback.
 */
void portal_for_initiators(const char *name, char buf[PORTAL_CHARS]);
/* The first portal of a portal group, as initiators reach it. 0 or CLI_FAILED, said. */
int portal_of_target(struct cli *cli, const char *target, json_int_t tpg, char buf[PORTAL_CHARS]);

#endif
