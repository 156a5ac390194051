/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_uring.c: the loop on io_uring.
 *
 * One io_uring_enter() per round hands over all that was started, waits, and runs the kernel's
 * part of what has become ready. user_data is the address of the operation; 0 marks entries whose
 * result nobody wants (cancels, closes), 1 the read of the eventfd by which others wake the loop.
 *
 * How sockets are served was measured with 48-byte requests answered by 4 KiB over loopback, 32
 * of them outstanding (server CPU seconds per million, medians of 8 interleaved rounds):
 *
 *	3.6	receive with a selected buffer, polling first; send through the ring (this file)
 *	3.6	the same, and sendmsg(2) directly
 *	3.7	multishot receive, send either way
 *	3.7	multishot poll, recv(2) and sendmsg(2)
 *	3.8	receive without polling first
 *	3.8	epoll, recv(2) and sendmsg(2)
 *
 * So nothing is gained by multishot receives, which could not be switched to direct placement
 * without a cancel, nor by calling past the ring.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/loop_priv.h"
#include "loop/uring_compat.h"

enum { TAG_NONE = 0, TAG_WAKE = 1 };
enum { BUF_GROUP = 0 };

struct uring {
	struct io_uring ring;
	bool ring_made;
	struct io_uring_buf_ring *bufs; /* URING_RING_BUFS entries, the kernel takes from it */
	unsigned nbufs; /* buffers in it */
	struct op_queue recvs; /* OP_RECV_BUF that go to the kernel at the end of the round */
	struct op_queue starved; /* OP_RECV_BUF that found no buffer */
	struct op_queue paused; /* OP_ACCEPT that found no descriptor */
	struct loop_timer accept_timer;
	struct loop *loop;
	uint64_t wake_count; /* what the wake-up read; nobody cares */
};

static struct uring *uring_of(struct loop *loop)
{
	return loop->impl_data;
}

/* ---- the ring ----------------------------------------------------------------------------- */

/* What Linux 6.1 has is wanted; each row does with less. */
static const struct setup {
	unsigned flags;
	const char *name;
} setups[] = {
	{ IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN,
		"single issuer, deferred task run" },
	{ IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, "single issuer" },
	{ IORING_SETUP_COOP_TASKRUN, "cooperative task run" },
};
enum { NSETUPS = sizeof(setups) / sizeof(setups[0]) };

static const uint8_t ops_needed[] = { IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_READ,
	IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_FALLOCATE, IORING_OP_SEND, IORING_OP_RECV,
	IORING_OP_SENDMSG, IORING_OP_RECVMSG, IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL,
	IORING_OP_CLOSE, IORING_OP_CONNECT };

static const unsigned features_needed = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
					IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL |
					IORING_FEAT_CQE_SKIP;

static int ring_make(struct io_uring *ring, unsigned entries, unsigned *ret_setup)
{
	int ret = -EINVAL;

	for (unsigned i = 0; i < NSETUPS && ret == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = setups[i].flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = entries * (URING_CQ_ENTRIES / URING_SQ_ENTRIES),
		};

		ret = io_uring_queue_init_params(entries, ring, &p);
		if (!ret && ret_setup)
			*ret_setup = i;
	}
	return ret;
}

static int ring_error(struct errmsg *err, int ret)
{
	static const struct {
		int err;
		const char *why;
	} reasons[] = {
		{ -ENOSYS, "this kernel has no io_uring, or a seccomp profile hides it" },
		{ -EPERM, "a seccomp profile, LSM or the sysctl kernel.io_uring_disabled forbids "
			  "it" },
		{ -EACCES, "an LSM forbids it" },
		{ -ENOMEM, "not enough locked memory is allowed (RLIMIT_MEMLOCK)" },
		{ -EINVAL, "this kernel is older than Linux 6.1" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].err == ret)
			return errmsg_set(err, ret, "%s", reasons[i].why);
	return errmsg_set(err, ret, "io_uring_setup: %s", err_text(ret));
}

static size_t buf_ring_bytes(void)
{
	return URING_RING_BUFS * sizeof(struct io_uring_buf);
}

static int buf_ring_make(struct io_uring *ring, struct io_uring_buf_ring **ret)
{
	struct io_uring_buf_reg reg = { .ring_entries = URING_RING_BUFS, .bgid = BUF_GROUP };
	void *p = mmap(NULL, buf_ring_bytes(), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int r;

	if (p == MAP_FAILED)
		return -errno;
	reg.ring_addr = (uintptr_t)p;
	r = io_uring_register_buf_ring(ring, &reg, 0);
	if (r) {
		munmap(p, buf_ring_bytes());
		return r;
	}
	*ret = p;
	io_uring_buf_ring_init(*ret);
	return 0;
}

static int probe_ops(struct io_uring *ring, struct errmsg *err)
{
	struct io_uring_probe *probe;
	int ret = 0;

	if ((ring->features & features_needed) != features_needed)
		return errmsg_set(
			err, -EOPNOTSUPP, "this kernel's io_uring is older than Linux 6.1");
	probe = io_uring_get_probe_ring(ring);
	if (!probe)
		return errmsg_set(err, -EOPNOTSUPP, "io_uring cannot be probed");
	for (size_t i = 0; i < sizeof(ops_needed) && !ret; i++)
		if (!io_uring_opcode_supported(probe, ops_needed[i]))
			ret = errmsg_set(err, -EOPNOTSUPP,
				"this kernel's io_uring has no operation %u", ops_needed[i]);
	io_uring_free_probe(probe);
	return ret;
}

int uring_probe(struct errmsg *err, char *ret_features, size_t n)
{
	struct io_uring_buf_ring *bufs = NULL;
	struct io_uring ring;
	unsigned setup;
	int ret = ring_make(&ring, 8, &setup);

	if (ret)
		return ring_error(err, ret);
	ret = probe_ops(&ring, err);
	if (ret)
		goto out;
	ret = buf_ring_make(&ring, &bufs);
	if (ret) {
		errmsg_set(err, ret, "this kernel's io_uring has no rings of buffers (%s)",
			err_text(ret));
		goto out;
	}
	munmap(bufs, buf_ring_bytes());
	snprintf(ret_features, n, "%s", setups[setup].name);
out:
	io_uring_queue_exit(&ring);
	return ret;
}

static struct io_uring_sqe *sqe_get(struct uring *u)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&u->ring))) {
		int ret = io_uring_submit(&u->ring);

		/* Those pass: the kernel is short of memory for a moment. */
		assert(ret >= 0 || ret == -EAGAIN || ret == -EBUSY || ret == -EINTR);
	}
	return sqe;
}

static void sqe_op(struct io_uring_sqe *sqe, struct loop_op *op)
{
	io_uring_sqe_set_data64(sqe, (uintptr_t)op);
}

static void wake_arm(struct uring *u)
{
	struct io_uring_sqe *sqe = sqe_get(u);

	io_uring_prep_read(sqe, u->loop->wake_fd, &u->wake_count, sizeof(u->wake_count), 0);
	io_uring_sqe_set_data64(sqe, TAG_WAKE);
}

/* ---- sockets ------------------------------------------------------------------------------ */

/*
 * The ring returns -EAGAIN for a descriptor with O_NONBLOCK instead of waiting. Ours have it not;
 * one that came from elsewhere (socket activation) loses it.
 */
static bool made_blocking(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	return fl >= 0 && (fl & O_NONBLOCK) && fcntl(fd, F_SETFL, fl & ~O_NONBLOCK) == 0;
}

static void uring_accept(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = sqe_get(uring_of(loop));

	io_uring_prep_multishot_accept(sqe, op_priv(op)->fd, NULL, NULL, SOCK_CLOEXEC);
	sqe_op(sqe, op);
}

static void uring_connect(struct loop *loop, struct loop_op *op)
{
	struct op_priv *p = op_priv(op);
	struct io_uring_sqe *sqe;

	p->fd = socket(p->to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0) {
		loop_op_ready(loop, op, -errno);
		return;
	}
	sqe = sqe_get(uring_of(loop));
	io_uring_prep_connect(sqe, p->fd, &p->to.sa, p->to.len);
	sqe_op(sqe, op);
}

static void recv_buf_put(struct uring *u, struct loop_op *op)
{
	struct io_uring_sqe *sqe = sqe_get(u);

	io_uring_prep_recv(sqe, op_priv(op)->fd, NULL, LOOP_BUF_BYTES, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUF_GROUP;
	/* What was there has most likely been read: do not try in vain. */
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	sqe_op(sqe, op);
}

/*
 * Behind what else this round starts: while the kernel sends the answers the peer may send more,
 * and one receive takes all of it.
 */
static void uring_recv_buf(struct loop *loop, struct loop_op *op)
{
	op_queue_push(&uring_of(loop)->recvs, op);
}

static void recvs_put(struct uring *u)
{
	struct loop_op *op;

	while ((op = op_queue_pop(&u->recvs)))
		recv_buf_put(u, op);
}

static void uring_recv(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = sqe_get(uring_of(loop));
	struct op_priv *p = op_priv(op);
	int flags = p->flags & OPF_WAITALL ? MSG_WAITALL : 0;

	if (p->msg.msg_iovlen == 1)
		io_uring_prep_recv(
			sqe, p->fd, p->msg.msg_iov->iov_base, p->msg.msg_iov->iov_len, flags);
	else
		io_uring_prep_recvmsg(sqe, p->fd, &p->msg, (unsigned)flags);
	sqe_op(sqe, op);
}

static void uring_send(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = sqe_get(uring_of(loop));
	struct op_priv *p = op_priv(op);

	if (p->msg.msg_iovlen == 1)
		io_uring_prep_send(sqe, p->fd, p->msg.msg_iov->iov_base, p->msg.msg_iov->iov_len,
			MSG_NOSIGNAL | MSG_WAITALL);
	else
		io_uring_prep_sendmsg(sqe, p->fd, &p->msg, MSG_NOSIGNAL | MSG_WAITALL);
	sqe_op(sqe, op);
}

/* Keep the kernel's ring of receive buffers filled. */
static void bufs_refill(struct loop *loop)
{
	struct uring *u = uring_of(loop);
	int mask = io_uring_buf_ring_mask(URING_RING_BUFS), n = 0;

	while (u->nbufs < URING_RING_BUFS) {
		int i = bufs_take(&loop->bufs);

		if (i < 0)
			break;
		io_uring_buf_ring_add(u->bufs, bufs_at(&loop->bufs, (unsigned)i), LOOP_BUF_BYTES,
			(unsigned short)i, mask, n++);
		u->nbufs++;
	}
	if (n)
		io_uring_buf_ring_advance(u->bufs, n);
	if (u->starved.head) {
		struct loop_op *op;

		/* As many as there are buffers: the rest would come back at once. */
		for (unsigned k = 0; k < u->nbufs && (op = op_queue_pop(&u->starved)); k++) {
			op_priv(op)->flags &= (uint8_t)~OPF_WAITING;
			recv_buf_put(u, op);
		}
	}
}

static void uring_buf_put(struct loop *loop, void *buf)
{
	bufs_put(&loop->bufs, bufs_index(&loop->bufs, buf));
}

static void accept_resume(struct uring *u)
{
	struct op_queue q = u->paused;
	struct loop_op *op;

	u->paused = (struct op_queue){ NULL, NULL };
	while ((op = op_queue_pop(&q))) {
		op_priv(op)->flags &= (uint8_t)~OPF_WAITING;
		uring_accept(u->loop, op);
	}
}

static void accept_timer_fire(struct loop_timer *t)
{
	accept_resume(container_of(t, struct uring, accept_timer));
}

static void uring_shutdown(struct loop *loop, int fd)
{
	(void)shutdown(fd, SHUT_RDWR); /* not connected any more: as wished */
}

static void uring_close(struct loop *loop, int fd)
{
	struct uring *u = uring_of(loop);
	struct io_uring_sqe *sqe = sqe_get(u);

	io_uring_prep_close(sqe, fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, TAG_NONE);
	if (u->paused.head)
		loop_timer_arm(loop, &u->accept_timer, 0);
}

/* ---- files -------------------------------------------------------------------------------- */

static unsigned len32(size_t n)
{
	return n < INT32_MAX ? (unsigned)n : INT32_MAX;
}

static void prep_read(struct io_uring_sqe *sqe, struct op_priv *p)
{
	if (p->niov == 1)
		io_uring_prep_read(sqe, p->fd, p->file.iov->iov_base, len32(p->file.iov->iov_len),
			p->file.off);
	else
		io_uring_prep_readv(sqe, p->fd, p->file.iov, p->niov, p->file.off);
}

static void prep_write(struct io_uring_sqe *sqe, struct op_priv *p)
{
	if (p->niov == 1)
		io_uring_prep_write(sqe, p->fd, p->file.iov->iov_base, len32(p->file.iov->iov_len),
			p->file.off);
	else
		io_uring_prep_writev(sqe, p->fd, p->file.iov, p->niov, p->file.off);
	if (p->file.mode & LOOP_DSYNC)
		sqe->rw_flags = RWF_DSYNC;
}

static void prep_fsync(struct io_uring_sqe *sqe, struct op_priv *p)
{
	io_uring_prep_fsync(sqe, p->fd, p->file.mode ? IORING_FSYNC_DATASYNC : 0);
}

static void prep_fallocate(struct io_uring_sqe *sqe, struct op_priv *p)
{
	io_uring_prep_fallocate(sqe, p->fd, p->file.mode, (off_t)p->file.off, (off_t)p->file.len);
}

static void (*const file_preps[])(struct io_uring_sqe *sqe, struct op_priv *p) = {
	[OP_READ] = prep_read,
	[OP_WRITE] = prep_write,
	[OP_FSYNC] = prep_fsync,
	[OP_FALLOCATE] = prep_fallocate,
};

static void uring_file(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = sqe_get(uring_of(loop));
	struct op_priv *p = op_priv(op);

	file_preps[p->kind](sqe, p);
	sqe_op(sqe, op);
}

static void uring_work(struct loop *loop, struct loop_op *op)
{
	workers_submit(loop->loops->workers, op);
}

static void uring_cancel(struct loop *loop, struct loop_op *op)
{
	struct uring *u = uring_of(loop);
	struct op_priv *p = op_priv(op);
	struct io_uring_sqe *sqe;

	if (p->flags & OPF_QUEUED) {
		workers_cancel(loop->loops->workers, op);
		return;
	}
	if (p->flags & OPF_WAITING) {
		op_queue_remove(p->kind == OP_ACCEPT ? &u->paused : &u->starved, op);
		loop_op_ready(loop, op, -ECANCELED);
		return;
	}
	recvs_put(u); /* op may be one of them, and the kernel has to know what it cancels */
	sqe = sqe_get(u);
	io_uring_prep_cancel64(sqe, (uintptr_t)op, 0);
	io_uring_sqe_set_data64(sqe, TAG_NONE);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* ---- completions -------------------------------------------------------------------------- */

static void done_accept(struct loop *loop, struct loop_op *op, int res, unsigned flags)
{
	struct uring *u = uring_of(loop);
	struct op_priv *p = op_priv(op);
	int one = 1;

	if (res >= 0) {
		(void)setsockopt(res, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (!(flags & IORING_CQE_F_MORE)) {
			/* done may cancel, so the operation has to be under way again first. */
			if (p->flags & OPF_CANCELLED)
				loop_op_ready(loop, op, -ECANCELED);
			else
				uring_accept(loop, op);
		}
		op->done(op, res);
		return;
	}
	assert(!(flags & IORING_CQE_F_MORE));
	if (p->flags & OPF_CANCELLED) {
		loop_op_finish(op, -ECANCELED);
	} else if (accept_starved(res)) {
		p->flags |= OPF_WAITING;
		op_queue_push(&u->paused, op);
		loop_timer_arm(loop, &u->accept_timer, ACCEPT_PAUSE_MS * NS_PER_MS);
	} else if (accept_passes(res)) {
		(void)made_blocking(p->fd);
		uring_accept(loop, op);
	} else {
		loop_op_finish(op, res);
	}
}

static void done_connect(struct loop *loop, struct loop_op *op, int res, unsigned flags)
{
	struct op_priv *p = op_priv(op);
	int one = 1;

	if (res < 0) {
		close(p->fd);
		loop_op_finish(op, p->flags & OPF_CANCELLED ? -ECANCELED : res);
		return;
	}
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	loop_op_finish(op, p->fd);
}

static void done_recv_buf(struct loop *loop, struct loop_op *op, int res, unsigned flags)
{
	struct uring *u = uring_of(loop);
	struct op_priv *p = op_priv(op);
	unsigned buf = flags >> IORING_CQE_BUFFER_SHIFT;

	if (flags & IORING_CQE_F_BUFFER) {
		u->nbufs--;
		if (res > 0) {
			bufs_expose(&loop->bufs, buf, (size_t)res);
			op->buf = bufs_at(&loop->bufs, buf);
		} else {
			bufs_put(&loop->bufs, buf);
		}
	}
	if (p->flags & OPF_CANCELLED) {
		loop_op_finish(op, res < 0 ? -ECANCELED : res);
	} else if (res == -ENOBUFS) {
		p->flags |= OPF_WAITING;
		op_queue_push(&u->starved, op);
	} else if (res == -EINTR || (res == -EAGAIN && made_blocking(p->fd))) {
		uring_recv_buf(loop, op);
	} else {
		loop_op_finish(op, res);
	}
}

static void done_recv(struct loop *loop, struct loop_op *op, int res, unsigned flags)
{
	struct op_priv *p = op_priv(op);

	if (res > 0) {
		p->total += (unsigned)res;
		msg_advance(&p->msg, (size_t)res);
		if (!(p->flags & OPF_WAITALL) || !p->msg.msg_iovlen)
			loop_op_finish(op, (int)p->total);
		else if (p->flags & OPF_CANCELLED)
			loop_op_finish(op, -ECANCELED);
		else
			uring_recv(loop, op);
	} else if (res == 0) {
		loop_op_finish(op, (int)p->total);
	} else if (p->flags & OPF_CANCELLED) {
		loop_op_finish(op, -ECANCELED);
	} else if (res == -EINTR || (res == -EAGAIN && made_blocking(p->fd))) {
		uring_recv(loop, op);
	} else {
		loop_op_finish(op, res);
	}
}

static void done_send(struct loop *loop, struct loop_op *op, int res, unsigned flags)
{
	struct op_priv *p = op_priv(op);

	if (res > 0) {
		p->total += (unsigned)res;
		msg_advance(&p->msg, (size_t)res);
		if (!p->msg.msg_iovlen)
			loop_op_finish(op, (int)p->total);
		else if (p->flags & OPF_CANCELLED)
			loop_op_finish(op, -ECANCELED);
		else
			uring_send(loop, op);
	} else if (p->flags & OPF_CANCELLED) {
		loop_op_finish(op, -ECANCELED);
	} else if (res == -EINTR || (res == -EAGAIN && made_blocking(p->fd))) {
		uring_send(loop, op);
	} else {
		loop_op_finish(op, res ? res : -EPIPE);
	}
}

static void done_file(struct loop *loop, struct loop_op *op, int res, unsigned flags)
{
	bool cancelled = op_priv(op)->flags & OPF_CANCELLED;

	if (res == -EINTR && !cancelled)
		uring_file(loop, op);
	else
		loop_op_finish(op, res == -EINTR ? -ECANCELED : res);
}

static void (*const dones[])(struct loop *loop, struct loop_op *op, int res, unsigned flags) = {
	[OP_ACCEPT] = done_accept,
	[OP_RECV_BUF] = done_recv_buf,
	[OP_RECV] = done_recv,
	[OP_SEND] = done_send,
	[OP_CONNECT] = done_connect,
	[OP_READ] = done_file,
	[OP_WRITE] = done_file,
	[OP_FSYNC] = done_file,
	[OP_FALLOCATE] = done_file,
};

static void uring_reap(struct loop *loop)
{
	struct uring *u = uring_of(loop);

	/* Those that are there now; later ones are for the next round. */
	for (unsigned n = io_uring_cq_ready(&u->ring); n; n--) {
		struct io_uring_cqe *cqe, c;

		if (io_uring_peek_cqe(&u->ring, &cqe))
			break;
		c = *cqe;
		io_uring_cqe_seen(&u->ring, cqe);
		if (c.user_data == TAG_WAKE)
			wake_arm(u);
		else if (c.user_data != TAG_NONE) {
			struct loop_op *op = (struct loop_op *)(uintptr_t)c.user_data;

			dones[op_priv(op)->kind](loop, op, c.res, c.flags);
		}
	}
}

static void uring_wait(struct loop *loop)
{
	struct uring *u = uring_of(loop);
	uint64_t timeout_ns = loop_sleep_ns(loop);
	struct __kernel_timespec ts, *tsp = NULL;
	struct io_uring_cqe *cqe;
	int ret;

	bufs_refill(loop);
	recvs_put(u);
	if (timeout_ns && timeout_ns != LOOP_FOREVER) {
		ts.tv_sec = (long long)(timeout_ns / NS_PER_S);
		ts.tv_nsec = (long long)(timeout_ns % NS_PER_S);
		tsp = &ts;
	}
	ret = timeout_ns ? io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, tsp, NULL)
			 : io_uring_submit_and_get_events(&u->ring);
	assert(ret >= 0 || ret == -ETIME || ret == -EINTR || ret == -EAGAIN || ret == -EBUSY);
	loop_awake(loop);
	uring_reap(loop);
}

/* ---- life --------------------------------------------------------------------------------- */

static int uring_init(struct loop *loop, struct errmsg *err)
{
	struct uring *u = calloc(1, sizeof(*u));
	unsigned iowq[2] = { URING_IOWQ_MAX, URING_IOWQ_MAX };
	int ret;

	if (!u)
		return errmsg_set(err, -ENOMEM, "out of memory for a loop");
	loop->impl_data = u;
	u->loop = loop;
	u->accept_timer.fire = accept_timer_fire;
	ret = ring_make(&u->ring, URING_SQ_ENTRIES, NULL);
	if (ret)
		return ring_error(err, ret);
	u->ring_made = true;
	ret = buf_ring_make(&u->ring, &u->bufs);
	if (ret)
		return errmsg_set(err, ret, "io_uring's ring of buffers: %s", err_text(ret));
	/* Both are improvements that the loop works without. */
	(void)io_uring_register_ring_fd(&u->ring);
	(void)io_uring_register_iowq_max_workers(&u->ring, iowq);
	bufs_refill(loop);
	wake_arm(u);
	return 0;
}

static void uring_done(struct loop *loop)
{
	struct uring *u = uring_of(loop);

	if (!u)
		return;
	loop->impl_data = NULL;
	if (u->ring_made) {
		(void)io_uring_submit(&u->ring); /* closes */
		io_uring_queue_exit(&u->ring);
	}
	if (u->bufs)
		munmap(u->bufs, buf_ring_bytes());
	free(u);
}

const struct loop_impl loop_uring = {
	.name = "io_uring",
	.init = uring_init,
	.done = uring_done,
	.wait = uring_wait,
	.accept = uring_accept,
	.connect = uring_connect,
	.recv_buf = uring_recv_buf,
	.buf_put = uring_buf_put,
	.recv = uring_recv,
	.send = uring_send,
	.file = uring_file,
	.work = uring_work,
	.cancel = uring_cancel,
	.shutdown = uring_shutdown,
	.close = uring_close,
};
