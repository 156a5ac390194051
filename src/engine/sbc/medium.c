/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * medium.c: commands about the medium as a whole: SYNCHRONIZE CACHE (10), (16), READ CAPACITY
 * (10), (16), START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL (SBC-3 5.26, 5.27, 5.15, 5.16, 5.25,
 * 5.14).
 */
#include "base/bytes.h"
#include "block/bio.h"
#include "engine/bars.h"
#include "engine/handlers.h"
#include "engine/nexus.h"
#include "engine/sbc/blocks.h"
#include "engine/ua.h"

/* ---- SYNCHRONIZE CACHE ---------------------------------------------------------------------- */

static void flushed(struct cmd *cmd)
{
	if (cmd->bio->b.result)
		cmd_fail_bio(cmd, cmd->bio);
	else
		cmd_good(cmd);
}

static void flush(struct cmd *cmd)
{
	cmd_submit_bio(cmd, ULIO_OP_FLUSH, 0, 0, 0, NULL, 0, 0, flushed);
}

/*
 * The whole cache is flushed whatever the range. IMMED is answered when that is done too: an
 * error then reaches the command that caused it.
 */
void sbc_sync_cache(struct cmd *cmd)
{
	struct cdb_rw rw;

	if (!blocks_decode(cmd, &rw))
		return;
	cmd->nblocks = 0; /* it touches no data: no range stands in its way */
	cmd_enter_io(cmd, flush);
}

/* ---- READ CAPACITY -------------------------------------------------------------------------- */

void sbc_read_capacity10(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint64_t last = c->nblocks ? c->nblocks - 1 : 0;
	uint8_t buf[8];

	/* SBC-2 5.10: a LOGICAL BLOCK ADDRESS has a meaning only together with PMI. */
	if (!(cmd->cdb[8] & 0x01) && get_be32(cmd->cdb + 2)) {
		cmd_fail_cdb(cmd, 2, 7);
		return;
	}
	put_be32(buf, last > 0xfffffffe ? 0xffffffff : (uint32_t)last);
	put_be32(buf + 4, lu_conf_block_bytes(c));
	cmd_reply(cmd, buf, sizeof(buf), sizeof(buf));
}

void sbc_read_capacity16(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint8_t buf[32] = { 0 };

	if (!(cmd->cdb[14] & 0x01) && get_be64(cmd->cdb + 2)) {
		cmd_fail_cdb(cmd, 2, 7);
		return;
	}
	put_be64(buf, c->nblocks ? c->nblocks - 1 : 0);
	put_be32(buf + 8, lu_conf_block_bytes(c));
	buf[13] = c->physical_exponent & 0x0f;
	if (lu_conf_thin(c))
		buf[14] |= 0x80; /* LBPME */
	if (lu_conf_lbprz(c))
		buf[14] |= 0x40; /* LBPRZ */
	cmd_reply(cmd, buf, sizeof(buf), get_be32(cmd->cdb + 10));
}

/* ---- START STOP UNIT ------------------------------------------------------------------------ */

#define POWER_CONDITION 0xf0
#define NO_FLUSH        0x04
#define LOEJ            0x02
#define START           0x01

/*
 * What the LU is to be after a START STOP UNIT with these bits. Without LOEJ nothing changes: there
 * is no motor to stop, and one initiator must not take a shared unit away from the others.
 */
static enum lu_readiness wanted(uint8_t bits, enum lu_readiness now)
{
	if (bits & LOEJ)
		return bits & START ? LU_READY : LU_NO_MEDIUM;
	return now;
}

static void take_readiness(struct lu_conf *conf, void *arg)
{
	const struct cmd *cmd = arg;

	/* A disk that is not there or has failed is not brought back by this. */
	if (conf->readiness != LU_PENDING && conf->readiness != LU_FAILED)
		conf->readiness = wanted(cmd->cdb[4], conf->readiness);
}

static void started(void *arg, int error)
{
	struct cmd *cmd = arg;

	if (cmd->cdb[4] & LOEJ && cmd->cdb[4] & START)
		ua_add_all(cmd->lu, SENSE_NOT_READY_TO_READY, cmd->nexus);
	cmd_good(cmd);
}

/*
 * SBC-3 4.17, Reservations: START STOP UNIT passes a persistent reservation of others only with
 * START one and POWER CONDITION zero, PREVENT ALLOW MEDIUM REMOVAL only with PREVENT zero.
 */
static bool pass_reservation(struct cmd *cmd, bool harmless)
{
	uint32_t bars = atomic_load_explicit(&cmd->itl->bars, memory_order_acquire);

	return harmless || !bars || bars_pass_pr(cmd, bars, 0);
}

static void change_readiness(struct cmd *cmd)
{
	enum lu_readiness now = cmd_conf(cmd)->readiness;

	if (now == LU_NO_MEDIUM && !(cmd->cdb[4] & LOEJ) && cmd->cdb[4] & START)
		cmd_fail(cmd, SENSE_MEDIUM_NOT_PRESENT);
	else if (wanted(cmd->cdb[4], now) == now)
		cmd_good(cmd);
	else if (lu_change_async(cmd->lu, cmd->loop, take_readiness, started, cmd))
		cmd_status(cmd, STATUS_BUSY);
}

static void stop_flushed(struct cmd *cmd)
{
	if (cmd->bio->b.result)
		cmd_fail_bio(cmd, cmd->bio);
	else if (pass_reservation(cmd, false)) /* it may be another one by now */
		change_readiness(cmd);
}

static void stop_flush(struct cmd *cmd)
{
	cmd_submit_bio(cmd, ULIO_OP_FLUSH, 0, 0, 0, NULL, 0, 0, stop_flushed);
}

void sbc_start_stop(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint8_t bits = cmd->cdb[4];

	if (!pass_reservation(cmd, (bits & (POWER_CONDITION | START)) == START))
		return;
	/*
	 * A power condition leaves START and LOEJ without meaning. Which one is asked for does not
	 * matter to a unit without a motor: it is always active, and says so to nobody.
	 */
	if (bits & POWER_CONDITION) {
		cmd_good(cmd);
		return;
	}
	if (bits & LOEJ && !c->a.removable) {
		cmd_fail_cdb(cmd, 4, 1);
		return;
	}
	if (bits & LOEJ && atomic_load(&cmd->lu->prevent_count)) {
		cmd_fail(cmd, SENSE_MEDIUM_REMOVAL_PREVENTED);
		return;
	}
	/* SBC-3 5.25: the cache is written before the unit stops, unless NO_FLUSH. */
	if (!(bits & START) && !(bits & NO_FLUSH) && c->readiness == LU_READY && c->volatile_cache)
		cmd_enter_io(cmd, stop_flush);
	else
		change_readiness(cmd);
}

/*
 * ---- PREVENT ALLOW MEDIUM REMOVAL
 * ---------------------------------------------------------------
 */

void sbc_prevent_allow(struct cmd *cmd)
{
	/* 10b and 11b were for media changers and are obsolete. */
	if (cmd->cdb[4] & 0x02) {
		cmd_fail_cdb(cmd, 4, 1);
		return;
	}
	if (!pass_reservation(cmd, !(cmd->cdb[4] & 0x01)))
		return;
	itl_prevent_removal(cmd->itl, cmd->cdb[4] & 0x01);
	cmd_good(cmd);
}
