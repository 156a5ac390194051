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
/* First byte of the CDB's TRANSFER LENGTH or like field, for field pointers. */
unsigned blocks_length_byte(const struct cmd *cmd);
/* ULIO_BIO_FUA if this write must be on the medium when it is answered, by FUA or WCE=0. */
uint16_t blocks_fua(const struct lu_conf *c, bool fua);
/*
 * Data-Out of exactly n bytes: false, and the command ended, if the initiator's buffer has another
 * length. For commands whose data are no plain run of blocks (COMPARE AND WRITE, WRITE SAME,
 * VERIFY), where cutting them would do something else than was meant.
 *	length_byte	of the CDB field that the data disagree with
 */
bool blocks_exact(struct cmd *cmd, uint64_t n, unsigned length_byte);

/*
 * Only whole blocks are written; what the initiator sent less than the CDB asks for is told by the
 * residual count. Sets cmd->nblocks to what there is; false: nothing, and the command has ended.
 */
bool write_cut(struct cmd *cmd);

#endif
