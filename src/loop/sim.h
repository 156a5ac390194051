/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim.h: what a test can do to the simulator (loop_sim.c) beyond loop.h: drive time, be the other
 * end of a connection, and cut the power. One thread; the same seed gives the same run.
 */
#ifndef ULIO_LOOP_SIM_H
#define ULIO_LOOP_SIM_H

#include "loop/loop.h"

/*
 * Run until nothing can happen any more, until pred(arg) is true (then true), or max_steps. A step
 * is an event (data arrive, a disk answers, a worker runs) or one round of one loop.
 */
bool sim_run(struct loops *loops, bool (*pred)(void *arg), void *arg, uint64_t max_steps);
uint64_t sim_now_ns(const struct loops *loops);
/* A number from the run's seed. */
uint64_t sim_random(struct loops *loops, uint64_t below);

/*
 * Connect to a listening in-memory socket, as a peer outside of the program under test. Every
 * address is local but those of 192.0.2.0/24, which need LOOP_FREEBIND. Returns a descriptor for
 * the calls below, or -ECONNREFUSED.
 */
int sim_connect(struct loops *loops, const struct sockaddr *to, socklen_t len);
/*
 * Listen as a peer outside of the program, for its loop_connect(): a descriptor for sim_accept()
 * and sim_serve_end(). Where nobody listens the program's connections are refused.
 */
int sim_serve(struct loops *loops, const struct sockaddr *at, socklen_t len);
/* The IPv4 address that connections are made from, from now on; 127.0.0.1 at first. */
void sim_set_host(struct loops *loops, uint32_t ip);
/* The next connection that came, a descriptor as of sim_connect(); -EAGAIN: none. */
int sim_accept(struct loops *loops, int fd);
/* Listen no more; what was not accepted is closed. */
void sim_serve_end(struct loops *loops, int fd);
/* Queue bytes towards the target; they arrive in pieces that the seed chooses. 0 or -EPIPE. */
int sim_send(struct loops *loops, int fd, const void *data, size_t n);
/* Take up to n bytes that have arrived; 0: none now, -EPIPE: the target has closed. */
int64_t sim_recv(struct loops *loops, int fd, void *buf, size_t n);
/* Close, or drop without a goodbye (reset). */
void sim_close(struct loops *loops, int fd, bool reset);
/*
 * Stop reading: the target's sends block once bytes are pending. A peer that does not stall takes
 * everything at once; sim_recv() hands it out.
 */
void sim_stall(struct loops *loops, int fd, bool stalled);

/*
 * Faults of files, by probability in 1/1000 per operation, from the seed.
 *	io_error	reads, writes and syncs fail with -EIO; a failed write may have been done,
 *		and what a failed sync should have made durable no later sync does
 *	short_io	reads and writes move less than asked
 *	reorder	an operation of a loop does not wait for earlier ones of its descriptor
 *	delay_max_us	what an operation of a loop takes at most (0: 100)
 */
struct sim_faults {
	unsigned io_error, short_io, delay_max_us, reorder;
};
void sim_set_faults(struct loops *loops, const struct sim_faults *f);

/*
 * Power. Operations that change a disk (writes, syncs, fallocate, truncate, making, renaming and
 * removing names) are counted from 1 in each set of loops. sim_power_cut_at(n) cuts at the n-th: it
 * fails with -EIO, having been done or not, and from then on every file operation does and nothing
 * more is stored. sim_power_on() then builds what a disk may hold afterwards: all that was synced,
 * and of the rest each piece kept or lost, writes also torn at sectors of 512 bytes, as the seed of
 * the disk chooses. As POSIX has it: syncing a file says nothing about its name, which is durable
 * when its directory was synced; a rename is one piece.
 *
 * The files are kept in a struct sim_disk, which outlives the loops and is given to the next set
 * (before it opens a file). For a crash of the program alone, or together with the power, just
 * free the set: whatever is under way is forgotten.
 */
struct sim_disk;
struct sim_disk *sim_disk_new(uint64_t seed);
struct sim_disk *sim_disk_free(struct sim_disk *d);
void sim_attach_disk(struct loops *loops, struct sim_disk *d);
void sim_power_cut_at(struct loops *loops, uint64_t nth_op);
bool sim_power_is_cut(const struct loops *loops);
uint64_t sim_file_ops(const struct loops *loops);
void sim_power_on(struct sim_disk *d);
/* Make a file of the disk, durable at once (test set-up). 0 or -errno. */
int sim_disk_create(struct sim_disk *d, const char *path, uint64_t size);

#endif
