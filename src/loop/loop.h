/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.h: the event-loop seam.
 *
 * Everything in ulio that waits does so through this interface: sockets, files, timers, messages
 * between threads and blocking work. There are three implementations of it:
 *
 *	uring	io_uring (the default; needs Linux 6.1)
 *	epoll	epoll for sockets, worker threads for files, for where io_uring is forbidden
 *	sim	the simulator: one thread, virtual time, seeded order, in-memory sockets and files
 *
 * A `struct loops` is the set of a process: n I/O loops, each run by a thread of its own (or all
 * by the caller of sim_run()), and a pool of worker threads. The thread that makes the set is the
 * control thread; it has no loop and may block (loops_call(), loops_barrier()).
 *
 * An operation is a struct that the caller embeds in an object of its own. Submitting hands it
 * to the loop until its completion function runs, on the loop's thread, never from inside the
 * submitting call. Every operation completes exactly once (accept: see there), also after
 * loop_cancel(). While an operation is under way its memory, its iovec array and the data that it
 * points to belong to the loop.
 *
 * Unless a comment says otherwise a function may be called on the loop's own thread only.
 */
#ifndef ULIO_LOOP_LOOP_H
#define ULIO_LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/list.h"

struct loop;
struct loops;
struct loop_op;
struct loop_msg;
struct loop_timer;

/* res: as the operation says, or -errno (-ECANCELED after loop_cancel()). */
typedef void loop_done_fn(struct loop_op *op, int res);

struct loop_op {
	loop_done_fn *done;
	struct loop *loop; /* set while the operation is under way, else NULL */
	/* Private to the implementation. */
	void *buf; /* result of loop_recv_buf() */
	uint64_t priv[14];
};

static inline bool loop_op_busy(const struct loop_op *op)
{
	return op->loop != NULL;
}

/*
 * Stop op early if that is possible. It still completes: with -ECANCELED, or with its true result
 * where the two crossed. Of an operation that is not under way this is a no-op. File operations
 * that have reached the disk cannot be stopped and complete when the disk answers.
 */
void loop_cancel(struct loop *loop, struct loop_op *op);

/* ---- sockets ------------------------------------------------------------------------------ */

/*
 * A connected socket stays with the loop on which its first operation was started, and is closed
 * there. At most one receive and one send may be under way on it.
 */

/*
 * Open a listening stream socket.
 *	addr	IPv4, IPv6 or Unix address; port 0 lets the kernel choose
 *	netns	NULL or "": where the process is; else the name of a network namespace, as
 *		ip-netns(8) makes them (/run/netns)
 *	flags	LOOP_FREEBIND: the address need not exist yet
 *	ret_bound	(may be NULL) the address with the port that was really bound
 * Returns the descriptor or -errno; of netns: -ENOENT: there is none of that name, -EPERM: the
 * process may not enter it. Blocks. Any thread but a loop's.
 */
enum { LOOP_FREEBIND = 1 };
int loops_listen(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen,
	const char *netns, int flags, struct sockaddr_storage *ret_bound);

/*
 * Whether this host has the address now, in the process's network namespace. Any thread; cheap
 * enough for each login (hostaddr.h).
 */
bool loops_has_address(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen);

/*
 * Accept connections until cancelled. done runs with the descriptor of each new connection
 * (close-on-exec, TCP_NODELAY set where it is TCP; for use with this interface alone, so whether
 * O_NONBLOCK is set is the implementation's affair) and the operation stays under way; a negative
 * result ends it (op->loop is NULL by then). Running out of descriptors does not end it: the loop
 * waits for one to be closed.
 */
void loop_accept(struct loop *loop, struct loop_op *op, int fd);

/*
 * Connect a new stream socket to an IPv4 or IPv6 address, which the loop copies. res: the
 * descriptor of the connected socket (as loop_accept() hands them out), or -errno. It takes as long
 * as the kernel tries, minutes perhaps: set a timer and cancel it.
 */
void loop_connect(
	struct loop *loop, struct loop_op *op, const struct sockaddr *addr, socklen_t addrlen);

/*
 * Receive into a buffer of the loop, which is taken only when data are there, so that an idle
 * connection holds no memory. res: bytes, 0 at the end of the stream. When res > 0, op->buf is the
 * buffer (at most LOOP_BUF_BYTES); it is the caller's until loop_buf_put().
 */
#define LOOP_BUF_BYTES 65536
void loop_recv_buf(struct loop *loop, struct loop_op *op, int fd);
void loop_buf_put(struct loop *loop, void *buf);

/*
 * Receive straight into the caller's memory.
 *	flags	LOOP_WAITALL: complete only when all of iov is filled (or the stream ended, with
 *		the count so far); else as soon as at least one byte is there
 * res: bytes, 0 at the end of the stream. The iov array may be modified.
 */
enum { LOOP_WAITALL = 1 };
void loop_recv(
	struct loop *loop, struct loop_op *op, int fd, struct iovec *iov, unsigned niov, int flags);

/*
 * Send all of iov (at most IOV_MAX entries). res: the bytes sent, which is all, or -errno, after
 * which an unknown part was sent and the connection is of no more use. The iov array may be
 * modified. At most one send may be under way on a socket.
 */
void loop_send(struct loop *loop, struct loop_op *op, int fd, struct iovec *iov, unsigned niov);

/* End both directions of a connection: its pending receive and send complete. */
void loop_shutdown(struct loop *loop, int fd);

/* Close a descriptor of any kind on which nothing is under way. Does not block. */
void loop_close(struct loop *loop, int fd);

/* Addresses of a connected socket, as getpeername() and getsockname(). 0 or -errno. Any thread. */
int loops_peername(struct loops *loops, int fd, struct sockaddr_storage *ret);
int loops_sockname(struct loops *loops, int fd, struct sockaddr_storage *ret);

/* ---- files -------------------------------------------------------------------------------- */

/*
 * Read or write at a byte offset. res: bytes, may be fewer than asked (0: end of the file).
 *	flags	LOOP_DSYNC (writes): the data are on stable storage before done runs
 */
enum { LOOP_DSYNC = 1 };
void loop_read(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
	unsigned niov, uint64_t off_bytes);
void loop_write(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
	unsigned niov, uint64_t off_bytes, int flags);
/* res: 0. */
void loop_fsync(struct loop *loop, struct loop_op *op, int fd, bool datasync);
/* mode as fallocate(2): hole punching, zeroing; also on block devices. res: 0. */
void loop_fallocate(struct loop *loop, struct loop_op *op, int fd, int mode, uint64_t off_bytes,
	uint64_t len_bytes);

/*
 * Run fn(arg) on a worker thread, where it may block; res is what it returned (>= 0 or -errno).
 * In the simulator it runs on the one thread, at a time that the seed chooses.
 */
void loop_work(struct loop *loop, struct loop_op *op, int (*fn)(void *arg), void *arg);

/*
 * Files by path, for the control thread and for worker functions: they block. All persistence goes
 * through these and the operations above, so that the simulator can cut the power between any two
 * of them. Same meaning and results as the system calls (-errno on failure). Any thread.
 */
int loops_open(struct loops *loops, const char *path, int flags, mode_t mode);
int loops_close(struct loops *loops, int fd);
int64_t loops_pread(struct loops *loops, int fd, void *buf, size_t n, uint64_t off);
int64_t loops_pwrite(struct loops *loops, int fd, const void *buf, size_t n, uint64_t off);
int loops_fsync(struct loops *loops, int fd, bool datasync);
int loops_ftruncate(struct loops *loops, int fd, uint64_t size);
int loops_fstat(struct loops *loops, int fd, struct stat *ret);
int64_t loops_lseek(struct loops *loops, int fd, int64_t off, int whence); /* SEEK_HOLE/DATA too */
int loops_rename(struct loops *loops, const char *from, const char *to);
int loops_unlink(struct loops *loops, const char *path);
int loops_mkdir(struct loops *loops, const char *path, mode_t mode);
/* fsync of the directory that holds path. */
int loops_fsync_dir_of(struct loops *loops, const char *path);
/*
 * Replace a file so that after a power cut either the old or the new content is there: temporary
 * file beside it, write, fsync, rename, fsync of the directory. 0 or -errno. Any thread, blocks.
 */
int loops_write_file(
	struct loops *loops, const char *path, const void *data, size_t n, mode_t mode);
/* Read a whole file of at most max bytes (-EFBIG); *ret is malloc'ed and NUL-terminated. */
int loops_read_file(struct loops *loops, const char *path, size_t max, char **ret, size_t *ret_n);

/* ---- time --------------------------------------------------------------------------------- */

typedef void loop_timer_fn(struct loop_timer *t);

struct loop_timer {
	loop_timer_fn *fire;
	/* Private. */
	uint64_t at_ns;
	uint32_t slot; /* place in the heap plus one, 0: not armed */
};

/* Monotonic time, read once per iteration of the loop. */
uint64_t loop_now_ns(const struct loop *loop);
/* (Re)arm: fire runs once, delay_ns from now or a little later. */
void loop_timer_arm(struct loop *loop, struct loop_timer *t, uint64_t delay_ns);
void loop_timer_disarm(struct loop *loop, struct loop_timer *t);

static inline bool loop_timer_armed(const struct loop_timer *t)
{
	return t->slot != 0;
}

/* ---- messages ----------------------------------------------------------------------------- */

typedef void loop_msg_fn(struct loop *loop, struct loop_msg *msg);

/* Embedded in the sender's object; free for reuse when fn runs. */
struct loop_msg {
	loop_msg_fn *fn;
	/* Private. */
	_Atomic(struct loop_msg *) next;
	bool queued;
};

/*
 * Run msg->fn on the loop. Messages of one sender arrive in order. Wakes a sleeping loop. Any
 * thread. The message must not be queued already.
 */
void loop_post(struct loop *loop, struct loop_msg *msg);

/*
 * Run msg->fn at the end of the current iteration, after all completions of this round have been
 * handled: what collected meanwhile (PDUs to send) goes out in one submission.
 */
void loop_defer(struct loop *loop, struct loop_msg *msg);

static inline bool loop_msg_queued(const struct loop_msg *msg)
{
	return msg->queued;
}

/* ---- the set ------------------------------------------------------------------------------ */

enum loop_kind { LOOP_AUTO, LOOP_URING, LOOP_EPOLL, LOOP_SIM };

struct loops_config {
	enum loop_kind kind; /* AUTO: uring where the kernel has and permits it, else epoll */
	unsigned nloops; /* 0: one per CPU that the process may use */
	unsigned nworkers; /* 0: chosen by the implementation */
	uint64_t page_limit_bytes; /* quota of pool pages (pool.h), 0: a default by memory size */
	uint64_t sim_seed; /* LOOP_SIM only */
	bool pin; /* pin loop i to the i-th permitted CPU */
};

/*
 * Make the loops and start their threads. Returns 0 or -errno with *err explaining (which kernel
 * feature is missing, which limit forbade it). Control thread.
 */
int loops_new(const struct loops_config *cfg, struct loops **ret, struct errmsg *err);
/* Stop and join the threads, free everything; nothing may be under way. Returns NULL. */
struct loops *loops_free(struct loops *loops);

unsigned loops_count(const struct loops *loops);
struct loop *loops_get(struct loops *loops, unsigned i);
enum loop_kind loops_kind(const struct loops *loops);
/* One line for people: kind, kernel features in use, and why a better one was not taken. */
const char *loops_describe(const struct loops *loops);
unsigned loop_index(const struct loop *loop);
struct loops *loop_set(const struct loop *loop);
/* A figure by which "least loaded" is judged: connections that loop_load_add() has counted. */
void loop_load_add(struct loop *loop, int n); /* any thread */
struct loop *loops_least_loaded(struct loops *loops); /* any thread */
/* True on the thread that runs this loop (asserts; in the simulator always). */
bool loop_is_current(const struct loop *loop);

/*
 * Barrier: run on_loop (may be NULL) once on each loop, then done on the loop that asked. When done
 * runs, every loop has finished whatever callback it was in when the barrier began: nobody holds a
 * pointer to a snapshot that was unpublished before.
 */
struct loop_barrier {
	void (*on_loop)(struct loop *loop, struct loop_barrier *b);
	void (*done)(struct loop_barrier *b);
	/* Private. */
	struct loop *origin;
	struct loops *loops;
	struct loop_barrier_slot *slots;
	_Atomic unsigned missing;
	struct loop_msg back;
};
/* Returns 0 or -ENOMEM. On a loop. */
int loop_barrier_start(struct loop *loop, struct loop_barrier *b);

/*
 * The same for the control thread, which waits. loops_call() runs fn(loop, arg) on one loop and
 * waits for it. loop_event_wait() waits until the event was signalled (from any thread) or
 * timeout_ns is over (-ETIMEDOUT); in the simulator it runs the simulation meanwhile. Control
 * thread only, never on a loop.
 */
struct loop_event {
	_Atomic bool set;
	struct loops *loops;
};
void loops_call(
	struct loops *loops, struct loop *loop, void (*fn)(struct loop *, void *), void *arg);
void loops_barrier(struct loops *loops, void (*on_loop)(struct loop *, void *), void *arg);
void loop_event_init(struct loop_event *ev, struct loops *loops);
void loop_event_signal(struct loop_event *ev); /* any thread */
int loop_event_wait(struct loop_event *ev, uint64_t timeout_ns);

/*
 * A thread that waits for something slow (a disk, an initiator) steps aside meanwhile: what it
 * holds of the configuration is given to others, and taken again. leave(arg) gives it up, or
 * returns false if the calling thread does not have it; enter(arg) takes it. Set once, before
 * other threads run; without it nobody steps aside. loop_event_wait_aside() is loop_event_wait()
 * so. Around a call of the system that may be slow: loops_step_aside(), whose answer goes to
 * loops_step_back(). Any thread; on a loop they do nothing.
 */
void loops_set_aside(
	struct loops *loops, bool (*leave)(void *arg), void (*enter)(void *arg), void *arg);
bool loops_step_aside(struct loops *loops);
void loops_step_back(struct loops *loops, bool stepped);
int loop_event_wait_aside(struct loop_event *ev, uint64_t timeout_ns);

#endif
