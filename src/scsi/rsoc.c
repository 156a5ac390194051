/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rsoc.c: REPORT SUPPORTED OPERATION CODES and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS.
 */
#include "scsi/rsoc.h"

#include "scsi/opcodes.h"
#include "scsi/out_priv.h"

enum {
	RSOC_CTDP = 0x02, /* byte 5 of a command descriptor */
	RSOC_SERVACTV = 0x01,
	RSOC_TIMEOUTS_BYTES = 12,
	RSOC_DESCRIPTOR_BYTES = 8,
	ONE_CTDP = 0x80, /* byte 1 of one_command data */
	SUPPORT_NO = 0x1,
	SUPPORT_STANDARD = 0x3,
	RCTD = 0x80, /* byte 2 of the CDB */
	OPTIONS_MASK = 0x07,
	CDB_OPTIONS = 2, /* bytes of the CDB, for field pointers */
	CDB_OPCODE = 3,
	CDB_SA = 4,
};

/* REPORTING OPTIONS, SPC-4 table 292; 011b is SPC-5's. */
enum rsoc_options {
	OPTIONS_ALL = 0,
	OPTIONS_OPCODE = 1,
	OPTIONS_SERVICE_ACTION = 2,
	OPTIONS_EITHER = 3,
};

struct rsoc_req rsoc_decode(const uint8_t *cdb)
{
	return (struct rsoc_req){
		.rctd = cdb[CDB_OPTIONS] & RCTD,
		.options = cdb[CDB_OPTIONS] & OPTIONS_MASK,
		.opcode = cdb[CDB_OPCODE],
		.service_action = get_be16(cdb + CDB_SA),
	};
}

/* Command timeouts descriptor, SPC-4 table 297. */
static void rsoc_timeouts(const struct rsoc_cmd *cmd, struct out *o)
{
	out_be16(o, RSOC_TIMEOUTS_BYTES - 2);
	out_be16(o, 0); /* reserved, COMMAND SPECIFIC */
	out_be32(o, cmd->nominal_s);
	out_be32(o, cmd->recommended_s);
}

size_t rsoc_build_all(
	const struct rsoc_cmd *cmds, size_t ncmds, bool rctd, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);
	size_t each = RSOC_DESCRIPTOR_BYTES + (rctd ? RSOC_TIMEOUTS_BYTES : 0);

	out_be32(&o, (uint32_t)(ncmds * each));
	for (size_t i = 0; i < ncmds; i++) {
		const struct rsoc_cmd *cmd = &cmds[i];

		out_u8(&o, cmd->opcode);
		out_u8(&o, 0);
		out_be16(&o, cmd->servactv ? cmd->service_action : 0);
		out_u8(&o, 0);
		out_u8(&o, (rctd ? RSOC_CTDP : 0) | (cmd->servactv ? RSOC_SERVACTV : 0));
		out_be16(&o, cmd->cdb_len);
		if (rctd)
			rsoc_timeouts(cmd, &o);
	}
	return o.len;
}

/*
 * CDB USAGE DATA: the mask, but with the operation code itself in byte 0, and the service action
 * itself in its field (SPC-4 6.35.3).
 */
static void rsoc_usage(const struct rsoc_cmd *cmd, struct out *o)
{
	bool variable = cmd->opcode == OP_VARIABLE_LENGTH_CDB;

	assert(cmd->cdb_len >= 6 && cmd->usage != NULL);
	for (size_t i = 0; i < cmd->cdb_len; i++) {
		uint8_t b = cmd->usage[i];

		if (i == 0)
			b = cmd->opcode;
		else if (cmd->servactv && variable && i == 8)
			b = (uint8_t)(cmd->service_action >> 8);
		else if (cmd->servactv && variable && i == 9)
			b = (uint8_t)cmd->service_action;
		else if (cmd->servactv && !variable && i == 1)
			b = (uint8_t)((b & 0xe0) | (cmd->service_action & 0x1f));
		out_u8(o, b);
	}
}

size_t rsoc_build_one(const struct rsoc_cmd *cmd, bool rctd, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);

	out_u8(&o, 0);
	if (cmd == NULL) {
		out_u8(&o, SUPPORT_NO);
		out_be16(&o, 0);
		return o.len;
	}
	out_u8(&o, SUPPORT_STANDARD | (rctd ? ONE_CTDP : 0));
	out_be16(&o, cmd->cdb_len);
	rsoc_usage(cmd, &o);
	if (rctd)
		rsoc_timeouts(cmd, &o);
	return o.len;
}

/*
 * What the request asks for, NULL if it is not supported. An operation code has service actions if
 * a command of it has (an unsupported one counts as having none: nothing says otherwise).
 * Returns false with *ret_sense if the request is refused.
 */
static bool rsoc_find(const struct rsoc_cmd *cmds, size_t ncmds, const struct rsoc_req *req,
	const struct rsoc_cmd **ret, struct sense *ret_sense)
{
	bool ignore_sa = req->options == OPTIONS_OPCODE;

	*ret = NULL;
	for (size_t i = 0; i < ncmds; i++) {
		const struct rsoc_cmd *cmd = &cmds[i];

		if (cmd->opcode != req->opcode)
			continue;
		if ((cmd->servactv && req->options == OPTIONS_OPCODE) ||
			(!cmd->servactv && req->options == OPTIONS_SERVICE_ACTION)) {
			*ret_sense = sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, CDB_OPTIONS, 2);
			return false;
		}
		if (ignore_sa || req->service_action == (cmd->servactv ? cmd->service_action : 0)) {
			*ret = cmd;
			return true;
		}
	}
	return true;
}

bool rsoc_build(const struct rsoc_cmd *cmds, size_t ncmds, const struct rsoc_req *req, uint8_t *buf,
	size_t cap, size_t *ret_len, struct sense *ret_sense)
{
	const struct rsoc_cmd *cmd;

	if (req->options == OPTIONS_ALL) {
		*ret_len = rsoc_build_all(cmds, ncmds, req->rctd, buf, cap);
		return true;
	}
	if (req->options > OPTIONS_EITHER) {
		*ret_sense = sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, CDB_OPTIONS, 2);
		return false;
	}
	if (!rsoc_find(cmds, ncmds, req, &cmd, ret_sense))
		return false;
	*ret_len = rsoc_build_one(cmd, req->rctd, buf, cap);
	return true;
}

/* Where each function's bit is, the same in the supported and in the timeout bytes. */
static const struct {
	uint8_t byte; /* 0 or 1 */
	uint8_t bit;
} rstmf_bits[TMF_FUNCTION_COUNT] = {
	[TMF_ABORT_TASK] = { 0, 0x80 }, /* ATS */
	[TMF_ABORT_TASK_SET] = { 0, 0x40 }, /* ATSS */
	[TMF_CLEAR_ACA] = { 0, 0x20 }, /* CACAS */
	[TMF_CLEAR_TASK_SET] = { 0, 0x10 }, /* CTSS */
	[TMF_LOGICAL_UNIT_RESET] = { 0, 0x08 }, /* LURS */
	[TMF_QUERY_TASK] = { 0, 0x04 }, /* QTS */
	[TMF_QUERY_ASYNC_EVENT] = { 1, 0x04 }, /* QAES */
	[TMF_QUERY_TASK_SET] = { 1, 0x02 }, /* QTSS */
	[TMF_I_T_NEXUS_RESET] = { 1, 0x01 }, /* ITNRS */
	[TMF_TARGET_WARM_RESET] = { 0, 0x00 }, /* no bit: SPC-4 made TRS obsolete */
	[TMF_TARGET_COLD_RESET] = { 0, 0x00 },
};

static void rstmf_flags(unsigned functions, struct out *o)
{
	unsigned bytes[2] = { 0, 0 };

	for (int i = 0; i < TMF_FUNCTION_COUNT; i++)
		if (functions & 1u << i)
			bytes[rstmf_bits[i].byte] |= rstmf_bits[i].bit;
	out_u8(o, bytes[0]);
	out_u8(o, bytes[1]);
}

size_t rstmf_build(unsigned supported, bool repd, unsigned short_timeouts, uint32_t long_100ms,
	uint32_t short_100ms, uint8_t *buf, size_t cap)
{
	enum { EXTENDED_LENGTH = 0x0c, TMFTMOV = 0x01 };
	struct out o = out_init(buf, cap);

	rstmf_flags(supported, &o);
	out_u8(&o, 0);
	out_u8(&o, repd ? EXTENDED_LENGTH : 0);
	if (!repd)
		return o.len;
	out_u8(&o, long_100ms != 0 || short_100ms != 0 ? TMFTMOV : 0);
	out_u8(&o, 0);
	rstmf_flags(short_timeouts, &o);
	out_be32(&o, long_100ms);
	out_be32(&o, short_100ms);
	return o.len;
}
