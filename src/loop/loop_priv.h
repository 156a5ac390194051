/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_priv.h: what the files of this folder share: the loop and the set, the operations that an
 * implementation provides (struct loop_impl), those of the system below it (struct loop_sys), and
 * the parts that all implementations use (timers, workers, buffers, finished operations).
 */
#ifndef ULIO_LOOP_LOOP_PRIV_H
#define ULIO_LOOP_LOOP_PRIV_H

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "loop/limits.h"
#include "loop/loop.h"
#include "loop/pool.h"

/* Keep what different threads write on lines of their own. */
#define CACHE_LINE 64

/* No end of a wait. */
#define LOOP_FOREVER UINT64_MAX

/* ---- operations --------------------------------------------------------------------------- */

enum op_kind {
	OP_ACCEPT,
	OP_RECV_BUF,
	OP_RECV,
	OP_SEND,
	OP_CONNECT,
	OP_READ,
	OP_WRITE,
	OP_FSYNC,
	OP_FALLOCATE,
	OP_WORK,
};

enum op_flag {
	OPF_CANCELLED = 1, /* loop_cancel() was called: never submit again */
	OPF_WAITALL = 2,
	OPF_READY = 4, /* finished, in the loop's ready list */
	OPF_WAITING = 8, /* in a list of the implementation, not with the kernel */
	OPF_QUEUED = 16, /* with the workers, in their queue or running */
	OPF_TODO = 32, /* loop_epoll: to be tried in the next round */
};

/* A blocking call on its way through the workers (worker.c). */
struct work_item {
	struct list link;
	struct loop_msg back;
	int32_t lane; /* queue of the descriptor, -1: none */
	bool running;
};

/* What struct loop_op.priv holds. */
struct op_priv {
	struct loop_op *next; /* in a list of the loop */
	int32_t fd;
	int32_t res;
	uint8_t kind; /* enum op_kind */
	uint8_t flags; /* enum op_flag */
	uint32_t niov;
	uint64_t total; /* bytes of a send or receive that are done */
	union {
		struct msghdr msg; /* sockets; msg_iov and msg_iovlen are what is left */
		struct {
			union {
				struct sockaddr sa;
				struct sockaddr_in in;
				struct sockaddr_in6 in6;
			};
			socklen_t len;
		} to; /* OP_CONNECT */
		struct {
			const struct iovec *iov; /* or the argument of OP_WORK */
			union {
				uint64_t off;
				int (*fn)(void *arg);
			};
			uint64_t len;
			int32_t mode; /* fallocate mode, LOOP_DSYNC, datasync */
			struct work_item item; /* where workers do it */
		} file;
	};
};
static_assert(sizeof(struct op_priv) <= sizeof(((struct loop_op *)0)->priv), "loop_op.priv");

static inline struct op_priv *op_priv(struct loop_op *op)
{
	return (struct op_priv *)op->priv;
}

static inline struct loop_op *op_of_priv(struct op_priv *p)
{
	return container_of((uint64_t *)p, struct loop_op, priv);
}

/* A queue of operations through op_priv.next. */
struct op_queue {
	struct loop_op *head, *tail;
};

static inline void op_queue_push(struct op_queue *q, struct loop_op *op)
{
	op_priv(op)->next = NULL;
	if (q->tail)
		op_priv(q->tail)->next = op;
	else
		q->head = op;
	q->tail = op;
}

static inline struct loop_op *op_queue_pop(struct op_queue *q)
{
	struct loop_op *op = q->head;

	if (!op)
		return NULL;
	q->head = op_priv(op)->next;
	if (!q->head)
		q->tail = NULL;
	return op;
}

/* Take op out from anywhere; it must be in q. */
void op_queue_remove(struct op_queue *q, struct loop_op *op);

/* ---- implementations ---------------------------------------------------------------------- */

/*
 * One implementation of the loop. The functions that start an operation find its arguments in
 * op_priv() and end it by loop_op_finish() from wait(), or by loop_op_ready() at any time.
 */
struct loop_impl {
	const char *name;
	/* On the loop's thread: make and unmake its private part. */
	int (*init)(struct loop *loop, struct errmsg *err);
	void (*done)(struct loop *loop);
	/*
	 * Hand everything started to the kernel, wait for loop_sleep_ns() until something
	 * finishes or the loop's eventfd is written, call loop_awake(), then finish what is there.
	 */
	void (*wait)(struct loop *loop);

	void (*accept)(struct loop *loop, struct loop_op *op);
	void (*connect)(struct loop *loop, struct loop_op *op); /* sets op_priv()->fd */
	void (*recv_buf)(struct loop *loop, struct loop_op *op);
	void (*buf_put)(struct loop *loop, void *buf);
	void (*recv)(struct loop *loop, struct loop_op *op);
	void (*send)(struct loop *loop, struct loop_op *op);
	void (*file)(struct loop *loop, struct loop_op *op); /* OP_READ to OP_FALLOCATE */
	void (*work)(struct loop *loop, struct loop_op *op);
	/* op is under way and not in the ready list; OPF_CANCELLED is set. */
	void (*cancel)(struct loop *loop, struct loop_op *op);
	void (*shutdown)(struct loop *loop, int fd);
	void (*close)(struct loop *loop, int fd);
};

extern const struct loop_impl loop_uring, loop_epoll, loop_sim;

/* The blocking calls below the loops: the system's (sys_host.c) or the simulator's. */
struct loop_sys {
	int (*listen)(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen,
		const char *netns, int flags, struct sockaddr_storage *ret_bound);
	bool (*has_address)(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen);
	int (*peername)(struct loops *loops, int fd, struct sockaddr_storage *ret);
	int (*sockname)(struct loops *loops, int fd, struct sockaddr_storage *ret);
	int (*open)(struct loops *loops, const char *path, int flags, mode_t mode);
	int (*close)(struct loops *loops, int fd);
	int64_t (*pread)(struct loops *loops, int fd, void *buf, size_t n, uint64_t off);
	int64_t (*pwrite)(struct loops *loops, int fd, const void *buf, size_t n, uint64_t off);
	int (*fsync)(struct loops *loops, int fd, bool datasync);
	int (*ftruncate)(struct loops *loops, int fd, uint64_t size);
	int (*fstat)(struct loops *loops, int fd, struct stat *ret);
	int64_t (*lseek)(struct loops *loops, int fd, int64_t off, int whence);
	int (*rename)(struct loops *loops, const char *from, const char *to);
	int (*unlink)(struct loops *loops, const char *path);
	int (*mkdir)(struct loops *loops, const char *path, mode_t mode);
	int (*fsync_dir)(struct loops *loops, const char *dir);
};

extern const struct loop_sys loop_sys_host;

/* Make all loops of the set simulated ones; sim_free() also after a failure. */
int sim_new(struct loops *loops, uint64_t seed, struct errmsg *err);
void sim_free(struct loops *loops);
/* loop_event_wait() there. */
int sim_wait(struct loop_event *ev, uint64_t timeout_ns);

/* The parts of a loop that do not depend on the implementation (set.c). */
int loop_parts_init(struct loop *loop, struct errmsg *err);
void loop_parts_done(struct loop *loop);

/* What this kernel and this process's confinement permit; 0 or -errno with *err. */
int uring_probe(struct errmsg *err, char *ret_features, size_t n);

/* ---- the loop and the set ----------------------------------------------------------------- */

struct timer_heap {
	struct timer_entry *v; /* reserved address space of LOOP_TIMERS_MAX entries */
	uint32_t n;
};

/* Receive buffers of one loop (bufs.c). */
struct loop_bufs {
	char *base; /* LOOP_BUFS_MAX buffers of LOOP_BUF_BYTES */
	unsigned nwarm, ncold;
	unsigned nused; /* from the first on, that were ever taken */
	uint16_t warm[LOOP_BUFS_MAX]; /* stack of free buffers whose memory was touched */
	uint16_t cold[LOOP_BUFS_MAX];
};

struct loop {
	struct loops *loops;
	const struct loop_impl *impl;
	unsigned index;
	bool stop; /* set by the message that ends the thread */
	bool running; /* handle has to be joined; control thread */
	pthread_t handle;
	pthread_t thread; /* as the thread itself knows it */
	uint64_t now_ns;
	unsigned under_way; /* operations */
	unsigned closes; /* of those, closes that workers do: they end before the loop */
	struct timer_heap timers;
	struct op_queue ready; /* finished without the kernel; done runs in the next round */
	struct loop_msg *deferred, *deferred_last;
	struct loop_bufs bufs;
	struct loop_msg stop_msg;
	void *impl_data; /* owned by the implementation */
	int wake_fd; /* eventfd; outlives the thread, as senders may still be about to write it */

	_Alignas(CACHE_LINE) _Atomic(struct loop_msg *) inbox; /* newest first */
	_Atomic bool asleep; /* the next message has to wake the loop */
	_Alignas(CACHE_LINE) _Atomic int load;
};

struct loops {
	enum loop_kind kind;
	const struct loop_impl *impl;
	const struct loop_sys *sys;
	unsigned n;
	struct loop *v; /* n loops */
	struct workers *workers; /* owned */
	struct pages *pages; /* owned */
	struct hostaddrs *hostaddrs; /* owned */
	struct sim *sim; /* owned; the simulator alone */
	bool pin;
	char text[256]; /* loops_describe() */

	bool (*leave)(void *arg); /* stepping aside, NULL: nobody does */
	void (*enter)(void *arg);
	void *aside_arg;

	/* Control threads that wait for a loop_event; start of the loops. */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned nstarted;
	int start_result;
	struct errmsg start_err;
};

/* Run the completion of an operation that ends. On the loop, not inside its submission. */
void loop_op_finish(struct loop_op *op, int res);
/* The same in the next round of the loop: may be called while it is submitted. */
void loop_op_ready(struct loop *loop, struct loop_op *op, int res);

/* The parts of a round after wait(): each runs what had accumulated when it was called. */
void loop_run_ready(struct loop *loop);
void loop_run_inbox(struct loop *loop);
void loop_run_timers(struct loop *loop);
void loop_run_deferred(struct loop *loop);
bool loop_has_work(const struct loop *loop);
/*
 * For wait(): how long the loop may sleep, 0: not at all, LOOP_FOREVER. From then until
 * loop_awake() senders of messages wake it.
 */
uint64_t loop_sleep_ns(struct loop *loop);
/* The kernel has returned: no wake-up is needed now, and time has passed. */
void loop_awake(struct loop *loop);

/* Failures of accept() that concern one connection; and those of lacking descriptors or memory. */
bool accept_passes(int res);
bool accept_starved(int res);

/* Take n bytes off the front of a message. */
void msg_advance(struct msghdr *msg, size_t n);

/* ---- timers (timer.c) --------------------------------------------------------------------- */

int timers_init(struct timer_heap *h);
void timers_done(struct timer_heap *h);
void timers_insert(struct timer_heap *h, struct loop_timer *t);
void timers_remove(struct timer_heap *h, struct loop_timer *t);
/* When the first one is due, LOOP_FOREVER if there is none. */
uint64_t timers_next_ns(const struct timer_heap *h);
/* Take out the first one if it is due at now_ns, else NULL. */
struct loop_timer *timers_pop(struct timer_heap *h, uint64_t now_ns);

/* ---- receive buffers (bufs.c) ------------------------------------------------------------- */

int bufs_init(struct loop_bufs *b);
void bufs_done(struct loop_bufs *b);
/* Number of a free buffer or -1. */
int bufs_take(struct loop_bufs *b);
void bufs_put(struct loop_bufs *b, unsigned i);
static inline void *bufs_at(const struct loop_bufs *b, unsigned i)
{
	return b->base + (size_t)i * LOOP_BUF_BYTES;
}
unsigned bufs_index(const struct loop_bufs *b, const void *buf);
/* For sanitizers: the first n bytes of the buffer may be touched, the rest not. */
void bufs_expose(const struct loop_bufs *b, unsigned i, size_t n);

/* ---- workers (worker.c) ------------------------------------------------------------------- */

/* max: most threads, 0: WORKERS_MAX. */
int workers_new(struct workers **ret, unsigned max);
/* Ends the threads; nothing may be queued or running. Returns NULL. */
struct workers *workers_free(struct workers *w);
/*
 * Run the blocking form of op (OP_READ to OP_WORK) on a worker; it finishes on its loop. File
 * operations of one descriptor queue behind each other beyond WORKERS_PER_FILE_MAX.
 */
void workers_submit(struct workers *w, struct loop_op *op);
/* Finish op with -ECANCELED if no worker has taken it yet. On op's loop. */
void workers_cancel(struct workers *w, struct loop_op *op);

/* ---- pages (pool.c) ----------------------------------------------------------------------- */

int pages_new(struct loops *loops, uint64_t limit_bytes, struct errmsg *err);
void pages_free(struct loops *loops);

#endif
