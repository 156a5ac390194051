/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ram.h: a disk in memory. It takes memory where it was written and gives it back where it is
 * discarded. READs are lent its pages, WRITEs may give it theirs, so that no data are copied.
 *
 * It is gone when the process ends. It nevertheless reports no volatile cache, on purpose: a flush
 * would not make anything safer, and initiators would send them all the time.
 */
#ifndef ULIO_BACKSTORE_RAM_H
#define ULIO_BACKSTORE_RAM_H

#include "block/backstore.h"

extern const struct backstore_internal_ops backstore_ram;

#endif
