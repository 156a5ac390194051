/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd.h: one SCSI command from the nexus that sent it to the status that answers it (SAM-5 5).
 *
 * A command runs from start to finish on the loop that received it; all functions here are for that
 * loop. It has one owner at a time, told by its state:
 *
 *	fabric		CMD_NEW: being filled in
 *	engine		from cmd_submit() on
 *	fabric		while it collects Data-Out (CMD_DATA_OUT), and from
 *			fabric_ops.send_status() or .aborted() on, until it calls cmd_free()
 *	backstore	while a bio of it is under way (CMD_IO)
 */
#ifndef ULIO_ENGINE_CMD_H
#define ULIO_ENGINE_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/list.h"
#include "engine/limits.h"
#include "engine/range.h"
#include "loop/loop.h"
#include "scsi/sense.h"
#include "scsi/status.h"

struct bio;
struct itl;
struct lu;
struct lu_conf;
struct lu_step;
struct nexus;
struct op_row;
struct ordered;

enum cmd_state {
	CMD_NEW, /* the fabric's */
	CMD_DORMANT, /* waits for its turn in the task set (SAM-5 8) */
	CMD_ENABLED, /* checked and run */
	CMD_DATA_OUT, /* the fabric collects its data */
	CMD_GATED, /* has its data, waits at the LU's gate or for a range of blocks */
	CMD_IO, /* the disk's */
	CMD_DONE, /* status handed to the fabric, or aborted without one */
	CMD_STATE_MAX
};

/* Data of one direction, as slices of memory. */
struct cmd_data {
	struct iovec *iov; /* few, or allocated */
	uint32_t niov, cap;
	uint32_t bytes; /* sum of the lengths */
	struct iovec few[CMD_FEW_IOV];
};

enum residual_kind { RESIDUAL_NONE, RESIDUAL_UNDERFLOW, RESIDUAL_OVERFLOW };

struct cmd {
	/* Filled in by the fabric before cmd_submit(). */
	struct nexus *nexus; /* one of its references is the command's */
	void *task; /* the fabric's own */
	uint64_t tag; /* SAM-5 4.8: unique within the nexus */
	uint8_t lun[8]; /* as on the wire */
	uint8_t attr; /* enum task_attr */
	uint8_t priority; /* SAM-5 8.7: 1 is the highest, 0 none */
	uint16_t cdb_len;
	/* Its place among the nexus's commands of all loops, a serial number (RFC 1982). */
	uint32_t order;
	/*
	 * Bytes that the initiator has reserved for each direction (Expected Data Transfer
	 * Length).
	 */
	uint32_t edtl_out, edtl_in;

	/* The answer, for the fabric. */
	uint8_t status; /* enum status */
	uint8_t sense_len;
	uint16_t status_qualifier; /* SAM-5 5.3.2; 0: none */
	/*
	 * No other answer of the LU to this nexus may overtake it or be overtaken by it (RFC 7143
	 * 4.2.2.3.4).
	 */
	bool fenced;
	/* Which function (struct tmf, id) has ended it together with others; 0: none. */
	uint64_t cleared_by;
	uint8_t residual_out_kind, residual_in_kind; /* enum residual_kind */
	uint32_t residual_out, residual_in;

	/* Data-Out as received; Data-In to be sent: in.bytes <= edtl_in. */
	struct cmd_data out, in;

	/* The engine's. */
	uint8_t state; /* enum cmd_state */
	bool aborted; /* no more is to be done for it; see abort_tas */
	bool abort_tas; /* answer TASK ABORTED instead of nothing (SAM-5 5.3.1, TAS) */
	bool counted; /* in lu_loop.ntasks */
	bool in_io; /* in lu_loop.nio */
	bool at_disk; /* its bio is under way */
	bool hoq; /* in lu_loop.nhoq */
	bool orphan; /* the fabric has been told that it is gone; only the disk still holds it */
	bool fabric_done; /* cmd_free() was called */
	bool delayed; /* by active/non-optimized access, once */
	bool read_only; /* its LUN is write protected for this nexus */
	uint64_t waits_since_ns; /* for a range */
	uint64_t seq; /* its place among those that loop was given */
	struct loop *loop;
	struct lu *lu; /* NULL: unmapped LUN; valid while counted in lu_loop */
	struct itl *itl; /* likewise */
	const struct op_row *row;
	struct list link; /* in lu_loop.cmds */
	struct list wait; /* in a queue of waiting commands */
	void (*step)(struct cmd *cmd); /* what to do when it goes on */
	struct bio *bio;
	uint64_t expect_out, expect_in; /* bytes that the CDB asks to transfer, for residuals */
	struct ordered *ordered; /* the gate that an ORDERED command keeps closed */
	struct lu_step *change; /* that it has asked for and waits for (change.h) */
	struct range range; /* announced while range.lu is set */
	uint64_t lba; /* of the range that it touches */
	uint64_t nblocks; /* 0: none */
	void *scratch; /* of a handler, malloc'ed; freed with the command */
	struct sense sense; /* when status is CHECK CONDITION */

	uint8_t sense_buf[CMD_SENSE_BYTES];
	uint8_t cdb[CMD_CDB_BYTES];
};

/* ---- for fabrics -------------------------------------------------------------------------- */

/*
 * A fresh command with everything zero but nexus, loop and the data areas' bookkeeping.
 * NULL: no memory or too many commands; the fabric answers BUSY or TASK SET FULL.
 */
struct cmd *cmd_new(struct nexus *nexus, struct loop *loop);
/* Release a command whose status was sent or that was aborted, or that never was submitted. */
struct cmd *cmd_free(struct cmd *cmd);
/*
 * Hand a filled command to the engine. The answer comes through nexus's fabric_ops, possibly before
 * this returns.
 */
void cmd_submit(struct cmd *cmd);
/*
 * Give up a command that was submitted, because who sent it is gone: fabric_ops.aborted() follows,
 * possibly before this returns. A disk that has it keeps it (orphan). Not from inside of one of
 * the fabric_ops.
 */
void cmd_give_up(struct cmd *cmd);
/*
 * The Data-Out that want_data_out() asked for has arrived in cmd->out (out.bytes of it).
 *	error	0; or the sense to end the command with: SENSE_CRC_ERROR_DETECTED …
 */
void cmd_data_out_done(struct cmd *cmd, enum sense_name error);

/* Make room for n entries; keeps what is there. 0 or -ENOMEM. */
int cmd_data_reserve(struct cmd_data *d, uint32_t n);
/*
 * Pool pages for n more bytes at the end of d, for fabrics that have no memory of their own
 * (want_data_out, get_data_in). 0 or -ENOMEM.
 */
int cmd_data_add_pages(struct cmd *cmd, struct cmd_data *d, uint32_t n);

/* Cut d to n bytes (a no-op if it has no more); pages that are wholly cut off are released. */
void cmd_data_cut(struct cmd *cmd, struct cmd_data *d, uint32_t n);

/* ---- for handlers (spc/, sbc/) ------------------------------------------------------------ */

/* End with GOOD. Residuals come from cmd_expect_*() and the data that were moved. */
void cmd_good(struct cmd *cmd);
/* End with CHECK CONDITION and this sense. */
void cmd_fail(struct cmd *cmd, enum sense_name name);
/*
 * The same with a pointer to the field in error (SPC-4 4.5.2.4.2): byte and bit of the CDB. bit
 * -1: none.
 */
void cmd_fail_cdb(struct cmd *cmd, unsigned byte, int bit);
/* … of the parameter list (INVALID FIELD IN PARAMETER LIST). */
void cmd_fail_param(struct cmd *cmd, unsigned byte, int bit);
/* … with the INFORMATION field. */
void cmd_fail_info(struct cmd *cmd, enum sense_name name, uint64_t information);
/* A full struct sense. */
void cmd_fail_sense(struct cmd *cmd, const struct sense *s);
/* End with any other status (BUSY, RESERVATION CONFLICT, TASK SET FULL). */
void cmd_status(struct cmd *cmd, enum status status);
/* End with the sense that stands for the error of a backstore (-errno) at this bio. */
void cmd_fail_bio(struct cmd *cmd, const struct bio *bio);

/*
 * Answer with parameter data: copies the first alloc_len of len bytes, as far as edtl_in goes, and
 * ends with GOOD. SPC-4 4.3.5.6, ALLOCATION LENGTH.
 */
void cmd_reply(struct cmd *cmd, const void *data, uint32_t len, uint32_t alloc_len);

/*
 * Get n bytes of Data-Out, then go on with step(cmd). What is there to use is cmd->out.bytes, less
 * than n if edtl_out is (residuals are kept). n == 0 goes on at once.
 */
void cmd_get_data_out(struct cmd *cmd, uint32_t n, void (*step)(struct cmd *cmd));
/* Copy up to n bytes of cmd->out from offset off into buf; returns how many. */
uint32_t cmd_out_copy(const struct cmd *cmd, uint32_t off, void *buf, uint32_t n);
/* The whole Data-Out as one flat buffer in cmd->scratch (parameter lists). NULL: no memory. */
const uint8_t *cmd_out_flat(struct cmd *cmd);

/*
 * Tell the transfer that the CDB asks for, in bytes, for residuals (SAM-5 5.4.5.1). To be called
 * before data move when that is not simply what cmd_reply() sends.
 */
void cmd_expect_in(struct cmd *cmd, uint64_t bytes);
void cmd_expect_out(struct cmd *cmd, uint64_t bytes);

/*
 * Pass the LU's gate and go on with step(cmd): permission (reservation, write protection, state) is
 * checked again, and ranges announced by others are waited for. To be called just before each
 * first bio of a command, with lba and nblocks set (nblocks 0: the whole LU, e.g. flush).
 */
void cmd_enter_io(struct cmd *cmd, void (*step)(struct cmd *cmd));

/*
 * Send a bio for cmd: op on blocks [lba, lba + nblocks) with these data; goes on with
 * step(cmd) when it has come back, with the result in cmd->bio->b.result. Handles aborts: step
 * is not called for a command that was aborted meanwhile. Only after cmd_enter_io().
 *	flags	ULIO_BIO_*
 */
void cmd_submit_bio(struct cmd *cmd, uint16_t op, uint16_t flags, uint64_t lba, uint64_t nblocks,
	struct iovec *iov, uint32_t niov, uint32_t iov_cap, void (*step)(struct cmd *cmd));

/* Work for cmd_submit_work(), in cmd->scratch. */
struct cmd_work {
	struct loop_op op;
	struct cmd *cmd;
	int (*fn)(struct cmd_work *work);
	int result;
};

/*
 * Run fn(work) on a worker thread, where it may block, and go on with step(cmd) when it has
 * returned, its value in work->result; as after a bio, not for a command that was aborted. The disk
 * stays open meanwhile. Only after cmd_enter_io().
 */
void cmd_submit_work(struct cmd *cmd, struct cmd_work *work, int (*fn)(struct cmd_work *work),
	void (*step)(struct cmd *cmd));

/*
 * Have [lba, lba + nblocks) to itself until the command ends (COMPARE AND WRITE); goes on with
 * step(cmd) when no other command is at work there. After cmd_enter_io(), which has waited for
 * other ranges: 0 or -ENOMEM.
 */
int cmd_lock_range(struct cmd *cmd, void (*step)(struct cmd *cmd));

/* The LU's configuration as of now. The pointer is good until the handler returns to the loop. */
const struct lu_conf *cmd_conf(const struct cmd *cmd);

#endif
