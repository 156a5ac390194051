/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_priv.h: what rpc.c tells schema.c of the methods that are there. */
#ifndef ULIO_CONTROL_RPC_PRIV_H
#define ULIO_CONTROL_RPC_PRIV_H

#include "control/rpc.h"

/* The i-th method, in the order in which they were added; NULL past the end. */
const struct control_method *control_method_at(const struct control *c, unsigned i);
/* As JSON calls it: "string". */
const char *control_type_name(enum control_param_type type);

#endif
