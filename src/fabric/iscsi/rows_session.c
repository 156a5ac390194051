/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_session.c: what an ACL's directory tells of its initiator's session: the newest one. */
#include <errno.h>
#include <inttypes.h>

#include "fabric/iscsi/rows_priv.h"
#include "fabric/iscsi/sessions.h"

static int newest(struct acl *acl, struct session_info *ret)
{
	return session_newest(acl->port->fabric_data, acl->initiator, ret);
}

/* ---- info: tools read the words "LIO Session ID:", "SessionType:", "_STATE_", "CID:" -------- */

static const char *const sess_words[SESS_STATES] = {
	[SESS_FREE] = "TARG_SESS_FREE",
	[SESS_LOGGED_IN] = "TARG_SESS_STATE_LOGGED_IN",
	[SESS_FAILED] = "TARG_SESS_STATE_FAILED",
	[SESS_CLOSED] = "TARG_SESS_FREE",
};

static void put_session(const struct session_info *s, struct strbuf *out)
{
	const uint8_t *i = s->isid;

	strbuf_printf(out,
		"InitiatorName: %s\nInitiatorAlias: %s\n"
		"LIO Session ID: %u   ISID: 0x%02x %02x %02x %02x %02x %02x  TSIH: %u  "
		"SessionType: %s\n"
		"Session State: %s\n",
		s->params.initiator_name, s->params.initiator_alias, s->tsih, i[0], i[1], i[2],
		i[3], i[4], i[5], s->tsih, s->discovery ? "Discovery" : "Normal",
		sess_words[s->state]);
	strbuf_printf(out,
		"---------------------[iSCSI Session Values]-----------------------\n"
		"  CmdSN/WR  :  CmdSN/WC  :  ExpCmdSN  :  MaxCmdSN  :     ITT    :     TTT\n"
		" 0x%08x   0x%08x   0x%08x   0x%08x   0x%08x   0x%08x\n",
		s->depth, s->max_cmdsn - s->exp_cmdsn + 1, s->exp_cmdsn, s->max_cmdsn, TAG_RESERVED,
		s->next_ttt);
	strbuf_puts(out, "----------------------[iSCSI Connections]-------------------------");
	for (unsigned k = 0; k < s->nconns_told; k++) {
		const struct session_conn *c = &s->conns[k];
		char host[sizeof(c->peer)];

		peer_host(c->peer, host, sizeof(host));
		strbuf_printf(out,
			"\nCID: %u  Connection State: TARG_CONN_STATE_%s\n"
			"   Address %s TCP  StatSN: 0x%08x",
			c->cid, conn_state_name(c->state), host, c->statsn);
	}
}

int acl_get_info(const struct attr *a, void *obj, struct strbuf *out)
{
	struct acl *acl = obj;
	struct session_info s;

	if (newest(acl, &s))
		strbuf_printf(
			out, "No active iSCSI Session for Initiator Endpoint: %s", acl->initiator);
	else
		put_session(&s, out);
	return 0;
}

/* ---- param/ ---------------------------------------------------------------------------------- */

static int get_number(const struct attr *a, void *obj, struct strbuf *out)
{
	struct session_info s;

	if (!newest(obj, &s))
		return attr_get_u32(a, &s.params, out);
	strbuf_puts(out, "No Active iSCSI Session");
	return 0;
}

static int get_boolean(const struct attr *a, void *obj, struct strbuf *out)
{
	struct session_info s;

	if (!newest(obj, &s))
		return attr_get_bool(a, &s.params, out);
	strbuf_puts(out, "No Active iSCSI Session");
	return 0;
}

#define AGREED(n, getter, field, clause)                                                           \
	{                                                                                          \
		.name = n, .get = getter, .flags = ATTR_STAT,                                      \
		.doc = "What the session has agreed on (RFC 7143 " clause ").",                    \
		.offset = offsetof(struct sess_params, field),                                     \
	}

static const struct attr param_attrs[] = {
	AGREED("DataPDUInOrder", get_boolean, data_pdu_in_order, "13.18"),
	AGREED("DataSequenceInOrder", get_boolean, data_sequence_in_order, "13.19"),
	AGREED("DefaultTime2Retain", get_number, default_time2retain, "13.16"),
	AGREED("DefaultTime2Wait", get_number, default_time2wait, "13.15"),
	AGREED("ErrorRecoveryLevel", get_number, error_recovery_level, "13.20"),
	AGREED("FirstBurstLength", get_number, first_burst_length, "13.14"),
	AGREED("ImmediateData", get_boolean, immediate_data, "13.11"),
	AGREED("InitialR2T", get_boolean, initial_r2t, "13.10"),
	AGREED("MaxBurstLength", get_number, max_burst_length, "13.13"),
	AGREED("MaxConnections", get_number, max_connections, "13.2"),
	AGREED("MaxOutstandingR2T", get_number, max_outstanding_r2t, "13.17"),
	ATTR_END,
};

const struct node_type acl_param_type = {
	.name = "session parameters",
	.doc = "What the initiator's newest session has agreed on.",
	.attrs = param_attrs,
};

/* ---- fabric_statistics/ ---------------------------------------------------------------------- */

enum {
	S_NODE,
	S_INDX,
	S_CMD_PDUS,
	S_RSP_PDUS,
	S_TX_BYTES,
	S_RX_BYTES,
	S_DIGEST_ERRORS,
	S_TIMEOUT_ERRORS
};

/* Without a session: empty, as in LIO. */
static int get_stat(const struct attr *a, void *obj, struct strbuf *out)
{
	uint64_t tx = 0, rx = 0;
	struct session_info s;

	if (newest(obj, &s))
		return 0;
	for (unsigned k = 0; k < s.nconns_told; k++) {
		tx += s.conns[k].tx_bytes;
		rx += s.conns[k].rx_bytes;
	}
	const uint64_t values[] = {
		[S_NODE] = !s.discovery,
		[S_INDX] = s.tsih,
		[S_CMD_PDUS] = s.cmd_pdus,
		[S_RSP_PDUS] = s.rsp_pdus,
		[S_TX_BYTES] = tx,
		[S_RX_BYTES] = rx,
		[S_DIGEST_ERRORS] = s.digest_errors,
		[S_TIMEOUT_ERRORS] = 0,
	};
	strbuf_printf(out, "%" PRIu64, values[a->min]);
	return 0;
}

static int get_inst(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct tpg *tpg = ((struct acl *)obj)->port->fabric_data;

	strbuf_printf(out, "%u", tpg->target->index);
	return 0;
}

static const struct attr stats_attrs[] = {
	STAT("inst", get_inst, "Number of the target."),
	STAT_ID("node", get_stat, S_NODE, "1: a normal session."),
	STAT_ID("indx", get_stat, S_INDX, "TSIH."),
	STAT_ID("cmd_pdus", get_stat, S_CMD_PDUS, "SCSI Commands."),
	STAT_ID("rsp_pdus", get_stat, S_RSP_PDUS, "Responses to them."),
	STAT_ID("txdata_octs", get_stat, S_TX_BYTES, "Bytes sent, headers included."),
	STAT_ID("rxdata_octs", get_stat, S_RX_BYTES, "Bytes received, headers included."),
	STAT_ID("conn_digest_errors", get_stat, S_DIGEST_ERRORS, "PDUs with a wrong digest."),
	STAT_ID("conn_timeout_errors", get_stat, S_TIMEOUT_ERRORS,
		"0: a session whose connection has timed out is gone."),
	ATTR_END,
};

static const struct node_type sess_stats_type = {
	.name = "session statistics",
	.doc = "Counters of the initiator's newest session.",
	.attrs = stats_attrs,
};

static const struct node_default stats_defaults[] = {
	{ "iscsi_sess_stats", &sess_stats_type, NULL },
	{ NULL },
};

const struct node_type acl_stats_type = {
	.name = "ACL statistics",
	.doc = "Statistics of the initiator.",
	.defaults = stats_defaults,
};
