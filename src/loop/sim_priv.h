/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_priv.h: what the parts of the simulator share: the scheduler (loop_sim.c), the network
 * (sim_net.c), files as operations (sim_file.c) and the disk below them (sim_disk.c).
 */
#ifndef ULIO_LOOP_SIM_PRIV_H
#define ULIO_LOOP_SIM_PRIV_H

#include "base/rng.h"
#include "loop/loop_priv.h"
#include "loop/sim.h"

/* ---- scheduler ---------------------------------------------------------------------------- */

typedef void sim_event_fn(struct sim *sim, void *arg);

/* Something that happens at a time, outside of all loops. */
struct sim_event {
	uint64_t at_ns, tie; /* tie: the seed's choice among those of one instant */
	sim_event_fn *fn;
	void *arg;
};

/* A loop's private part. */
struct sim_loop {
	struct loop_op **fin; /* may finish now, in any order */
	unsigned nfin, fin_cap;
	struct op_queue starved; /* OP_RECV_BUF without a buffer */
};

enum sim_fd_kind {
	SIM_FD_NONE,
	SIM_FD_LISTEN,
	SIM_FD_CONN,
	SIM_FD_PEER,
	SIM_FD_SERVER, /* a listening socket of the test */
	SIM_FD_FILE
};

struct sim_fd {
	enum sim_fd_kind kind;
	void *obj; /* struct sim_listen, sim_conn, sim_file */
};

struct sim {
	struct loops *loops;
	struct rng rng;
	uint64_t now_ns;
	bool in_round; /* a loop's callbacks are running */
	struct sim_event *events; /* heap */
	unsigned nevents, events_cap;
	struct sim_fd *fds; /* numbers are never used twice */
	unsigned nfds, fds_cap;
	struct list conns, listens, servers, files; /* all that exist */
	uint16_t next_port;
	uint32_t host_v4; /* the IPv4 address that connections are made from; 0: 127.0.0.1 */
	struct sim_disk *disk;
	bool own_disk;
	struct sim_faults faults;
	uint64_t file_ops, cut_at; /* cut_at 0: never */
};

static inline struct sim *sim_of(const struct loops *loops)
{
	return loops->sim;
}

static inline struct sim_loop *sim_loop_of(struct loop *loop)
{
	return loop->impl_data;
}

/* Call fn(sim, arg) at or after now + up to max_ns, as the seed chooses. */
void sim_at(struct sim *sim, uint64_t max_ns, sim_event_fn *fn, void *arg);
void sim_at_time(struct sim *sim, uint64_t at_ns, sim_event_fn *fn, void *arg);

/* op may finish: its loop will call sim_op_try() in a round of its choice. */
void sim_fin_push(struct loop *loop, struct loop_op *op);

int sim_fd_new(struct sim *sim, enum sim_fd_kind kind, void *obj);
/* The object of a descriptor, NULL if it is not one of that kind. */
void *sim_fd_get(const struct sim *sim, int fd, enum sim_fd_kind kind);
void sim_fd_close(struct sim *sim, int fd);

/* Memory of the simulator: running out of it ends the test. */
void *sim_alloc(size_t n);
void *sim_grow(void *p, size_t n);

/* ---- network (sim_net.c) ------------------------------------------------------------------ */

void sim_net_start(struct loop *loop, struct loop_op *op); /* accept, recv_buf, recv, send */
/* In a round of the loop: get on with op, which may finish it. */
void sim_net_try(struct loop *loop, struct loop_op *op);
void sim_net_connect(struct loop *loop, struct loop_op *op);
void sim_net_cancel(struct loop *loop, struct loop_op *op);
void sim_net_retry(struct loop_op *op); /* a buffer came back */
void sim_net_shutdown(struct loop *loop, int fd);
void sim_net_close(struct sim *sim, int fd);
void sim_net_free(struct sim *sim);
int sim_listen(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen,
	const char *netns, int flags, struct sockaddr_storage *ret_bound);
bool sim_has_address(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen);
int sim_peername(struct loops *loops, int fd, struct sockaddr_storage *ret);
int sim_sockname(struct loops *loops, int fd, struct sockaddr_storage *ret);

/* ---- files (sim_file.c) ------------------------------------------------------------------- */

void sim_file_start(struct loop *loop, struct loop_op *op);
void sim_file_close(struct sim *sim, int fd);
void sim_file_free(struct sim *sim);
extern const struct loop_sys loop_sys_sim;

/* ---- disk (sim_disk.c): pure data, no time ------------------------------------------------ */

struct sim_inode;

/* Content. A change is volatile until it is synced. Reads return bytes up to the end. */
size_t sim_inode_read(const struct sim_inode *ino, void *buf, size_t n, uint64_t off);
void sim_inode_write(struct sim_inode *ino, const void *data, size_t n, uint64_t off);
void sim_inode_zero(struct sim_inode *ino, uint64_t n, uint64_t off);
void sim_inode_set_size(struct sim_inode *ino, uint64_t size);
/* The last write, n bytes at off, is durable, with as much of the size as reading it needs. */
void sim_inode_sync_last(struct sim_inode *ino, uint64_t n, uint64_t off);
void sim_inode_sync(struct sim_inode *ino);
/* A sync that failed: no later one makes durable what this one should have. */
void sim_inode_sync_failed(struct sim_inode *ino);
uint64_t sim_inode_size(const struct sim_inode *ino);
bool sim_inode_is_dir(const struct sim_inode *ino);
void sim_inode_stat(const struct sim_inode *ino, struct stat *ret);
/* First byte at or after off, which is below the size, that is data (or a hole), or the size. */
uint64_t sim_inode_seek(const struct sim_inode *ino, uint64_t off, bool data);
struct sim_inode *sim_inode_ref(struct sim_inode *ino);
struct sim_inode *sim_inode_unref(struct sim_inode *ino);

/* Names. 0 or -errno; *ret is borrowed. */
int sim_disk_lookup(struct sim_disk *d, const char *path, struct sim_inode **ret);
int sim_disk_make(struct sim_disk *d, const char *path, mode_t mode, struct sim_inode **ret);
int sim_disk_rename(struct sim_disk *d, const char *from, const char *to);
int sim_disk_unlink(struct sim_disk *d, const char *path);
int sim_disk_fsync_dir(struct sim_disk *d, const char *dir);

bool sim_disk_cut(const struct sim_disk *d);
void sim_disk_set_cut(struct sim_disk *d);

#endif
