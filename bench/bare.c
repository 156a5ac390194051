/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bare.c: the bare responder: just enough of an iSCSI target to be measured. One thread, plain
 * sockets with epoll, memory behind it, no SCSI engine: commands are answered as they are parsed,
 * data is received into and sent from the disk's memory itself. What it costs is the ceiling that
 * a real target is held against; it is of no other use, and it must not face a network.
 *
 * RFC 7143, ERL 0, one connection a session, no authentication, no digests.
 */
#include "bench/bare_priv.h"
#include "bench/util.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STATUS_GOOD = 0x00, STATUS_CHECK = 0x02, STATUS_TASK_SET_FULL = 0x28 };

void bare_number(struct conn *c, struct bhs *r, bool status)
{
	if (status)
		r->statsn = be32_put(c->statsn++);
	r->expcmdsn = be32_put(c->expcmdsn);
	r->maxcmdsn = be32_put(c->expcmdsn + BENCH_WINDOW - 1);
}

/* Set residual flags and count: the CDB meant `actual` bytes, the initiator expected `expected`. */
static void set_residual(struct bhs *r, uint32_t actual, uint32_t expected)
{
	if (actual == expected)
		return;
	r->flags |= actual < expected ? RSP_UNDERFLOW : RSP_OVERFLOW;
	r->residual = be32_put(actual < expected ? expected - actual : actual - expected);
}

static struct bhs *send_status(struct conn *c, be32 itt, uint8_t status)
{
	struct bhs *r = txq_push(&c->tx, NULL, 0, 0);

	r->op = OP_SCSI_RSP;
	r->flags = F_FINAL;
	r->status = status;
	r->itt = itt;
	bare_number(c, r, true);
	return r;
}

/* CHECK CONDITION with fixed format sense data (SPC-4 4.5.3), RFC 7143 11.4.7. */
static void send_check(struct conn *c, be32 itt, uint8_t key, uint16_t asc, uint32_t expected)
{
	uint8_t *p = xalloc(20);
	struct bhs *r = txq_push(&c->tx, p, 20, TXQ_OWNED);

	put_be16(p, 18);
	p[2] = 0x70;
	p[4] = key;
	p[9] = 10;
	put_be16(p + 14, asc);
	r->op = OP_SCSI_RSP;
	r->flags = F_FINAL;
	r->status = STATUS_CHECK;
	r->itt = itt;
	bare_number(c, r, true);
	set_residual(r, 0, expected);
}

/*
 * Data-In PDUs for one command, status on the last (RFC 7143 11.7).
 *   actual	bytes that the CDB asked for; what goes out is the smaller of it and expected
 *   flags	of txq_push, for the last PDU
 */
static void send_data(struct conn *c, be32 itt, const uint8_t *from, uint32_t actual,
	uint32_t expected, uint32_t flags)
{
	uint32_t total = actual < expected ? actual : expected, off = 0, sn = 0;

	if (!total) {
		set_residual(send_status(c, itt, STATUS_GOOD), actual, expected);
		return;
	}
	do {
		uint32_t n = total - off, burst = c->max_burst - off % c->max_burst;
		bool last, end;
		struct bhs *r;

		n = n < c->peer_mrdsl ? n : c->peer_mrdsl;
		n = n < burst ? n : burst;
		last = off + n == total;
		end = last || n == burst;
		r = txq_push(&c->tx, from + off, n, last ? flags : 0);
		r->op = OP_DATA_IN;
		r->flags = (end ? F_FINAL : 0) | (last ? DATA_IN_STATUS : 0);
		r->itt = itt;
		r->ttt = be32_put(TAG_NONE);
		bare_number(c, r, last);
		r->datasn = be32_put(sn++);
		r->offset = be32_put(off);
		if (last)
			set_residual(r, actual, expected);
		off += n;
	} while (off < total);
}

/* READ and WRITE (10) and (16), SBC-3 5.8 ff.: where on the disk. False for another command. */
static bool decode_rw(const uint8_t *cdb, uint64_t *lba, uint32_t *blocks)
{
	switch (cdb[0]) {
	case 0x28:
	case 0x2a:
		*lba = get_be32(cdb + 2);
		*blocks = get_be16(cdb + 7);
		return true;
	case 0x88:
	case 0x8a:
		*lba = get_be64(cdb + 2);
		*blocks = get_be32(cdb + 10);
		return true;
	default:
		return false;
	}
}

/* The memory of a READ or WRITE, or NULL if it is none, at no unit, or reaches past the end. */
static uint8_t *locate(const struct disk *d, const struct bhs *h, uint32_t *ret_bytes)
{
	uint64_t lba, all = d->bytes / d->block;
	uint32_t blocks;

	if (!decode_rw(h->cdb, &lba, &blocks) || be64_get(h->lun))
		return NULL;
	if (lba > all || blocks > all - lba || blocks > 0x7fffffff / d->block)
		return NULL;
	*ret_bytes = blocks * d->block;
	return d->mem + lba * d->block;
}

static void write_end(struct conn *c, struct write_task *w)
{
	set_residual(send_status(c, w->itt, STATUS_GOOD), w->cdb_len, w->expected);
	w->used = false;
	c->nwrites--;
}

/* Ask for the next burst of a WRITE, RFC 7143 11.8. */
static void send_r2t(struct conn *c, struct write_task *w)
{
	uint32_t n = w->total - w->got;
	struct bhs *r = txq_push(&c->tx, NULL, 0, 0);

	n = n < c->max_burst ? n : c->max_burst;
	w->burst_end = w->got + n;
	r->op = OP_R2T;
	r->flags = F_FINAL;
	r->itt = w->itt;
	r->ttt = be32_put((uint32_t)(w - c->writes));
	bare_number(c, r, false);
	r->statsn = be32_put(c->statsn);
	r->r2tsn = be32_put(w->r2tsn++);
	r->offset = be32_put(w->got);
	r->desired_len = be32_put(n);
}

static int start_write(struct conn *c, const struct bhs *h, uint8_t *to, uint32_t cdb_len,
	const void *data, uint32_t bytes)
{
	uint32_t expected = be32_get(h->expected_len);
	uint32_t total = cdb_len < expected ? cdb_len : expected;
	struct write_task *w = c->writes;

	if (bytes > total)
		return -EPROTO;
	if (bytes && data != to)
		memcpy(to, data, bytes);
	if (bytes == total) {
		set_residual(send_status(c, h->itt, STATUS_GOOD), cdb_len, expected);
		return 0;
	}
	if (c->nwrites == BENCH_WINDOW) {
		send_status(c, h->itt, STATUS_TASK_SET_FULL);
		return 0;
	}
	while (w->used)
		w++;
	*w = (struct write_task){ true, h->itt, to, total, bytes, bytes, 0, expected, cdb_len };
	c->nwrites++;
	send_r2t(c, w);
	return 0;
}

static int on_command(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes)
{
	uint32_t expected = be32_get(h->expected_len), n;
	uint8_t *at = locate(&c->srv->disk, h, &n);
	uint64_t lba;
	struct answer a;
	uint8_t *copy;

	if (c->stage != CONN_NORMAL || !(h->flags & F_FINAL))
		return -EPROTO;
	if (at && (h->cdb[0] & 0x0f) == 0x0a)
		return start_write(c, h, at, n, data, bytes);
	if (at) {
		send_data(c, h->itt, at, n, h->flags & CMD_READ ? expected : 0, 0);
		return 0;
	}
	if (decode_rw(h->cdb, &lba, &n) && !be64_get(h->lun)) {
		send_check(c, h->itt, 0x05, 0x2100, expected); /* LBA OUT OF RANGE */
		return 0;
	}
	bare_control(&c->srv->disk, h->cdb, !be64_get(h->lun), &a);
	if (a.key) {
		send_check(c, h->itt, a.key, a.asc, expected);
	} else if (!a.bytes || !expected || !(h->flags & CMD_READ)) {
		set_residual(send_status(c, h->itt, STATUS_GOOD), a.bytes, expected);
	} else {
		copy = xalloc(a.bytes + 4);
		memcpy(copy, a.data, a.bytes);
		send_data(c, h->itt, copy, a.bytes, expected, TXQ_OWNED);
	}
	return 0;
}

/* The WRITE that a Data-Out belongs to, if the segment lies where the last R2T asked for. */
static struct write_task *find_write(struct conn *c, const struct bhs *h, uint32_t bytes)
{
	uint32_t ttt = be32_get(h->ttt), off = be32_get(h->offset);
	struct write_task *w = ttt < BENCH_WINDOW ? &c->writes[ttt] : NULL;

	if (!w || !w->used || off != w->got || bytes > w->burst_end - w->got)
		return NULL;
	return w;
}

static int on_data_out(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes)
{
	struct write_task *w = find_write(c, h, bytes);

	if (!w)
		return -EPROTO;
	if (bytes && data != w->to + w->got)
		memcpy(w->to + w->got, data, bytes);
	w->got += bytes;
	if (w->got == w->total)
		write_end(c, w);
	else if (w->got == w->burst_end)
		send_r2t(c, w);
	return 0;
}

static int on_nop(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes)
{
	struct bhs *r;
	uint8_t *copy;

	if (be32_get(h->itt) == TAG_NONE) /* an answer to a ping that we never send */
		return 0;
	bytes = bytes < c->peer_mrdsl ? bytes : c->peer_mrdsl;
	copy = xalloc(bytes + 4);
	if (bytes)
		memcpy(copy, data, bytes);
	r = txq_push(&c->tx, copy, bytes, TXQ_OWNED);
	r->op = OP_NOP_IN;
	r->flags = F_FINAL;
	r->lun = h->lun;
	r->itt = h->itt;
	r->ttt = be32_put(TAG_NONE);
	bare_number(c, r, true);
	return 0;
}

/* TMF and Logout: "function complete" and "closed successfully" are both response 0. */
static int on_simple(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes)
{
	struct bhs *r = txq_push(&c->tx, NULL, 0, 0);
	bool logout = (h->op & OP_MASK) == OP_LOGOUT_REQ;

	r->op = logout ? OP_LOGOUT_RSP : OP_TMF_RSP;
	r->flags = F_FINAL;
	r->itt = h->itt;
	bare_number(c, r, true);
	if (logout)
		c->stage = CONN_CLOSING;
	return 0;
}

static const struct op_row {
	int (*run)(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes);
	bool numbered; /* carries a CmdSN */
} op_rows[] = {
	[OP_NOP_OUT] = { on_nop, true },
	[OP_SCSI_CMD] = { on_command, true },
	[OP_TMF_REQ] = { on_simple, true },
	[OP_LOGIN_REQ] = { bare_login, false },
	[OP_TEXT_REQ] = { bare_text, true },
	[OP_DATA_OUT] = { on_data_out, false },
	[OP_LOGOUT_REQ] = { on_simple, true },
};

static int on_pdu(void *ctx, const struct bhs *h, const void *data, uint32_t bytes)
{
	struct conn *c = ctx;
	uint8_t op = h->op & OP_MASK;

	if (op >= sizeof(op_rows) / sizeof(op_rows[0]) || c->stage == CONN_CLOSING)
		return -EPROTO;
	if (c->stage == CONN_LOGIN && op != OP_LOGIN_REQ)
		return -EPROTO;
	if (op_rows[op].numbered && !(h->op & OP_IMMEDIATE)) {
		if (be32_get(h->cmdsn) != c->expcmdsn)
			return -EPROTO;
		c->expcmdsn++;
	}
	return op_rows[op].run(c, h, data, bytes);
}

static enum rx_place on_place(void *ctx, const struct bhs *h, uint32_t bytes, void **ret_into)
{
	struct conn *c = ctx;
	struct write_task *w;
	uint32_t n;

	if (c->stage != CONN_NORMAL)
		return RX_WHOLE;
	if ((h->op & OP_MASK) == OP_DATA_OUT) {
		w = find_write(c, h, bytes);
		*ret_into = w ? w->to + w->got : NULL;
	} else if ((h->op & OP_MASK) == OP_SCSI_CMD && (h->cdb[0] & 0x0f) == 0x0a) {
		*ret_into = locate(&c->srv->disk, h, &n);
		if (*ret_into && (bytes > n || bytes > be32_get(h->expected_len)))
			*ret_into = NULL;
	}
	return *ret_into ? RX_INTO : RX_WHOLE;
}

static const struct rx_ops conn_ops = { on_place, on_pdu };

static void conn_free(struct conn *c)
{
	close(c->fd);
	rx_done(&c->rx);
	txq_done(&c->tx);
	free(c);
}

/* Serve one event of a connection. False when it is over. */
static bool conn_event(struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .data.ptr = c };
	int r = 0;

	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && txq_count(&c->tx) < BENCH_TX_QUEUED) {
		long n = rx_fill(&c->rx, c->fd, MSG_DONTWAIT);

		r = n < 0 ? (int)n : rx_parse(&c->rx, &conn_ops, c);
	}
	if (r || txq_flush(&c->tx, c->fd))
		return false;
	if (c->stage == CONN_CLOSING && !txq_count(&c->tx))
		return false;
	ev.events = (txq_count(&c->tx) ? EPOLLOUT : 0) |
		    (txq_count(&c->tx) < BENCH_TX_QUEUED ? EPOLLIN : 0);
	if (ev.events == c->armed)
		return true;
	c->armed = ev.events;
	return !epoll_ctl(c->srv->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

static void server_accept(struct server *s)
{
	int one = 1, fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *c;

	if (fd < 0)
		return;
	c = xalloc(sizeof(*c));
	c->srv = s;
	c->fd = fd;
	c->armed = EPOLLIN;
	c->peer_mrdsl = 8192; /* until the initiator tells, RFC 7143 13.12 */
	c->max_burst = 262144; /* default, 13.13 */
	c->first_burst = 65536; /* default, 13.14 */
	rx_init(&c->rx);
	txq_init(&c->tx);
	ev.data.ptr = c;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
		epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev))
		conn_free(c);
}

static void server_run(struct server *s)
{
	struct epoll_event ev[BENCH_EVENTS];

	for (;;) {
		int n = epoll_wait(s->epoll, ev, BENCH_EVENTS, -1);

		if (n < 0 && errno != EINTR)
			die("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < n; i++) {
			if (!ev[i].data.ptr)
				server_accept(s);
			else if (!conn_event(ev[i].data.ptr, ev[i].events))
				conn_free(ev[i].data.ptr);
		}
	}
}

static void server_open(struct server *s, const char *listen_at)
{
	struct epoll_event ev = { .events = EPOLLIN };
	char host[64], port[8];
	int n;

	s->disk.mem = mmap(NULL, s->disk.bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->disk.mem == MAP_FAILED)
		die("mapping %llu bytes: %s", (unsigned long long)s->disk.bytes, strerror(errno));
	if (split_address(listen_at, host, port))
		die("not an address: %s", listen_at);
	s->listener = socket_listen(listen_at);
	if (s->listener < 0)
		die("listening on %s: %s", listen_at, strerror(-s->listener));
	fcntl(s->listener, F_SETFL, O_NONBLOCK);
	n = snprintf(s->portal, sizeof(s->portal), strchr(host, ':') ? "[%s]:%u,1" : "%s:%u,1",
		host, socket_port(s->listener));
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &ev))
		die("epoll: %s", strerror(errno));
	printf("%.*s %s\n", n - 2, s->portal, BARE_TARGET);
	fflush(stdout);
}

static void usage(void)
{
	puts("usage: bare [--listen ADDR:PORT] [--size BYTES] [--block 512|4096]\n"
	     "Serves one RAM disk without any protection; for benchmarks on loopback only.\n"
	     "Prints its address and target name once it listens (port 0: any free one).");
	exit(0);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = { { "listen", 1, NULL, 'l' }, { "size", 1, NULL, 's' },
		{ "block", 1, NULL, 'b' }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct server s = { .disk = { .bytes = 1ull << 30, .block = 512 } };
	const char *listen_at = "127.0.0.1:0";
	int o;

	while ((o = getopt_long(argc, argv, "l:s:b:h", opts, NULL)) != -1) {
		if (o == 'l')
			listen_at = optarg;
		else if (o == 's')
			s.disk.bytes = parse_size(optarg);
		else if (o == 'b')
			s.disk.block = (uint32_t)parse_number(optarg, 4096);
		else if (o == 'h')
			usage();
		else
			return 1;
	}
	if (s.disk.block != 512 && s.disk.block != 4096)
		die("blocks are of 512 or 4096 bytes");
	if (!s.disk.bytes || s.disk.bytes % s.disk.block)
		die("the size must be a multiple of the block length");
	server_open(&s, listen_at);
	server_run(&s);
}
