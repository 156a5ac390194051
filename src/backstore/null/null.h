/* SPDX-License-Identifier: BSD-3-Clause */
/* null.h: the backstore that forgets what is written and reads as zeroes: for measuring. */
#ifndef ULIO_BACKSTORE_NULL_H
#define ULIO_BACKSTORE_NULL_H

#include "block/backstore.h"

extern const struct backstore_internal_ops backstore_null;

#endif
