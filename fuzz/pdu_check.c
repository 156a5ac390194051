/* SPDX-License-Identifier: BSD-3-Clause */
/* pdu_check.c: what the initiator of pdu_fuzz demands of every PDU that comes (RFC 7143 11). */
#include "pdu_check.h"

#include <string.h>

#include "base/crc32c.h"
#include "fabric/iscsi/limits.h"
#include "rig.h"

static struct peer_task *task_of(struct peer *peer, uint32_t itt)
{
	for (unsigned i = 0; i < PEER_TASKS; i++)
		if (peer->tasks[i].active && peer->tasks[i].itt == itt)
			return &peer->tasks[i];
	return NULL;
}

/* The task that an answer is for; NULL if that is not to be told. */
static struct peer_task *task_answered(struct peer *peer, be32 itt, const char *what)
{
	struct peer_task *k = task_of(peer, be32_get(itt));

	REQUIRE(k || peer->loose, "%s for no command, ITT %u", what, be32_get(itt));
	return peer->loose ? NULL : k;
}

static void task_over(struct peer *peer, struct peer_task *k)
{
	k->active = false;
	peer->nactive -= !k->loose;
}

/* 11.4.2: StatSN counts responses. */
static void take_statsn(struct peer *peer, be32 statsn)
{
	REQUIRE(!peer->counts || be32_get(statsn) == peer->statsn, "StatSN is %u, not %u",
		be32_get(statsn), peer->statsn);
	peer->counts = true;
	peer->statsn = be32_get(statsn) + 1;
}

/* Where StatSN is only told it is the next one. */
static void see_statsn(struct peer *peer, be32 statsn)
{
	REQUIRE(be32_get(statsn) == peer->statsn, "StatSN is %u, not the next one, %u",
		be32_get(statsn), peer->statsn);
}

/* 11.4.5: what was expected is what was moved and the residual. */
static void check_residual(const struct peer_task *k, uint8_t flags, uint32_t residual)
{
	bool under = flags & RSP_UNDERFLOW, over = flags & RSP_OVERFLOW;

	REQUIRE(under || over || !residual, "a residual without O or U");
	REQUIRE(!(under || over) || residual, "O or U without a residual");
	REQUIRE(!under || residual <= k->edtl, "residual %u of %u", residual, k->edtl);
	if (!k->read || k->write)
		return;
	REQUIRE(k->in + (under ? residual : 0) == k->edtl,
		"%u bytes came, residual %u (flags 0x%02x), %u were expected", k->in, residual,
		flags, k->edtl);
}

static void check_status(uint8_t status)
{
	static const uint8_t known[] = { 0x00, 0x02, 0x04, 0x08, 0x18, 0x28, 0x30, 0x40 };

	REQUIRE(memchr(known, status, sizeof(known)), "status 0x%02x", status);
}

/* ---- by opcode ------------------------------------------------------------------------------ */

static void data_in(struct peer *peer, const struct bhs_data_in *d, uint32_t n)
{
	struct peer_task *k = task_answered(peer, d->initiator_task_tag, "Data-In");
	bool status = d->flags & DATA_IN_STATUS, final = d->flags & DATA_IN_FINAL;

	REQUIRE(n, "Data-In without data");
	REQUIRE(!(d->flags & DATA_IN_ACKNOWLEDGE), "A at level 0");
	REQUIRE(!status || final, "S without F");
	REQUIRE(status || !(d->flags & (DATA_IN_OVERFLOW | DATA_IN_UNDERFLOW)), "O, U without S");
	REQUIRE((d->flags & 0x06) != 0x06, "both O and U");
	REQUIRE(be32_get(d->target_transfer_tag) == TAG_RESERVED, "TTT without A");
	if (status) {
		check_status(d->status);
		take_statsn(peer, d->statsn);
	}
	if (!k)
		return;
	REQUIRE(k->read, "Data-In of a command that does not read");
	REQUIRE(be32_get(d->buffer_offset) == k->in, "Data-In at %u, not %u",
		be32_get(d->buffer_offset), k->in);
	REQUIRE(be32_get(d->datasn) == k->datasn, "DataSN %u", be32_get(d->datasn));
	REQUIRE(n <= k->edtl - k->in, "more Data-In than %u", k->edtl);
	k->datasn++;
	k->in += n;
	k->burst += n;
	REQUIRE(k->burst <= peer->p.max_burst, "a burst of %u", k->burst);
	if (final)
		k->burst = 0;
	else
		REQUIRE(k->burst < peer->p.max_burst, "no F at MaxBurstLength");
	if (status) {
		check_residual(k, d->flags, be32_get(d->residual_count));
		task_over(peer, k);
	}
}

static void check_sense(const struct bhs_scsi_response *r, const uint8_t *data, uint32_t n)
{
	uint32_t len;

	if (r->status != 0x02) {
		REQUIRE(!n, "data with status 0x%02x", r->status);
		return;
	}
	REQUIRE(n >= 2 + 8, "CHECK CONDITION with %u bytes of sense", n);
	len = get_be16(data);
	REQUIRE(len + 2 == n, "SenseLength %u in %u bytes", len, n);
	REQUIRE((data[2] & 0x7c) == 0x70, "response code 0x%02x", data[2]);
	REQUIRE(len == data[2 + 7] + 8u, "ADDITIONAL SENSE LENGTH %u of %u", data[2 + 7], len);
}

static void response(
	struct peer *peer, const struct bhs_scsi_response *r, const uint8_t *data, uint32_t n)
{
	struct peer_task *k = task_answered(peer, r->initiator_task_tag, "a response");
	uint32_t sent;

	take_statsn(peer, r->statsn);
	REQUIRE(r->flags & ISCSI_FINAL, "a response without F");
	REQUIRE(r->response == ISCSI_RESPONSE_COMMAND_COMPLETED, "response %u", r->response);
	check_status(r->status);
	check_sense(r, data, n);
	REQUIRE((r->flags & 0x06) != 0x06 && (r->flags & 0x18) != 0x18, "both O and U");
	if (!k)
		return;
	REQUIRE(!(r->flags & 0x18) || (k->read && k->write), "o or u of one direction");
	REQUIRE(!k->in || !k->burst, "the data do not end with F");
	check_residual(k, r->flags, be32_get(r->residual_count));
	/* 11.4.8: the Data-In and R2T that came, 0 without Data-In. */
	sent = k->in ? k->datasn + k->r2tsn : 0;
	REQUIRE(be32_get(r->expdatasn) == sent || (k->read && k->write), "ExpDataSN %u, not %u",
		be32_get(r->expdatasn), sent);
	task_over(peer, k);
}

static void r2t(struct peer *peer, const struct bhs_r2t *r)
{
	struct peer_task *k = task_answered(peer, r->initiator_task_tag, "R2T");
	struct peer_r2t q = { .itt = be32_get(r->initiator_task_tag),
		.ttt = be32_get(r->target_transfer_tag),
		.off = be32_get(r->buffer_offset),
		.len = be32_get(r->desired_data_transfer_length) };

	see_statsn(peer, r->statsn);
	REQUIRE(r->flags == ISCSI_FINAL, "flags 0x%02x of an R2T", r->flags);
	REQUIRE(q.ttt != TAG_RESERVED, "R2T without a TTT");
	REQUIRE(q.len, "R2T for nothing");
	if (peer->nr2ts < PEER_R2TS)
		peer->r2ts[peer->nr2ts++] = q;
	else
		peer_set_loose(peer); /* it will not answer this one */
	if (!k)
		return;
	REQUIRE(k->write, "R2T of a command that does not write");
	REQUIRE(be32_get(r->r2tsn) == k->r2tsn, "R2TSN %u", be32_get(r->r2tsn));
	REQUIRE(q.off == k->r2t_next, "R2T at %u, not %u", q.off, k->r2t_next);
	REQUIRE(q.len <= peer->p.max_burst && q.len <= k->edtl - q.off, "R2T for %u bytes", q.len);
	k->r2tsn++;
	k->r2t_next += q.len;
}

static void nop_in(struct peer *peer, const struct bhs_nop_in *h, uint32_t n)
{
	bool asks = be32_get(h->target_transfer_tag) != TAG_RESERVED;

	REQUIRE(h->flags == ISCSI_FINAL, "flags 0x%02x of a NOP-In", h->flags);
	if (be32_get(h->initiator_task_tag) != TAG_RESERVED) {
		REQUIRE(!asks, "a NOP-In with both tags");
		take_statsn(peer, h->statsn);
		return;
	}
	see_statsn(peer, h->statsn);
	REQUIRE(!n, "a ping with data");
	peer->ping_ttt = be32_get(h->target_transfer_tag);
}

static void text_response(struct peer *peer, const struct bhs_text_response *h)
{
	bool final = h->flags & TEXT_FINAL;

	take_statsn(peer, h->statsn);
	REQUIRE(!final || !(h->flags & TEXT_CONTINUE), "a Text Response with F and C");
	/* 11.11.4 */
	REQUIRE(final == (be32_get(h->target_transfer_tag) == TAG_RESERVED), "TTT 0x%08x with F=%d",
		be32_get(h->target_transfer_tag), final);
	peer->text_itt = be32_get(h->initiator_task_tag);
	peer->text_ttt = be32_get(h->target_transfer_tag);
}

static void reject(struct peer *peer, const struct bhs_reject *h, uint32_t n)
{
	take_statsn(peer, h->statsn);
	REQUIRE(h->reason >= 0x02 && h->reason <= 0x0c, "reason 0x%02x", h->reason);
	REQUIRE(be32_get(h->initiator_task_tag) == TAG_RESERVED, "a Reject with an ITT");
	REQUIRE(n == BHS_BYTES, "a Reject with %u bytes", n);
	/* There was no memory for its data. Its CmdSN is missing now (RFC 7143 11.17). */
	if (h->reason == ISCSI_REJECT_LONG_OPERATION)
		peer_set_loose(peer);
	REQUIRE(peer->loose || peer->may_reject, "a Reject, reason 0x%02x, of a right PDU",
		h->reason);
}

static void tmf_response(struct peer *peer, const struct bhs_tmf_response *h, uint32_t n)
{
	take_statsn(peer, h->statsn);
	REQUIRE(h->flags == ISCSI_FINAL && !n, "a bad TMF response");
	REQUIRE(h->response <= 7 || h->response == 255, "response %u to a TMF", h->response);
}

static void logout_response(struct peer *peer, const struct bhs_logout_response *h, uint32_t n)
{
	take_statsn(peer, h->statsn);
	REQUIRE(h->flags == ISCSI_FINAL && !n, "a bad Logout Response");
	REQUIRE(h->response <= 3, "response %u to a Logout", h->response);
	peer->logged_out = h->response == ISCSI_LOGOUT_SUCCESS;
}

static void async_message(struct peer *peer, const struct bhs_async_message *h)
{
	take_statsn(peer, h->statsn);
	REQUIRE(h->flags == ISCSI_FINAL, "flags 0x%02x of an Async Message", h->flags);
	REQUIRE(h->async_event <= 5, "event %u", h->async_event);
	REQUIRE(be32_get(h->initiator_task_tag) == TAG_RESERVED, "an Async Message with an ITT");
}

/* A value of one key in a text, NULL: none. */
static const char *value_of(const char *text, size_t n, const char *key)
{
	size_t len = strlen(key);
	const char *p = memmem(text, n, key, len);

	return p && p + len < text + n && p[len] == '=' ? p + len + 1 : NULL;
}

static void take_digest(struct peer *peer, const char *value, size_t n, bool *ret)
{
	if (!value)
		return;
	if (n >= 7 && !memcmp(value, "CRC32C", 7))
		*ret = true;
	else if (n >= 5 && !memcmp(value, "None", 5))
		*ret = false;
	else
		peer->blind = true;
}

static void login_response(
	struct peer *peer, const struct bhs_login_response *h, const uint8_t *data, uint32_t n)
{
	const char *text = (const char *)data, *hd = value_of(text, n, "HeaderDigest"),
		   *dd = value_of(text, n, "DataDigest");

	REQUIRE(h->version_active == ISCSI_VERSION, "version %u", h->version_active);
	if (h->status_class) {
		REQUIRE(h->status_class <= 3, "status class %u", h->status_class);
		REQUIRE(!n, "a refusal with a text");
		return;
	}
	take_statsn(peer, h->statsn);
	REQUIRE(!(h->flags & LOGIN_TRANSIT) || !(h->flags & LOGIN_CONTINUE), "T and C");
	/* They come into force with the Full Feature Phase: kept in p until then. */
	take_digest(peer, hd, n - (size_t)(hd ? hd - text : 0), &peer->p.header_digest);
	take_digest(peer, dd, n - (size_t)(dd ? dd - text : 0), &peer->p.data_digest);
	if (!(h->flags & LOGIN_TRANSIT) || login_nsg(h->flags) != ISCSI_STAGE_FULL_FEATURE_PHASE)
		return;
	REQUIRE(be16_get(h->tsih), "no TSIH");
	peer->full_feature = true;
	peer->header_digest = peer->p.header_digest;
	peer->data_digest = peer->p.data_digest;
	peer->exp_cmdsn = be32_get(h->expcmdsn);
	peer->max_cmdsn = be32_get(h->maxcmdsn);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* 4.2.2.1: neither end of the window goes backwards. */
static void check_window(struct peer *peer, const struct bhs_nop_in *h)
{
	uint32_t exp = be32_get(h->expcmdsn), max = be32_get(h->maxcmdsn);

	REQUIRE((int32_t)(exp - peer->exp_cmdsn) >= 0, "ExpCmdSN back from %u to %u",
		peer->exp_cmdsn, exp);
	REQUIRE((int32_t)(max - peer->max_cmdsn) >= 0, "MaxCmdSN back from %u to %u",
		peer->max_cmdsn, max);
	REQUIRE((int32_t)(max - exp) >= -1, "ExpCmdSN %u, MaxCmdSN %u", exp, max);
	REQUIRE(peer->loose || (int32_t)(exp - peer->cmdsn) <= 0, "ExpCmdSN %u, %u comes next", exp,
		peer->cmdsn);
	peer->exp_cmdsn = exp;
	peer->max_cmdsn = max;
}

static void take_pdu(struct peer *peer, const void *bhs, const uint8_t *data, uint32_t n)
{
	enum iscsi_opcode op = bhs_opcode(bhs);

	REQUIRE(!peer->logged_out, "opcode 0x%02x after a Logout Response", op);
	REQUIRE(!(*(const uint8_t *)bhs & 0xc0), "opcode byte 0x%02x", *(const uint8_t *)bhs);
	if (!peer->full_feature) {
		REQUIRE(op == ISCSI_OP_LOGIN_RESPONSE, "opcode 0x%02x during login", op);
		login_response(peer, bhs, data, n);
		return;
	}
	check_window(peer, bhs);
	switch (op) {
	case ISCSI_OP_DATA_IN:
		data_in(peer, bhs, n);
		break;
	case ISCSI_OP_SCSI_RESPONSE:
		response(peer, bhs, data, n);
		break;
	case ISCSI_OP_R2T:
		r2t(peer, bhs);
		break;
	case ISCSI_OP_NOP_IN:
		nop_in(peer, bhs, n);
		break;
	case ISCSI_OP_TEXT_RESPONSE:
		text_response(peer, bhs);
		break;
	case ISCSI_OP_TASK_MANAGEMENT_RESPONSE:
		tmf_response(peer, bhs, n);
		break;
	case ISCSI_OP_LOGOUT_RESPONSE:
		logout_response(peer, bhs, n);
		break;
	case ISCSI_OP_ASYNC_MESSAGE:
		async_message(peer, bhs);
		break;
	case ISCSI_OP_REJECT:
		reject(peer, bhs, n);
		break;
	default:
		fuzz_fail("opcode 0x%02x", op);
	}
}

bool check_next_pdu(struct peer *peer)
{
	const struct bhs *h = (const struct bhs *)peer->rx;
	uint32_t hd = peer->header_digest ? DIGEST_BYTES : 0, dd, n, pad, all;
	static const uint8_t zero[4];
	const uint8_t *data = peer->rx + BHS_BYTES + hd;

	if (peer->rx_bytes < BHS_BYTES + hd)
		return false;
	REQUIRE(!hd || crc32c_get(data - hd) == crc32c(h, BHS_BYTES), "header digest");
	REQUIRE(!h->total_ahs_length, "an AHS");
	n = bhs_data_bytes(h);
	REQUIRE(n <= (peer->any_length ? CONN_DATA_SEGMENT_BYTES_MAX : peer->max_recv),
		"opcode 0x%02x with %u bytes, MaxRecvDataSegmentLength is %u", h->opcode, n,
		peer->max_recv);
	pad = pad_bytes(n);
	dd = n && peer->data_digest ? DIGEST_BYTES : 0;
	all = BHS_BYTES + hd + n + pad + dd;
	if (peer->rx_bytes < all)
		return false;
	REQUIRE(!memcmp(data + n, zero, pad), "padding that is not zero");
	REQUIRE(!dd || crc32c_get(data + n + pad) == crc32c(data, n + pad), "data digest");
	take_pdu(peer, peer->rx, data, n);
	memmove(peer->rx, peer->rx + all, peer->rx_bytes - all);
	peer->rx_bytes -= all;
	return !peer->blind;
}
