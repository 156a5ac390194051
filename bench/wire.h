/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h: the iSCSI basic header segment as the benchmark programs see it: one structure, in which
 * fields that different PDUs keep at the same place share a union (RFC 7143 11.2 to 11.19).
 *
 * It is kept apart from the target's own codec on purpose: a generator that shared it would share
 * its mistakes.
 */
#ifndef ULIO_BENCH_WIRE_H
#define ULIO_BENCH_WIRE_H

#include "base/bytes.h"

#include <assert.h>

/* Opcodes, RFC 7143 11.2.1.2. */
enum {
	OP_NOP_OUT = 0x00,
	OP_SCSI_CMD = 0x01,
	OP_TMF_REQ = 0x02,
	OP_LOGIN_REQ = 0x03,
	OP_TEXT_REQ = 0x04,
	OP_DATA_OUT = 0x05,
	OP_LOGOUT_REQ = 0x06,
	OP_NOP_IN = 0x20,
	OP_SCSI_RSP = 0x21,
	OP_TMF_RSP = 0x22,
	OP_LOGIN_RSP = 0x23,
	OP_TEXT_RSP = 0x24,
	OP_DATA_IN = 0x25,
	OP_LOGOUT_RSP = 0x26,
	OP_R2T = 0x31,
	OP_ASYNC = 0x32,
	OP_REJECT = 0x3f,
	OP_MASK = 0x3f,
	OP_IMMEDIATE = 0x40,
};

/* Byte 1 of the several PDUs. */
enum {
	F_FINAL = 0x80,
	CMD_READ = 0x40, /* SCSI Command, 11.3.1 */
	CMD_WRITE = 0x20,
	CMD_SIMPLE = 0x01,
	RSP_OVERFLOW = 0x04, /* SCSI Response and Data-In, 11.4.1, 11.7.3 */
	RSP_UNDERFLOW = 0x02,
	DATA_IN_STATUS = 0x01,
	LOGIN_TRANSIT = 0x80, /* Login, 11.12 */
	LOGIN_CONTINUE = 0x40,
};

enum { LOGIN_SECURITY = 0, LOGIN_OPERATIONAL = 1, LOGIN_FULL_FEATURE = 3 };

#define TAG_NONE 0xffffffffu

struct bhs {
	uint8_t op;
	uint8_t flags;
	uint8_t response; /* responses; version in a Login */
	uint8_t status; /* SCSI status in SCSI Response and Data-In */
	uint8_t ahs_words; /* TotalAHSLength */
	be24 data_len; /* DataSegmentLength */
	union {
		be64 lun;
		struct {
			uint8_t isid[6];
			be16 tsih;
		};
	};
	be32 itt;
	union {
		be32 ttt;
		be32 expected_len; /* SCSI Command */
		be16 cid; /* Login Request */
	};
	union {
		be32 cmdsn;
		be32 statsn;
	};
	union {
		be32 expstatsn;
		be32 expcmdsn;
	};
	union {
		uint8_t cdb[16];
		struct {
			be32 maxcmdsn;
			union {
				be32 datasn;
				be32 r2tsn;
				uint8_t login_status[2]; /* class, detail */
			};
			be32 offset; /* BufferOffset */
			union {
				be32 residual;
				be32 desired_len; /* R2T */
			};
		};
	};
};

static_assert(sizeof(struct bhs) == 48, "RFC 7143 11.2.1");

#endif
