/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bare_login.c: login without authentication, and SendTargets, for the bare responder (RFC 7143 6,
 * 11.10 to 11.13). Keys that come in several PDUs (the C bit) end the connection.
 */
#include "bench/bare_priv.h"
#include "bench/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reply {
	char text[BENCH_TEXT_MAX];
	uint32_t bytes;
	bool full;
};

static void __attribute__((format(printf, 2, 3))) reply_add(struct reply *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->text + r->bytes, sizeof(r->text) - r->bytes, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n + 1 > sizeof(r->text) - r->bytes) {
		r->full = true;
		return;
	}
	r->bytes += (uint32_t)n + 1;
}

/* How a key is answered, RFC 7143 13. */
enum key_kind {
	KEY_SILENT, /* declared by the initiator */
	KEY_FIXED, /* always the same answer */
	KEY_AND, /* Yes if offered */
	KEY_MIN, /* the smaller number */
};

struct key_row {
	const char *name;
	enum key_kind kind;
	const char *fixed;
	uint32_t mine; /* KEY_MIN: our own limit */
	size_t field; /* KEY_MIN: of struct conn, or 0 */
};

static const struct key_row key_rows[] = {
	{ "InitiatorName", KEY_SILENT },
	{ "InitiatorAlias", KEY_SILENT },
	{ "TargetName", KEY_SILENT },
	{ "SessionType", KEY_SILENT },
	{ "MaxRecvDataSegmentLength", KEY_SILENT },
	{ "AuthMethod", KEY_FIXED, "None" },
	{ "HeaderDigest", KEY_FIXED, "None" },
	{ "DataDigest", KEY_FIXED, "None" },
	{ "MaxConnections", KEY_FIXED, "1" },
	{ "InitialR2T", KEY_FIXED, "Yes" },
	{ "ImmediateData", KEY_AND },
	{ "MaxBurstLength", KEY_MIN, NULL, BENCH_MAX_BURST, offsetof(struct conn, max_burst) },
	{ "FirstBurstLength", KEY_MIN, NULL, BENCH_FIRST_BURST,
		offsetof(struct conn, first_burst) },
	{ "MaxOutstandingR2T", KEY_FIXED, "1" },
	{ "DefaultTime2Wait", KEY_FIXED, "2" },
	{ "DefaultTime2Retain", KEY_FIXED, "0" },
	{ "ErrorRecoveryLevel", KEY_FIXED, "0" },
	{ "DataPDUInOrder", KEY_FIXED, "Yes" },
	{ "DataSequenceInOrder", KEY_FIXED, "Yes" },
	{ "IFMarker", KEY_FIXED, "No" },
	{ "OFMarker", KEY_FIXED, "No" },
};

static int key_number(const char *value, uint32_t lowest, uint32_t *ret)
{
	char *end;
	unsigned long n = strtoul(value, &end, 0);

	if (end == value || *end || n < lowest || n > 0xffffff)
		return -EPROTO;
	*ret = (uint32_t)n;
	return 0;
}

static int key_answer(struct conn *c, const struct key_row *k, const char *value, struct reply *r)
{
	uint32_t n;

	switch (k->kind) {
	case KEY_SILENT:
		return 0;
	case KEY_FIXED:
		reply_add(r, "%s=%s", k->name, k->fixed);
		return 0;
	case KEY_AND:
		reply_add(r, "%s=%s", k->name, strcmp(value, "Yes") ? "No" : "Yes");
		return 0;
	case KEY_MIN:
		if (key_number(value, 512, &n))
			return -EPROTO;
		n = n < k->mine ? n : k->mine;
		*(uint32_t *)((char *)c + k->field) = n;
		reply_add(r, "%s=%u", k->name, n);
		return 0;
	}
	return -EPROTO;
}

static int login_key(struct conn *c, const char *key, const char *value, struct reply *r)
{
	if (!strcmp(key, "SessionType"))
		c->discovery = !strcmp(value, "Discovery");
	if (!strcmp(key, "TargetName") && strcmp(value, BARE_TARGET))
		return -ENOENT;
	if (!strcmp(key, "MaxRecvDataSegmentLength") && key_number(value, 512, &c->peer_mrdsl))
		return -EPROTO;
	for (size_t i = 0; i < sizeof(key_rows) / sizeof(key_rows[0]); i++) {
		if (!strcmp(key, key_rows[i].name))
			return key_answer(c, &key_rows[i], value, r);
	}
	reply_add(r, "%s=NotUnderstood", key);
	return 0;
}

static void login_send(struct conn *c, const struct bhs *h, const struct reply *r, int status)
{
	uint8_t csg = (h->flags >> 2) & 3, nsg = h->flags & 3;
	bool transit = h->flags & LOGIN_TRANSIT && !status;
	char *text = xalloc(r->bytes + 4);
	struct bhs *p;

	memcpy(text, r->text, r->bytes);
	p = txq_push(&c->tx, text, r->bytes, TXQ_OWNED);
	p->op = OP_LOGIN_RSP;
	p->flags = (uint8_t)(csg << 2 | (transit ? LOGIN_TRANSIT | nsg : 0));
	memcpy(p->isid, h->isid, sizeof(p->isid));
	p->tsih = h->tsih;
	p->itt = h->itt;
	if (transit && nsg == LOGIN_FULL_FEATURE) {
		if (!++c->srv->tsih)
			c->srv->tsih = 1;
		p->tsih = be16_put(c->srv->tsih);
		c->stage = c->discovery ? CONN_DISCOVERY : CONN_NORMAL;
	}
	bare_number(c, p, true);
	p->login_status[0] = (uint8_t)(status >> 8);
	p->login_status[1] = (uint8_t)status;
	if (status)
		c->stage = CONN_CLOSING;
}

int bare_login(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes)
{
	char in[BENCH_TEXT_MAX + 1], *p = in, *key, *value;
	uint8_t csg = (h->flags >> 2) & 3;
	struct reply r = { .bytes = 0 };
	int status = 0;

	if (c->stage != CONN_LOGIN || bytes > BENCH_TEXT_MAX || h->flags & LOGIN_CONTINUE)
		return -EPROTO;
	if (!(h->op & OP_IMMEDIATE) || csg > LOGIN_OPERATIONAL)
		return -EPROTO;
	c->expcmdsn = be32_get(h->cmdsn);
	if (bytes)
		memcpy(in, data, bytes);
	while (!status && text_next(&p, in + bytes, &key, &value)) {
		int e = login_key(c, key, value, &r);

		if (e)
			status = e == -ENOENT ? 0x0203 : 0x0200; /* RFC 7143 11.13.5 */
	}
	if (!status && !c->discovery && !h->tsih.b[0] && !h->tsih.b[1] && c->statsn == 0)
		reply_add(&r, "TargetPortalGroupTag=1");
	if (!status && csg == LOGIN_OPERATIONAL && !c->mrdsl_told) {
		reply_add(&r, "MaxRecvDataSegmentLength=%d", BENCH_MRDSL);
		c->mrdsl_told = true;
	}
	if (r.full)
		return -EPROTO;
	login_send(c, h, &r, status);
	return 0;
}

int bare_text(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes)
{
	char in[BENCH_TEXT_MAX + 1], *p = in, *key, *value, *text;
	struct reply r = { .bytes = 0 };
	struct bhs *o;

	if (bytes > BENCH_TEXT_MAX || h->flags & LOGIN_CONTINUE)
		return -EPROTO;
	if (bytes)
		memcpy(in, data, bytes);
	while (text_next(&p, in + bytes, &key, &value)) {
		if (strcmp(key, "SendTargets")) {
			reply_add(&r, "%s=NotUnderstood", key);
		} else if (!strcmp(value, "All") || !*value || !strcmp(value, BARE_TARGET)) {
			reply_add(&r, "TargetName=%s", BARE_TARGET);
			reply_add(&r, "TargetAddress=%s", c->srv->portal);
		}
	}
	if (r.full)
		return -EPROTO;
	text = xalloc(r.bytes + 4);
	memcpy(text, r.text, r.bytes);
	o = txq_push(&c->tx, text, r.bytes, TXQ_OWNED);
	o->op = OP_TEXT_RSP;
	o->flags = F_FINAL;
	o->itt = h->itt;
	o->ttt = be32_put(TAG_NONE);
	bare_number(c, o, true);
	return 0;
}
