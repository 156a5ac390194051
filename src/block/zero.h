/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zero.h: zeroes that need no memory of their own: each loop has one run of zeroed pool pages,
 * which is lent again and again (and never shared between loops, whose reference counts would be).
 */
#ifndef ULIO_BLOCK_ZERO_H
#define ULIO_BLOCK_ZERO_H

#include "block/bio.h"

/*
 * The run of the bio's loop: *ret_bytes long, whole pages, made when first asked for. The caller
 * takes references as it lends parts of it. NULL: no memory. Loop: bio->loop.
 */
const void *zero_run_get(struct bio *bio, uint32_t *ret_bytes);

/*
 * Append n zero bytes to a list of lent pages (references are taken): the new number of entries, or
 * -EMSGSIZE if iov_cap is too small or -ENOMEM; then what was appended has been given back.
 */
int zero_run_lend(struct bio *bio, uint64_t n, struct iovec *iov, uint32_t niov, uint32_t iov_cap);

#endif
