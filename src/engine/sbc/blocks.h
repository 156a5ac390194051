/* SPDX-License-Identifier: BSD-3-Clause */
/* blocks.h: what the commands that address blocks have in common. */
#ifndef ULIO_ENGINE_SBC_BLOCKS_H
#define ULIO_ENGINE_SBC_BLOCKS_H

#include <stdbool.h>

#include "engine/cmd.h"
#include "engine/lu.h"
#include "scsi/cdb.h"

/*
 * Decode the CDB and check its range against the capacity; sets cmd->lba and cmd->nblocks.
 * False: the command has been ended (LBA OUT OF RANGE).
 */
bool blocks_decode(struct cmd *cmd, struct cdb_rw *ret);
/* The same for transfers: also MAXIMUM TRANSFER LENGTH (SBC-3 6.6.3). */
bool blocks_decode_transfer(struct cmd *cmd, struct cdb_rw *ret);
/* ULIO_BIO_FUA if this write must be on the medium when it is answered, by FUA or WCE=0. */
uint16_t blocks_fua(const struct lu_conf *c, bool fua);
/*
 * Data-Out that must be there in full: false, and the command ended, if less than n bytes came (the
 * Expected Data Transfer Length was too small).
 */
bool blocks_have(struct cmd *cmd, uint32_t n);

#endif
