/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen_login.c: set-up of one session of the load generator: login without authentication,
 * SendTargets, capacity (RFC 7143 6, 11.10 to 11.15, appendix C). Blocking; any refusal ends the
 * program with the reason.
 */
#include "bench/gen.h"
#include "bench/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOGIN_ROUNDS = 16, READY_TRIES = 32, ISID_RANDOM = 0x80 };

struct text {
	char s[BENCH_TEXT_MAX + 4];
	uint32_t bytes;
};

static void __attribute__((format(printf, 2, 3))) text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->bytes, BENCH_TEXT_MAX - t->bytes, fmt, ap);
	va_end(ap);
	if (n < 0 || (uint32_t)n + 1 > BENCH_TEXT_MAX - t->bytes)
		die("text too long");
	t->bytes += (uint32_t)n + 1;
}

static void send_pdu(struct gen_sess *s, struct bhs *h, const struct text *t)
{
	struct txq q;
	struct bhs *p;

	txq_init(&q);
	p = txq_push(&q, t ? t->s : NULL, t ? t->bytes : 0, 0);
	h->data_len = p->data_len;
	*p = *h;
	while (txq_count(&q)) { /* far less than a socket buffer: one turn */
		int r = txq_flush(&q, s->fd);

		if (r)
			die("%s: send: %s", s->o->portal, strerror(-r));
	}
	txq_done(&q);
}

static void recv_all(struct gen_sess *s, void *to, size_t bytes)
{
	ssize_t n = bytes ? recv(s->fd, to, bytes, MSG_WAITALL) : 0;

	if (n < 0)
		die("%s: receive: %s", s->o->portal, strerror(errno));
	if ((size_t)n != bytes)
		die("%s: the target closed the connection during set-up", s->o->portal);
}

/* The next PDU; a ping is answered and skipped. */
static void recv_pdu(struct gen_sess *s, struct bhs *h, struct text *t)
{
	for (;;) {
		uint32_t bytes;

		recv_all(s, h, sizeof(*h));
		bytes = be24_get(h->data_len);
		if (h->ahs_words || bytes > BENCH_TEXT_MAX)
			die("unexpected PDU of %u bytes, opcode 0x%02x, during set-up", bytes,
				h->op);
		recv_all(s, t->s, (bytes + 3) & ~3u);
		t->bytes = bytes;
		if (h->op == OP_REJECT)
			die("rejected during set-up, reason 0x%02x", h->response);
		if (h->op != OP_NOP_IN)
			break;
		if (be32_get(h->ttt) != TAG_NONE) {
			struct bhs o = { .op = OP_NOP_OUT | OP_IMMEDIATE, .flags = F_FINAL };

			o.lun = h->lun;
			o.itt = be32_put(TAG_NONE);
			o.ttt = h->ttt;
			o.cmdsn = be32_put(s->w->cmdsn);
			o.expstatsn = be32_put(s->expstatsn);
			send_pdu(s, &o, NULL);
		}
	}
	s->expstatsn = be32_get(h->statsn) + 1;
	s->w->maxcmdsn = be32_get(h->maxcmdsn);
}

static bool yes(const char *v)
{
	return !strcmp(v, "Yes");
}

static void login_offer(const struct gen_sess *s, bool discovery, struct text *t)
{
	const struct gen_options *o = s->o;

	text_add(t, "InitiatorName=%s", o->initiator);
	text_add(t, "SessionType=%s", discovery ? "Discovery" : "Normal");
	text_add(t, "MaxRecvDataSegmentLength=%u", o->mrdsl);
	text_add(t, "HeaderDigest=None");
	text_add(t, "DataDigest=None");
	if (s->w->tsih) { /* RFC 7143 13: the rest is of the leading connection */
		text_add(t, "TargetName=%s", o->target);
		return;
	}
	text_add(t, "DefaultTime2Wait=2");
	text_add(t, "DefaultTime2Retain=0");
	text_add(t, "ErrorRecoveryLevel=0");
	if (discovery)
		return;
	text_add(t, "TargetName=%s", o->target);
	text_add(t, "MaxConnections=%u", o->connections);
	text_add(t, "InitialR2T=%s", o->initial_r2t ? "Yes" : "No");
	text_add(t, "ImmediateData=%s", o->immediate ? "Yes" : "No");
	text_add(t, "MaxBurstLength=%u", o->max_burst);
	text_add(t, "FirstBurstLength=%u", o->first_burst);
	text_add(t, "MaxOutstandingR2T=1");
	text_add(t, "DataPDUInOrder=Yes");
	text_add(t, "DataSequenceInOrder=Yes");
}

static void login_take(struct gen_sess *s, struct text *t)
{
	char *p = t->s, *key, *value;

	while (text_next(&p, t->s + t->bytes, &key, &value)) {
		uint32_t n = (uint32_t)strtoul(value, NULL, 0);

		if (!strcmp(value, "Irrelevant")) /* RFC 7143 6.2: decided by other keys */
			continue;
		if (!strcmp(key, "MaxRecvDataSegmentLength"))
			s->p.peer_mrdsl = n;
		else if (!strcmp(key, "FirstBurstLength"))
			s->p.first_burst = n;
		else if (!strcmp(key, "MaxBurstLength"))
			s->p.max_burst = n;
		else if (!strcmp(key, "InitialR2T"))
			s->p.initial_r2t = yes(value);
		else if (!strcmp(key, "ImmediateData"))
			s->p.immediate = yes(value);
		else if (!strcmp(key, "MaxConnections") && n < s->o->connections)
			die("login: the target grants %u connections", n);
		else if (!strcmp(value, "Reject") || !strcmp(value, "NotUnderstood"))
			die("login: the target answers %s=%s", key, value);
	}
	if (s->p.peer_mrdsl < 512 || s->p.first_burst < 512 || s->p.max_burst < 512)
		die("login: the target answers a length below 512");
}

/* One login phase, straight at the operational stage: no authentication. */
static void login_run(struct gen_sess *s, bool discovery)
{
	struct text t = { .bytes = 0 };
	struct bhs q = { .op = OP_LOGIN_REQ | OP_IMMEDIATE }, r;
	int round;

	q.flags = LOGIN_TRANSIT | LOGIN_OPERATIONAL << 2 | LOGIN_FULL_FEATURE;
	q.isid[0] = ISID_RANDOM;
	put_be32(q.isid + 1, (uint32_t)getpid());
	q.isid[1] ^= (uint8_t)((s->index - s->cid) >> 8);
	q.isid[5] = (uint8_t)(s->index - s->cid);
	q.tsih = be16_put(s->w->tsih);
	q.cid = be16_put(s->cid);
	q.itt = be32_put(s->tag++);
	q.cmdsn = be32_put(s->w->cmdsn);
	login_offer(s, discovery, &t);
	for (round = 0; round < LOGIN_ROUNDS; round++) {
		q.expstatsn = be32_put(s->expstatsn);
		send_pdu(s, &q, &t);
		recv_pdu(s, &r, &t);
		if (r.op != OP_LOGIN_RSP)
			die("login: answered by opcode 0x%02x", r.op);
		if (r.login_status[0])
			die("login: refused, class %u, detail %u", r.login_status[0],
				r.login_status[1]);
		login_take(s, &t);
		if ((r.flags & (LOGIN_TRANSIT | 3)) == (LOGIN_TRANSIT | LOGIN_FULL_FEATURE)) {
			s->w->tsih = be16_get(r.tsih);
			return;
		}
		t.bytes = 0;
		q.tsih = r.tsih;
	}
	die("login: no end after %d rounds", round);
}

/* One command with up to 255 bytes of data in, kept in t. Its SCSI status. */
static int setup_command(struct gen_sess *s, const uint8_t *cdb, uint8_t bytes, struct text *t)
{
	struct bhs q = { .op = OP_SCSI_CMD, .flags = F_FINAL | CMD_SIMPLE }, r;
	struct text in;

	t->bytes = 0;
	if (bytes)
		q.flags |= CMD_READ;
	put_be64(q.lun.b, s->o->lun);
	q.itt = be32_put(s->tag++);
	q.expected_len = be32_put(bytes);
	q.cmdsn = be32_put(s->w->cmdsn++);
	q.expstatsn = be32_put(s->expstatsn);
	memcpy(q.cdb, cdb, sizeof(q.cdb));
	send_pdu(s, &q, NULL);
	for (;;) {
		uint32_t before = s->expstatsn;

		recv_pdu(s, &r, &in);
		if (r.op == OP_DATA_IN) {
			if (!(r.flags & DATA_IN_STATUS))
				s->expstatsn = before;
			*t = in;
			if (r.flags & DATA_IN_STATUS)
				return r.status;
			continue;
		}
		if (r.op != OP_SCSI_RSP)
			die("set-up: a command is answered by opcode 0x%02x", r.op);
		if (r.status == 0x02 && in.bytes >= 2 + 14 && (in.s[4] & 0x0f) != 0x06)
			fprintf(stderr, "note: command 0x%02x at set-up: sense %x/%02x/%02x\n",
				cdb[0], in.s[4] & 0x0f, (uint8_t)in.s[14], (uint8_t)in.s[15]);
		return r.status;
	}
}

/* TEST UNIT READY until unit attentions are told, then READ CAPACITY (16), SBC-3 5.16. */
static void setup_disk(struct gen_sess *s)
{
	static const uint8_t ready[16] = { 0x00 };
	static const uint8_t capacity[16] = { 0x9e, 0x10, [13] = 32 };
	struct text t = { .bytes = 0 };
	int tries = 0;

	while (setup_command(s, ready, 0, &t)) {
		if (++tries == READY_TRIES)
			die("the unit does not become ready");
	}
	if (setup_command(s, capacity, 32, &t) || t.bytes < 12)
		die("READ CAPACITY (16) fails");
	s->p.nblocks = get_be64((uint8_t *)t.s) + 1;
	s->p.block = get_be32((uint8_t *)t.s + 8);
	if (s->p.block < 512 || s->p.block > 65536 || s->o->bytes % s->p.block)
		die("commands of %u bytes do not fit blocks of %u", s->o->bytes, s->p.block);
}

static void connect_to(struct gen_sess *s)
{
	struct timeval tv = { .tv_sec = GEN_ANSWER_SECONDS };

	s->fd = socket_connect(s->o->portal);
	if (s->fd < 0)
		die("connecting to %s: %s", s->o->portal, strerror(-s->fd));
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		die("SO_RCVTIMEO: %s", strerror(errno));
}

void gen_login(struct gen_sess *s, bool discovery)
{
	connect_to(s);
	s->w = &s->own;
	s->w->cmdsn = 1;
	s->p = (struct gen_params){ 8192, 65536, 262144, true, true, 0, 0 }; /* RFC 7143 13 */
	login_run(s, discovery);
	if (!discovery)
		setup_disk(s);
}

void gen_join(struct gen_sess *s, struct gen_sess *lead, uint16_t cid)
{
	connect_to(s);
	s->w = lead->w;
	s->cid = cid;
	s->p = lead->p;
	s->itt_base = cid * s->o->depth;
	login_run(s, false);
}

/* Ask to close and wait for the answer, so that the target is at rest when we are gone. */
void gen_logout(struct gen_sess *s)
{
	struct bhs q = { .op = OP_LOGOUT_REQ | OP_IMMEDIATE, .flags = F_FINAL }, r;
	struct text t;

	if (s->cid) {
		q.flags |= 1; /* RFC 7143 11.14.1: close the connection */
		q.cid = be16_put(s->cid);
	}
	q.itt = be32_put(s->tag++);
	q.cmdsn = be32_put(s->w->cmdsn);
	q.expstatsn = be32_put(s->expstatsn);
	send_pdu(s, &q, NULL);
	do
		recv_pdu(s, &r, &t);
	while (r.op != OP_LOGOUT_RSP);
	if (r.response)
		die("logout: response %u", r.response);
	close(s->fd);
	s->fd = -1;
}

void gen_discover(const struct gen_options *o, char *ret_name, size_t size)
{
	struct gen_sess *s = xalloc(sizeof(*s));
	struct bhs q = { .op = OP_TEXT_REQ, .flags = F_FINAL }, r;
	struct text t = { .bytes = 0 };
	char *p, *key, *value;

	s->o = o;
	gen_login(s, true);
	q.itt = be32_put(s->tag++);
	q.ttt = be32_put(TAG_NONE);
	q.cmdsn = be32_put(s->w->cmdsn++);
	q.expstatsn = be32_put(s->expstatsn);
	text_add(&t, "SendTargets=All");
	send_pdu(s, &q, &t);
	recv_pdu(s, &r, &t);
	if (r.op != OP_TEXT_RSP)
		die("SendTargets: answered by opcode 0x%02x", r.op);
	p = t.s;
	if (!text_next(&p, t.s + t.bytes, &key, &value) || strcmp(key, "TargetName"))
		die("SendTargets: %s shows us no target", o->portal);
	if (snprintf(ret_name, size, "%s", value) >= (int)size)
		die("SendTargets: name too long");
	if (r.flags & F_FINAL)
		gen_logout(s);
	else
		close(s->fd); /* a list that goes on: the first name was all we need */
	free(s);
}
