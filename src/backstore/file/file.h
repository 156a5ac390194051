/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * file.h: regular files and block devices.
 *
 * Direct I/O where it is possible, else through the page cache, and then it says so. A write that
 * was answered may be lost at power failure (volatile cache) unless it was opened with sync=yes,
 * or asked for FUA, or a FLUSH followed. When a flush fails nobody can tell any more which writes
 * are on the disk: from then on every request fails until it is opened again.
 */
#ifndef ULIO_BACKSTORE_FILE_H
#define ULIO_BACKSTORE_FILE_H

#include "block/backstore.h"

extern const struct backstore_internal_ops backstore_file;

#endif
