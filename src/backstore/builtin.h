/* SPDX-License-Identifier: BSD-3-Clause */
/* builtin.h: all backstores that come with ulio, for whoever makes a registry. */
#ifndef ULIO_BACKSTORE_BUILTIN_H
#define ULIO_BACKSTORE_BUILTIN_H

#include "block/backstore.h"

/* Register all of them: 0, or -errno of the first that failed. Control thread. */
int backstores_register(struct backstore_registry *reg);

#endif
