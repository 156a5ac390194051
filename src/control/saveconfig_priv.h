/* SPDX-License-Identifier: BSD-3-Clause */
/* saveconfig_priv.h: what saveconfig.c lends to saveplan.c. */
#ifndef ULIO_CONTROL_SAVECONFIG_PRIV_H
#define ULIO_CONTROL_SAVECONFIG_PRIV_H

#include "control/rpc.h"
#include "control/saveconfig.h"

struct tree *saveconfig_tree(struct saveconfig *s);
/* NULL: there is none. */
const char *saveconfig_file(const struct saveconfig *s);
const struct saveapply_hooks *saveconfig_hooks(const struct saveconfig *s);
/* While a configuration is being carried out nothing is saved. Returns what was so before. */
bool saveconfig_set_loading(struct saveconfig *s, bool loading);

/* The methods plan, apply, config.dump; arg: the saveconfig. */
extern const struct control_method saveplan_methods[];
/* restore (saverestore.c). */
extern const struct control_method saverestore_methods[];
/* migrate (saveimport.c). */
extern const struct control_method saveimport_methods[];

#endif
