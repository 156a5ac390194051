/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fabric.h: the border between the engine and the fabrics (iSCSI, vhost-user, loopback). Downward a
 * fabric calls cmd.h, nexus.h, tmf.h and port.h; upward the engine calls these eight functions.
 * Each runs on the loop of the command, nexus or function that it is about, and must not block.
 */
#ifndef ULIO_ENGINE_FABRIC_H
#define ULIO_ENGINE_FABRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cmd;
struct nexus;
struct tmf;

struct fabric_ops {
	const char *name; /* "iSCSI": as in configfs texts */
	uint8_t protocol; /* PROTOCOL IDENTIFIER, SPC-4 7.6.1: 5 for iSCSI */
	/* Data-In may lie in pages of a RAM disk, immutable until cmd_free() */
	bool takes_lent_pages;

	/*
	 * Bring `bytes` bytes of Data-Out (at least 1, at most edtl_out) into cmd->out, in memory
	 * of the fabric's choice, and call cmd_data_out_done(), now or later. What has come with
	 * the command may be there already.
	 */
	void (*want_data_out)(struct cmd *cmd, uint32_t bytes);
	/* Give cmd->in memory for `bytes` bytes (at most edtl_in). 0 or -ENOMEM. */
	int (*get_data_in)(struct cmd *cmd, uint32_t bytes);
	/*
	 * The command has ended: status, sense_buf, residuals, in. The fabric sends them and calls
	 * cmd_free() when it needs them no more.
	 */
	void (*send_status)(struct cmd *cmd);
	/*
	 * The command was aborted and gets no status (SAM-5 5.6). The fabric forgets it, stops
	 * collecting data for it, and calls cmd_free(). If orphan is set a disk still works on it:
	 * cmd_free() then lets go of the fabric's part only.
	 */
	void (*aborted)(struct cmd *cmd);
	/* tmf->response is set. The fabric answers and calls tmf_free(). */
	void (*tmf_done)(struct tmf *tmf);
	/* nexus_close() has finished: no command of it is left anywhere in the fabric's hands. */
	void (*nexus_closed)(struct nexus *nexus);
	/* The TransportID of the initiator port (SPC-4 7.6.4). Returns its length. Any thread. */
	size_t (*transport_id)(const struct nexus *nexus, uint8_t *buf, size_t cap);
	/*
	 * The engine (an admin, a removed ACL) wants this session gone; the fabric ends it and
	 * calls nexus_close(). Posted to the nexus's loop.
	 */
	void (*drop_nexus)(struct nexus *nexus, const char *why);
};

#endif
