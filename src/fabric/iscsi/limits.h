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
#define KEYS_ERROR_RECOVERY_LEVEL_SUPPORTED 2
#define KEYS_PROTOCOL_LEVEL_SUPPORTED       PROTOCOL_LEVEL_SAM5
#define KEYS_TASK_REPORTING_SUPPORTED                                                              \
	(TASK_REPORTING_RFC3720 | TASK_REPORTING_RESPONSE_FENCE | TASK_REPORTING_FAST_ABORT)
#define KEYS_ORDER_SUPPORTED (CAN_NO | CAN_YES)

/* ---- Login (RFC 7143 6.3) ---- */

/* 13.12: the default MaxRecvDataSegmentLength, in force for both sides during login. */
#define LOGIN_DATA_SEGMENT_BYTES_MAX 8192

/*
 * Login Requests in one login phase. The longest regular one (CHAP, then operational keys, a text
 * of KEYS_TEXT_BYTES_MAX cut into pieces at each step) needs some ten.
 */
#define LOGIN_REQUESTS_MAX 64

/* Seconds that a connection has for its login, unless a portal group says otherwise. */
#define LOGIN_TIMEOUT_S 15
/* What it may say, as LIO's. */
#define LOGIN_TIMEOUT_MIN_S 5
#define LOGIN_TIMEOUT_MAX_S 30

/*
 * A login that was sent to another portal is expected there for so long; until then it counts like
 * a session, so that initiators that come all at once are not all sent to the same portal.
 */
#define REDIRECT_ARRIVES_NS 10000000000ull

/* Refused logins that are kept for administrators, some 800 bytes each. */
#define LOGIN_RECORDS_MAX 128

/* A refusal of a kind that was logged is not logged again for so long. */
#define LOGIN_RECORD_QUIET_NS 60000000000ull

/* ---- Hosts: one IPv4 address, or one IPv6 network of 64 bits ---- */

/* Those that are remembered without a connection: for back-off, some 200 bytes each. */
#define HOSTS_IDLE_MAX 4096

/* Wrong secrets in a minute before there is back-off: a script with a typing error is no attack. */
#define HOST_FAILURES_FREE 20

/* The first delay between two responses, doubled with each wrong one, and the longest. */
#define HOST_BACKOFF_FIRST_NS 100000000ull
#define HOST_BACKOFF_MAX_S    2

/* With less than so much time between them wrong secrets add up. */
#define HOST_FORGET_NS 60000000000ull

/* A response waits so long at most; well below LOGIN_TIMEOUT_S. */
#define HOST_WAIT_NS 8000000000ull

/* ---- iSNS (RFC 4171) ---- */

/* Servers that are registered with: a site has two or three. */
#define ISNS_SERVERS_MAX        8
#define ISNS_SERVERS_TEXT_BYTES 800

/* 6.2.1: an entity identifier has at most 255 bytes and a NUL. */
#define ISNS_ENTITY_BYTES 256

/* Targets, portals, and portals of targets that are registered. */
#define ISNS_OBJECTS_MAX 65536

/*
 * A request of ours is ended when it has become so long; what was begun then adds less than 1 KiB.
 * open-isns takes and gives no messages above 8 KiB, and its answers repeat what they are about.
 */
#define ISNS_MESSAGE_BYTES 4096

/* Connections that servers have made to us, 64 KiB each; the oldest gives way. */
#define ISNS_CALLERS_MAX 16

/* Changes come in crowds: servers are told when there has been none for so long. */
#define ISNS_REST_NS 50000000ull

/* Until a server that does not answer, or cannot be reached, is given up for now. */
#define ISNS_ANSWER_NS 10000000000ull

/* The first wait before it is tried again; it doubles up to the longest. */
#define ISNS_RETRY_FIRST_NS 1000000000ull
#define ISNS_RETRY_MAX_NS   60000000000ull

/* How long stopping waits for servers to take the deregistration. */
#define ISNS_LEAVE_NS 2000000000ull

/* A server is not asked more often whether it has removed us. */
#define ISNS_RECHECK_NS 5000000000ull

/* ---- CHAP (RFC 7143 12.1.3, 13) ---- */

#define CHAP_NAME_BYTES_MAX   255
#define CHAP_SECRET_BYTES_MAX 255

/* 12.1.3: CHAP_C is at most 1024 bytes, decoded. */
#define CHAP_CHALLENGE_BYTES_MAX 1024

/* The longest digest that we offer: SHA-256 and SHA3-256. */
#define CHAP_DIGEST_BYTES_MAX 32

/* What we send as CHAP_C: RFC 1994 2.1 wants at least the length of the digest. */
#define CHAP_OUR_CHALLENGE_BYTES 32

/* 9.2.1: 96 bits. A shorter secret is only warned of: that IPsec is in use cannot be seen here. */
#define CHAP_SECRET_BYTES_GOOD 12

/* Accounts beside the general one at each place: a login looks through all of them. */
#define AUTH_USERS_MAX 256

/* Where a secret is read from: a path. */
#define SECRET_SOURCE_BYTES_MAX 511

/* Algorithms in one CHAP_A list; there are four, the rest is ignored with an error. */
#define CHAP_ALGORITHMS_LIST_MAX 32

/* ---- Task management and fences (RFC 7143 4.2.2.3, 4.2.3) ---- */

/*
 * How long an initiator may leave responses without an acknowledgement that it was asked for, until
 * its connection is closed: the other connections of the session wait meanwhile.
 */
#define FENCE_ACK_NS 10000000000ull

/*
 * How often it is asked: the ping or its answer may be lost, or have come before something that was
 * sent again (level 1).
 */
#define FENCE_PING_NS 250000000ull

/*
 * Responses of a connection that wait for a fence. Each command acknowledges what came before it;
 * who sends on for four windows without is closed.
 */
#define FENCE_HELD_MAX (4 * SESS_DEPTH_MAX)

/*
 * How long a function that is about many tasks waits for Data-Out that were asked for (4.2.3.3):
 * initiators that stop sending data with the function, as Linux's does, are not waited for longer.
 */
#define TMF_DATA_WAIT_NS 1000000000ull

/* ---- Connections and sessions ---- */

/*
 * MaxRecvDataSegmentLength that we declare at most, and data segments that we send at most,
 * whatever is configured: one data segment is described by one array of slices.
 */
#define CONN_DATA_SEGMENT_BYTES_MAX (1u << 20)

/* Slices of one data segment: a page each at worst, and a cut one at either end. */
#define RX_SINK_IOV ((CONN_DATA_SEGMENT_BYTES_MAX >> 12) + 2)

/*
 * From this many bytes on a data segment is received straight to its place: below it one system
 * call costs more than copying.
 */
#define RX_DIRECT_BYTES 12288

/* Connections of a process that have not logged in; the oldest gives way to a newer one. */
#define LOGINS_PENDING_MAX 1024

/* Of these at most so many from one address: one peer cannot push out all others. */
#define LOGINS_PENDING_PER_PEER 256

/* Connections in all; each may cost a descriptor and some 20 KiB. */
#define CONNS_MAX 65536

/* PDUs without a command (pings, rejects, texts) waiting to be sent, until receiving stops. */
#define TX_PDUS_MAX 128

/*
 * Commands that have ended and wait to be sent, and their data, until receiving stops: the window
 * opens when a command ends, so a peer that does not read could have ever more of them.
 */
#define TX_TASKS_MAX      1024
#define TX_TASK_BYTES_MAX (64u << 20)

/* One submission: PDUs, slices and bytes. */
#define TX_BATCH_PDUS  128
#define TX_BATCH_IOV   640
#define TX_BATCH_BYTES (1u << 20)

/* Batches and tasks kept for reuse per loop. */
#define FREE_BATCHES_KEPT 64u
#define FREE_TASKS_KEPT   4096u

/*
 * Commands that were answered and not acknowledged, above level 0: beyond so much Data-In they keep
 * their place in the window.
 */
#define RETAIN_TASK_BYTES (32u << 20)

/*
 * Bytes of Data-In after which an acknowledgement is asked for (A bit), at the next end of a
 * sequence: 11.7.2 allows it at each, which with a small MaxBurstLength would be a SNACK for each
 * PDU.
 */
#define DATAIN_ACK_BYTES (32u << 10)

/* The time between two pings that ask for an acknowledgement. */
#define RETAIN_ASK_NS 200000000ull

/* Other PDUs that were not acknowledged: as many as an initiator has commands, and some. */
#define RETAIN_PDUS_MAX  1024
#define RETAIN_PDU_BYTES (2u << 20)

/*
 * Headers with a wrong digest one after the other that are passed over, by the length that they
 * claim: after more the place of the next header is anybody's guess, and the connection is closed.
 * So it is when after this time the parser is in the midst of what it took for a PDU.
 */
#define RX_BAD_HEADERS_MAX 32
#define RX_RESYNC_WAIT_NS  3000000000ull

/*
 * When a PDU was lost and could have been Data-Out, what is missing is asked for after this time
 * instead of dataout_timeout.
 */
#define DATA_LOST_WAIT_NS 250000000ull

/* Seconds that an initiator has for a logout that the target asks for. */
#define LOGOUT_REQUEST_WAIT_S 10

/*
 * Pieces of a burst that has come with holes: twice as many PDUs of 512 bytes as make up a
 * MaxBurstLength of 1 MiB. A burst in more pieces is not taken (level 0), or asked for anew.
 */
#define EXTENTS_MAX 4096

/*
 * Such pieces of all bursts of a connection together, 8 bytes each. In any order, with segments of
 * 8 KiB, 1 GiB of data under way has no more; who makes more of them loses data to ask for anew, or
 * the command (level 0).
 */
#define CONN_EXTENTS_MAX 65536

/* MaxOutstandingR2T that is granted at most. */
#define TASK_R2TS_MAX 8

/* Writes that ended while their data may still be coming: it is dropped without a Reject. */
#define CONN_ENDED_ITTS 32

/* A login that reinstates a session waits this long for the old one to end. */
#define REINSTATE_WAIT_NS 10000000000ull

/*
 * Connections of a level 2 session that have failed and are kept for recovery: twice MaxConnections
 * and so many more, since others may be lost before the tasks of the first ones were reassigned.
 * Beyond that the oldest gives way. They count in CONNS_MAX.
 */
#define RECOVER_CONNS_MORE 16

/* Commands that wait for a lower CmdSN: the window is no larger. */
#define SESS_DEPTH_MAX 1024

/*
 * Immediate requests of a connection under way or held: the window does not bound them (4.2.2.1),
 * so more are rejected (11.17.1, 06h).
 */
#define CONN_IMMEDIATE_MAX 256

/* Task management functions of a connection under way; they take no place in the window. */
#define CONN_TMFS_MAX 256

/* Data of plain PDUs (echoed pings, texts) waiting to be sent, until receiving stops. */
#define TX_QUEUED_BYTES_MAX (2u << 20)

#endif
