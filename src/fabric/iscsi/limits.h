/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limits.h: every bound of the iSCSI target on what a peer may send or make us keep, with its
 * reason. Each is checked before memory is taken.
 */
#ifndef ULIO_FABRIC_ISCSI_LIMITS_H
#define ULIO_FABRIC_ISCSI_LIMITS_H

/* ---- Text (RFC 7143 6.1, 6.2) ---- */

/* 4.2.7.1: an iSCSI name, in bytes. */
#define NODE_NAME_BYTES_MAX 223

/* 6.1: a key name. */
#define KEY_NAME_BYTES_MAX 63

/* 6.1: a simple value, unless its key states otherwise. */
#define KEY_VALUE_BYTES_MAX 255

/*
 * key=value data of one negotiation step, all its C=1 PDUs together. 6.1 asks for at least 8192;
 * the 64 KiB for long authentication items are owed only by who offers such a method, and CHAP's
 * longest step (CHAP_N, CHAP_R, CHAP_I, CHAP_C of 1024 bytes) is under 5 KiB.
 */
#define KEYS_TEXT_BYTES_MAX 16384

/* Pairs in one step. RFC 7143 and 7144 have about 35 keys in all; the rest is room for X- keys. */
#define KEYS_PAIRS_MAX 128

/*
 * Text that we answer with in one step. The longest answer to a key that we know is 8 bytes more
 * than its name, to one that we do not "=NotUnderstood": 128 x (63 + 15) plus our declarations.
 * A step that would need more fails; the buffer never grows beyond.
 */
#define KEYS_REPLY_BYTES_MAX 16384

/*
 * What the implementation can do, whatever is configured: the largest ErrorRecoveryLevel and
 * iSCSIProtocolLevel, the TaskReporting values, and for DataPDUInOrder and DataSequenceInOrder
 * whether "No" may be agreed (then Data-Out comes in any order). A negotiation never goes beyond.
 */
#define KEYS_ERROR_RECOVERY_LEVEL_SUPPORTED 0
#define KEYS_PROTOCOL_LEVEL_SUPPORTED       1
#define KEYS_TASK_REPORTING_SUPPORTED       TASK_REPORTING_RFC3720
#define KEYS_ORDER_SUPPORTED                CAN_YES

/* ---- Login (RFC 7143 6.3) ---- */

/* 13.12: the default MaxRecvDataSegmentLength, in force for both sides during login. */
#define LOGIN_DATA_SEGMENT_BYTES_MAX 8192

/*
 * Login Requests in one login phase. The longest regular one (CHAP, then operational keys, a text
 * of KEYS_TEXT_BYTES_MAX cut into pieces at each step) needs some ten.
 */
#define LOGIN_REQUESTS_MAX 64

/* ---- CHAP (RFC 7143 12.1.3, 13) ---- */

#define CHAP_NAME_BYTES_MAX   255
#define CHAP_SECRET_BYTES_MAX 255

/* 12.1.3: CHAP_C is at most 1024 bytes, decoded. */
#define CHAP_CHALLENGE_BYTES_MAX 1024

/* The longest digest that we offer: SHA-256 and SHA3-256. */
#define CHAP_DIGEST_BYTES_MAX 32

/* What we send as CHAP_C: RFC 1994 2.1 wants at least the length of the digest. */
#define CHAP_OUR_CHALLENGE_BYTES 32

/* Algorithms in one CHAP_A list; there are four, the rest is ignored with an error. */
#define CHAP_ALGORITHMS_LIST_MAX 32

#endif
