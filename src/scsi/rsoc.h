/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rsoc.h: data of REPORT SUPPORTED OPERATION CODES (SPC-4 6.35) and REPORT SUPPORTED TASK
 * MANAGEMENT FUNCTIONS (SPC-4 6.36). Pure functions, any thread.
 */
#ifndef ULIO_SCSI_RSOC_H
#define ULIO_SCSI_RSOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/sense.h"
#include "scsi/status.h"

/* A supported command. */
struct rsoc_cmd {
	uint8_t opcode;
	bool servactv; /* it has a service action */
	uint16_t service_action;
	uint16_t cdb_len; /* bytes, <= 260 */
	const uint8_t *usage; /* cdb_len bytes of usage mask; byte 0 and the service action's
			       * bits are filled in here, whatever the mask holds there */
	uint32_t nominal_s; /* NOMINAL COMMAND PROCESSING TIMEOUT, seconds; 0: not told */
	uint32_t recommended_s; /* RECOMMENDED COMMAND TIMEOUT, seconds; 0: not told */
};

/* Fields of the REPORT SUPPORTED OPERATION CODES CDB. */
struct rsoc_req {
	bool rctd; /* return command timeouts descriptors */
	uint8_t options; /* REPORTING OPTIONS, three bits */
	uint8_t opcode; /* REQUESTED OPERATION CODE */
	uint16_t service_action; /* REQUESTED SERVICE ACTION */
};

/* Decode the CDB (A3h/0Ch) of at least 12 bytes. */
struct rsoc_req rsoc_decode(const uint8_t *cdb);

/*
 * Build the whole answer.
 *   cmds	ncmds supported commands, in the order to report
 * At most cap bytes are written to buf; *ret_len is the full length.
 * Returns true; or false with *ret_sense: INVALID FIELD IN CDB at REPORTING OPTIONS for 100b to
 * 111b, for 001b with an operation code that has service actions, for 010b with one that has none.
 * 011b is SPC-5's: as 010b, and an operation code without service actions is found with 0.
 * Source: SPC-4 6.35, table 292.
 */
bool rsoc_build(const struct rsoc_cmd *cmds, size_t ncmds, const struct rsoc_req *req, uint8_t *buf,
	size_t cap, size_t *ret_len, struct sense *ret_sense);

/* The parts, for callers that look up for themselves: all commands; one, NULL if not supported. */
size_t rsoc_build_all(
	const struct rsoc_cmd *cmds, size_t ncmds, bool rctd, uint8_t *buf, size_t cap);
size_t rsoc_build_one(const struct rsoc_cmd *cmd, bool rctd, uint8_t *buf, size_t cap);

/*
 * Build REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS data.
 *   supported	bit n set: the function n of enum tmf_function is supported
 *   repd	extended parameter data, 16 bytes instead of 4
 *   long_100ms, short_100ms	TMF timeouts in 100 ms (extended data); 0: not told
 *   short_timeouts	functions the short timeout applies to, bits as in supported
 * At most cap bytes are written to buf. Returns the full length. The caller refuses an ALLOCATION
 * LENGTH below 4 with INVALID FIELD IN CDB. Source: SPC-4 6.36.
 */
size_t rstmf_build(unsigned supported, bool repd, unsigned short_timeouts, uint32_t long_100ms,
	uint32_t short_100ms, uint8_t *buf, size_t cap);

#endif
