/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bare_priv.h: the bare responder's own structures. One thread, no locks; nothing here is a SCSI
 * engine: a command is looked up in one table and answered at once.
 */
#ifndef ULIO_BENCH_BARE_PRIV_H
#define ULIO_BENCH_BARE_PRIV_H

#include "bench/limits.h"
#include "bench/rx.h"
#include "bench/txq.h"

#include <stdbool.h>

#define BARE_TARGET "iqn.2026-01.org.ulio:bare"

struct disk {
	uint8_t *mem; /* anonymous mapping, zero pages until written */
	uint64_t bytes; /* a multiple of block */
	uint32_t block; /* 512 or 4096 */
};

struct server {
	int epoll, listener;
	struct disk disk;
	uint16_t tsih; /* of the last session; sessions are not kept by it */
	char portal[96]; /* as SendTargets tells it, "addr:port,1" */
};

/* A WRITE whose data is still coming. Its index is the Target Transfer Tag. */
struct write_task {
	bool used;
	be32 itt;
	uint8_t *to; /* where the first byte goes */
	uint32_t total, got; /* bytes of the command, received */
	uint32_t burst_end; /* first byte that the last R2T did not ask for */
	uint32_t r2tsn;
	uint32_t expected; /* the initiator's own idea of the length */
	uint32_t cdb_len; /* the CDB's */
};

enum conn_stage { CONN_LOGIN, CONN_DISCOVERY, CONN_NORMAL, CONN_CLOSING };

struct conn {
	struct server *srv;
	int fd;
	enum conn_stage stage;
	uint32_t armed; /* events that epoll watches for */
	bool mrdsl_told, discovery;
	struct rx rx;
	struct txq tx;
	uint32_t statsn, expcmdsn;
	uint32_t peer_mrdsl, max_burst, first_burst;
	uint32_t nwrites; /* used entries of writes[] */
	struct write_task writes[BENCH_WINDOW];
};

/* What a command without disk data answers: data, or sense if key is not 0. */
struct answer {
	uint8_t data[BENCH_CTL_DATA];
	uint32_t bytes;
	uint8_t key;
	uint16_t asc; /* code and qualifier */
};

/* bare_login.c: Login and Text requests. 0 or -errno to drop the connection. */
int bare_login(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes);
int bare_text(struct conn *c, const struct bhs *h, const void *data, uint32_t bytes);

/* bare_scsi.c: answer any CDB but READ and WRITE. */
void bare_control(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *ret);

/* bare.c: take the next StatSN, tell ExpCmdSN and MaxCmdSN, in any response. */
void bare_number(struct conn *c, struct bhs *r, bool status);

#endif
