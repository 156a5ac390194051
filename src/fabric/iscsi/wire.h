/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h: iSCSI PDUs as RFC 7143 section 11 draws them.
 *
 * Every Basic Header Segment is 48 bytes of byte-array types in the RFC's field order; nothing here
 * has alignment or byte order, so a struct may lie over received bytes once their length is known.
 * Enumerators carry the RFC's names and values. Lengths that a peer sent are returned as they are:
 * checking them against the negotiated limits is the caller's (pdu.c).
 */
#ifndef ULIO_FABRIC_ISCSI_WIRE_H
#define ULIO_FABRIC_ISCSI_WIRE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
	BHS_BYTES = 48, /* RFC 7143 11.2.1 */
	DIGEST_BYTES = 4, /* 11.2.3: header and data digest, CRC32C */
	AHS_TOTAL_BYTES_MAX = 255 * 4, /* 11.2.1.5: TotalAHSLength counts four-byte words */
	CDB_BHS_BYTES = 16, /* 11.3.5 */
	ISCSI_PORT = 3260, /* 4.1 */
	ISCSI_VERSION = 0x00, /* 11.12.4: the only version there is */
	DATA_SEGMENT_BYTES_MAX = 0xffffff, /* 11.2.1.6: 24 bits */
};

/* 11.2.1.8, 11.7.4, ...: the tag that names no task and no transfer. */
#define TAG_RESERVED UINT32_C(0xffffffff)

/* 11.2.1.2 Opcode: the low six bits of byte 0. */
enum iscsi_opcode {
	ISCSI_OP_NOP_OUT = 0x00,
	ISCSI_OP_SCSI_COMMAND = 0x01,
	ISCSI_OP_TASK_MANAGEMENT_REQUEST = 0x02,
	ISCSI_OP_LOGIN_REQUEST = 0x03,
	ISCSI_OP_TEXT_REQUEST = 0x04,
	ISCSI_OP_DATA_OUT = 0x05,
	ISCSI_OP_LOGOUT_REQUEST = 0x06,
	ISCSI_OP_SNACK_REQUEST = 0x10,
	ISCSI_OP_NOP_IN = 0x20,
	ISCSI_OP_SCSI_RESPONSE = 0x21,
	ISCSI_OP_TASK_MANAGEMENT_RESPONSE = 0x22,
	ISCSI_OP_LOGIN_RESPONSE = 0x23,
	ISCSI_OP_TEXT_RESPONSE = 0x24,
	ISCSI_OP_DATA_IN = 0x25,
	ISCSI_OP_LOGOUT_RESPONSE = 0x26,
	ISCSI_OP_R2T = 0x31,
	ISCSI_OP_ASYNC_MESSAGE = 0x32,
	ISCSI_OP_REJECT = 0x3f,

	ISCSI_OP_MASK = 0x3f,
	ISCSI_OP_IMMEDIATE = 0x40, /* 11.2.1.1 I bit */
};

/* 11.2.1.3: bit 0 of byte 1. PDUs without a use for it carry it set. */
enum { ISCSI_FINAL = 0x80 };

/* The generic header, 11.2.1: what every opcode has at the same place. */
struct bhs {
	uint8_t opcode; /* I bit and opcode */
	uint8_t flags; /* F bit and opcode-specific bits */
	uint8_t specific2[2]; /* opcode-specific */
	uint8_t total_ahs_length; /* four-byte words */
	be24 data_segment_length; /* bytes, without padding and digest */
	uint8_t lun[8]; /* LUN or opcode-specific */
	be32 initiator_task_tag;
	uint8_t specific20[28]; /* opcode-specific */
};
static_assert(sizeof(struct bhs) == BHS_BYTES, "BHS");

/* ---- 11.2.2 Additional Header Segments ---- */

enum ahs_type { /* 11.2.2.1 */
	AHS_EXTENDED_CDB = 1,
	AHS_BIDIRECTIONAL_READ_LENGTH = 2,
	AHS_TYPE_MASK = 0x3f,
};

/*
 * 11.2.2: length in bytes of what follows AHSType, without padding; the whole segment is padded to
 * a multiple of four bytes.
 */
struct ahs {
	be16 ahs_length;
	uint8_t ahs_type;
	uint8_t specific; /* first of the ahs_length bytes */
};
static_assert(sizeof(struct ahs) == 4, "AHS");

/* 11.2.2.3: ahs_length is CDBLength - 15; extended_cdb holds CDB bytes 16 and on. */
struct ahs_extended_cdb {
	be16 ahs_length;
	uint8_t ahs_type;
	uint8_t reserved;
	uint8_t extended_cdb[];
};
static_assert(sizeof(struct ahs_extended_cdb) == 4, "AHS");

enum {
	AHS_EXTENDED_CDB_LENGTH_BASE = 15, /* AHSLength = CDBLength - 15 */
	AHS_BIDI_READ_LENGTH = 5, /* AHSLength of struct ahs_bidi_read */
};

/* 11.2.2.4 */
struct ahs_bidi_read {
	be16 ahs_length; /* AHS_BIDI_READ_LENGTH */
	uint8_t ahs_type;
	uint8_t reserved;
	be32 bidi_read_expected_data_transfer_length;
};
static_assert(sizeof(struct ahs_bidi_read) == 8, "AHS");

/* ---- 11.3 SCSI Command ---- */

enum { /* 11.3.1 flags and task attributes, byte 1 */
	CMD_FINAL = 0x80,
	CMD_READ = 0x40,
	CMD_WRITE = 0x20,
	CMD_ATTR_MASK = 0x07,

	CMD_PRIORITY_SHIFT = 4, /* byte 2, RFC 7144; reserved below iSCSIProtocolLevel 2 */
};

enum iscsi_attr { /* 11.3.1 ATTR */
	ISCSI_ATTR_UNTAGGED = 0,
	ISCSI_ATTR_SIMPLE = 1,
	ISCSI_ATTR_ORDERED = 2,
	ISCSI_ATTR_HEAD_OF_QUEUE = 3,
	ISCSI_ATTR_ACA = 4,
};

struct bhs_scsi_command {
	uint8_t opcode;
	uint8_t flags;
	uint8_t priority;
	uint8_t reserved3;
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag;
	be32 expected_data_transfer_length;
	be32 cmdsn;
	be32 expstatsn;
	uint8_t cdb[CDB_BHS_BYTES];
};
static_assert(sizeof(struct bhs_scsi_command) == BHS_BYTES, "BHS");

/* ---- 11.4 SCSI Response ---- */

enum { /* 11.4.1 flags, byte 1 */
	RSP_BIDI_OVERFLOW = 0x10, /* o: bidirectional read residual overflow */
	RSP_BIDI_UNDERFLOW = 0x08, /* u */
	RSP_OVERFLOW = 0x04, /* O: residual overflow */
	RSP_UNDERFLOW = 0x02, /* U */
};

enum iscsi_response { /* 11.4.3 */
	ISCSI_RESPONSE_COMMAND_COMPLETED = 0x00,
	ISCSI_RESPONSE_TARGET_FAILURE = 0x01,
};

struct bhs_scsi_response {
	uint8_t opcode;
	uint8_t flags;
	uint8_t response; /* enum iscsi_response */
	uint8_t status; /* SAM status, valid when response is "command completed" */
	uint8_t total_ahs_length;
	be24 data_segment_length;
	be16 status_qualifier; /* RFC 7144; reserved below iSCSIProtocolLevel 2 */
	uint8_t reserved10[6];
	be32 initiator_task_tag;
	be32 snack_tag; /* 11.4.6, or reserved */
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	be32 expdatasn;
	be32 bidi_read_residual_count;
	be32 residual_count;
};
static_assert(sizeof(struct bhs_scsi_response) == BHS_BYTES, "BHS");

/* 11.4.7.1: the data segment of a response with sense: SenseLength, then SenseLength bytes. */
struct response_sense {
	be16 sense_length;
	uint8_t sense_data[];
};

/* ---- 11.5 Task Management Function Request, 11.6 Response ---- */

enum iscsi_tmf { /* 11.5.1; 9 to 12 are RFC 7144 and need iSCSIProtocolLevel 2 */
	ISCSI_TMF_ABORT_TASK = 1,
	ISCSI_TMF_ABORT_TASK_SET = 2,
	ISCSI_TMF_CLEAR_ACA = 3,
	ISCSI_TMF_CLEAR_TASK_SET = 4,
	ISCSI_TMF_LOGICAL_UNIT_RESET = 5,
	ISCSI_TMF_TARGET_WARM_RESET = 6,
	ISCSI_TMF_TARGET_COLD_RESET = 7,
	ISCSI_TMF_TASK_REASSIGN = 8,
	ISCSI_TMF_QUERY_TASK = 9,
	ISCSI_TMF_QUERY_TASK_SET = 10,
	ISCSI_TMF_I_T_NEXUS_RESET = 11,
	ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT = 12,

	ISCSI_TMF_MASK = 0x7f,
};

struct bhs_tmf_request {
	uint8_t opcode;
	uint8_t function; /* ISCSI_FINAL | enum iscsi_tmf */
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag;
	be32 referenced_task_tag;
	be32 cmdsn;
	be32 expstatsn;
	be32 refcmdsn;
	be32 expdatasn;
	uint8_t reserved40[8];
};
static_assert(sizeof(struct bhs_tmf_request) == BHS_BYTES, "BHS");

enum iscsi_tmf_response { /* 11.6.1; 7 is RFC 7144 */
	ISCSI_TMF_FUNCTION_COMPLETE = 0,
	ISCSI_TMF_TASK_DOES_NOT_EXIST = 1,
	ISCSI_TMF_LUN_DOES_NOT_EXIST = 2,
	ISCSI_TMF_TASK_STILL_ALLEGIANT = 3,
	ISCSI_TMF_REASSIGNMENT_NOT_SUPPORTED = 4,
	ISCSI_TMF_NOT_SUPPORTED = 5,
	ISCSI_TMF_AUTHORIZATION_FAILED = 6,
	ISCSI_TMF_FUNCTION_SUCCEEDED = 7,
	ISCSI_TMF_FUNCTION_REJECTED = 255,
};

struct bhs_tmf_response {
	uint8_t opcode;
	uint8_t flags; /* ISCSI_FINAL */
	uint8_t response;
	uint8_t reserved3;
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t additional_information[3]; /* RFC 7144: of QUERY ASYNCHRONOUS EVENT */
	uint8_t reserved11[5];
	be32 initiator_task_tag;
	uint8_t reserved20[4];
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	uint8_t reserved36[12];
};
static_assert(sizeof(struct bhs_tmf_response) == BHS_BYTES, "BHS");

/* ---- 11.7 SCSI Data-Out and Data-In ---- */

struct bhs_data_out {
	uint8_t opcode;
	uint8_t flags; /* ISCSI_FINAL: last PDU of the sequence */
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8]; /* reserved when target_transfer_tag is TAG_RESERVED */
	be32 initiator_task_tag;
	be32 target_transfer_tag;
	uint8_t reserved24[4];
	be32 expstatsn;
	uint8_t reserved32[4];
	be32 datasn;
	be32 buffer_offset;
	uint8_t reserved44[4];
};
static_assert(sizeof(struct bhs_data_out) == BHS_BYTES, "BHS");

enum { /* 11.7.3 flags of Data-In, byte 1 */
	DATA_IN_FINAL = 0x80,
	DATA_IN_ACKNOWLEDGE = 0x40,
	DATA_IN_OVERFLOW = 0x04,
	DATA_IN_UNDERFLOW = 0x02,
	DATA_IN_STATUS = 0x01,
};

struct bhs_data_in {
	uint8_t opcode;
	uint8_t flags;
	uint8_t reserved2;
	uint8_t status; /* with DATA_IN_STATUS */
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8]; /* with DATA_IN_ACKNOWLEDGE */
	be32 initiator_task_tag;
	be32 target_transfer_tag;
	be32 statsn; /* with DATA_IN_STATUS */
	be32 expcmdsn;
	be32 maxcmdsn;
	be32 datasn;
	be32 buffer_offset;
	be32 residual_count;
};
static_assert(sizeof(struct bhs_data_in) == BHS_BYTES, "BHS");

/* ---- 11.8 Ready To Transfer ---- */

struct bhs_r2t {
	uint8_t opcode;
	uint8_t flags; /* ISCSI_FINAL */
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag;
	be32 target_transfer_tag;
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	be32 r2tsn;
	be32 buffer_offset;
	be32 desired_data_transfer_length;
};
static_assert(sizeof(struct bhs_r2t) == BHS_BYTES, "BHS");

/* ---- 11.9 Asynchronous Message ---- */

enum iscsi_async_event { /* 11.9.1 */
	ISCSI_ASYNC_SCSI_EVENT = 0,
	ISCSI_ASYNC_REQUEST_LOGOUT = 1,
	ISCSI_ASYNC_DROP_CONNECTION = 2,
	ISCSI_ASYNC_DROP_ALL_CONNECTIONS = 3,
	ISCSI_ASYNC_REQUEST_NEGOTIATION = 4,
	ISCSI_ASYNC_TASKS_TERMINATED = 5, /* FastAbort, 4.2.3.4 */
	ISCSI_ASYNC_VENDOR = 255,
};

struct bhs_async_message {
	uint8_t opcode;
	uint8_t flags; /* ISCSI_FINAL */
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag; /* TAG_RESERVED */
	uint8_t reserved20[4];
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	uint8_t async_event;
	uint8_t async_vcode;
	be16 parameter1;
	be16 parameter2;
	be16 parameter3;
	uint8_t reserved44[4];
};
static_assert(sizeof(struct bhs_async_message) == BHS_BYTES, "BHS");

/* ---- 11.10 Text Request, 11.11 Text Response ---- */

enum { /* byte 1 of both */
	TEXT_FINAL = 0x80,
	TEXT_CONTINUE = 0x40,
};

struct bhs_text_request {
	uint8_t opcode;
	uint8_t flags;
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag;
	be32 target_transfer_tag;
	be32 cmdsn;
	be32 expstatsn;
	uint8_t reserved32[16];
};
static_assert(sizeof(struct bhs_text_request) == BHS_BYTES, "BHS");

struct bhs_text_response {
	uint8_t opcode;
	uint8_t flags;
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag;
	be32 target_transfer_tag;
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	uint8_t reserved36[12];
};
static_assert(sizeof(struct bhs_text_response) == BHS_BYTES, "BHS");

/* ---- 11.12 Login Request, 11.13 Login Response ---- */

enum { /* 11.12.1 to 11.12.3, byte 1 of both */
	LOGIN_TRANSIT = 0x80,
	LOGIN_CONTINUE = 0x40,
	LOGIN_CSG_SHIFT = 2,
	LOGIN_STAGE_MASK = 0x03,
};

enum iscsi_stage { /* 11.12.3 CSG and NSG */
	ISCSI_STAGE_SECURITY_NEGOTIATION = 0,
	ISCSI_STAGE_LOGIN_OPERATIONAL_NEGOTIATION = 1,
	ISCSI_STAGE_RESERVED = 2,
	ISCSI_STAGE_FULL_FEATURE_PHASE = 3,
};

struct bhs_login_request {
	uint8_t opcode;
	uint8_t flags;
	uint8_t version_max;
	uint8_t version_min;
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t isid[6];
	be16 tsih;
	be32 initiator_task_tag;
	be16 cid;
	uint8_t reserved22[2];
	be32 cmdsn;
	be32 expstatsn; /* or reserved, 11.12.9 */
	uint8_t reserved32[16];
};
static_assert(sizeof(struct bhs_login_request) == BHS_BYTES, "BHS");

/* 11.13.5: Status-Class in the high byte, Status-Detail in the low one. */
enum login_status {
	LOGIN_STATUS_SUCCESS = 0x0000,
	LOGIN_STATUS_TARGET_MOVED_TEMPORARILY = 0x0101,
	LOGIN_STATUS_TARGET_MOVED_PERMANENTLY = 0x0102,
	LOGIN_STATUS_INITIATOR_ERROR = 0x0200,
	LOGIN_STATUS_AUTHENTICATION_FAILURE = 0x0201,
	LOGIN_STATUS_AUTHORIZATION_FAILURE = 0x0202,
	LOGIN_STATUS_NOT_FOUND = 0x0203,
	LOGIN_STATUS_TARGET_REMOVED = 0x0204,
	LOGIN_STATUS_UNSUPPORTED_VERSION = 0x0205,
	LOGIN_STATUS_TOO_MANY_CONNECTIONS = 0x0206,
	LOGIN_STATUS_MISSING_PARAMETER = 0x0207,
	LOGIN_STATUS_CANNOT_INCLUDE_IN_SESSION = 0x0208,
	LOGIN_STATUS_SESSION_TYPE_NOT_SUPPORTED = 0x0209,
	LOGIN_STATUS_SESSION_DOES_NOT_EXIST = 0x020a,
	LOGIN_STATUS_INVALID_DURING_LOGIN = 0x020b,
	LOGIN_STATUS_TARGET_ERROR = 0x0300,
	LOGIN_STATUS_SERVICE_UNAVAILABLE = 0x0301,
	LOGIN_STATUS_OUT_OF_RESOURCES = 0x0302,
};

struct bhs_login_response {
	uint8_t opcode;
	uint8_t flags;
	uint8_t version_max;
	uint8_t version_active;
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t isid[6];
	be16 tsih;
	be32 initiator_task_tag;
	uint8_t reserved20[4];
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	uint8_t status_class;
	uint8_t status_detail;
	uint8_t reserved38[10];
};
static_assert(sizeof(struct bhs_login_response) == BHS_BYTES, "BHS");

/* ---- 11.14 Logout Request, 11.15 Logout Response ---- */

enum iscsi_logout_reason { /* 11.14.1 */
	ISCSI_LOGOUT_CLOSE_SESSION = 0,
	ISCSI_LOGOUT_CLOSE_CONNECTION = 1,
	ISCSI_LOGOUT_REMOVE_FOR_RECOVERY = 2,

	ISCSI_LOGOUT_REASON_MASK = 0x7f,
};

struct bhs_logout_request {
	uint8_t opcode;
	uint8_t reason; /* ISCSI_FINAL | enum iscsi_logout_reason */
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t reserved8[8];
	be32 initiator_task_tag;
	be16 cid; /* reserved when the session is closed */
	uint8_t reserved22[2];
	be32 cmdsn;
	be32 expstatsn;
	uint8_t reserved32[16];
};
static_assert(sizeof(struct bhs_logout_request) == BHS_BYTES, "BHS");

enum iscsi_logout_response { /* 11.15.1 */
	ISCSI_LOGOUT_SUCCESS = 0,
	ISCSI_LOGOUT_CID_NOT_FOUND = 1,
	ISCSI_LOGOUT_RECOVERY_NOT_SUPPORTED = 2,
	ISCSI_LOGOUT_CLEANUP_FAILED = 3,
};

struct bhs_logout_response {
	uint8_t opcode;
	uint8_t flags; /* ISCSI_FINAL */
	uint8_t response;
	uint8_t reserved3;
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t reserved8[8];
	be32 initiator_task_tag;
	uint8_t reserved20[4];
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	uint8_t reserved36[4];
	be16 time2wait; /* seconds */
	be16 time2retain; /* seconds */
	uint8_t reserved44[4];
};
static_assert(sizeof(struct bhs_logout_response) == BHS_BYTES, "BHS");

/* ---- 11.16 SNACK Request ---- */

enum iscsi_snack { /* 11.16.1 */
	ISCSI_SNACK_DATA_R2T = 0,
	ISCSI_SNACK_STATUS = 1,
	ISCSI_SNACK_DATA_ACK = 2,
	ISCSI_SNACK_R_DATA = 3,

	ISCSI_SNACK_MASK = 0x0f,
};

struct bhs_snack_request {
	uint8_t opcode;
	uint8_t type; /* ISCSI_FINAL | enum iscsi_snack */
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag;
	be32 target_transfer_tag; /* or SNACK Tag */
	uint8_t reserved24[4];
	be32 expstatsn;
	uint8_t reserved32[8];
	be32 begrun;
	be32 runlength;
};
static_assert(sizeof(struct bhs_snack_request) == BHS_BYTES, "BHS");

/* ---- 11.17 Reject ---- */

enum iscsi_reject { /* 11.17.1 */
	ISCSI_REJECT_DATA_DIGEST_ERROR = 0x02,
	ISCSI_REJECT_SNACK_REJECT = 0x03,
	ISCSI_REJECT_PROTOCOL_ERROR = 0x04,
	ISCSI_REJECT_COMMAND_NOT_SUPPORTED = 0x05,
	ISCSI_REJECT_IMMEDIATE_COMMAND = 0x06,
	ISCSI_REJECT_TASK_IN_PROGRESS = 0x07,
	ISCSI_REJECT_INVALID_DATA_ACK = 0x08,
	ISCSI_REJECT_INVALID_PDU_FIELD = 0x09,
	ISCSI_REJECT_LONG_OPERATION = 0x0a, /* out of resources; may be tried again */
	ISCSI_REJECT_WAITING_FOR_LOGOUT = 0x0c,
};

/* The data segment holds the header of the PDU in error. */
struct bhs_reject {
	uint8_t opcode;
	uint8_t flags; /* ISCSI_FINAL */
	uint8_t reason;
	uint8_t reserved3;
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t reserved8[8];
	be32 initiator_task_tag; /* TAG_RESERVED */
	uint8_t reserved20[4];
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	be32 datasn; /* DataSN/R2TSN, 11.17.3 */
	uint8_t reserved40[8];
};
static_assert(sizeof(struct bhs_reject) == BHS_BYTES, "BHS");

/* ---- 11.18 NOP-Out, 11.19 NOP-In ---- */

struct bhs_nop_out {
	uint8_t opcode;
	uint8_t flags; /* ISCSI_FINAL */
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag;
	be32 target_transfer_tag;
	be32 cmdsn;
	be32 expstatsn;
	uint8_t reserved32[16];
};
static_assert(sizeof(struct bhs_nop_out) == BHS_BYTES, "BHS");

struct bhs_nop_in {
	uint8_t opcode;
	uint8_t flags; /* ISCSI_FINAL */
	uint8_t reserved2[2];
	uint8_t total_ahs_length;
	be24 data_segment_length;
	uint8_t lun[8];
	be32 initiator_task_tag;
	be32 target_transfer_tag;
	be32 statsn;
	be32 expcmdsn;
	be32 maxcmdsn;
	uint8_t reserved36[12];
};
static_assert(sizeof(struct bhs_nop_in) == BHS_BYTES, "BHS");

/* ---- Accessors; any thread ---- */

static inline enum iscsi_opcode bhs_opcode(const struct bhs *h)
{
	return (enum iscsi_opcode)(h->opcode & ISCSI_OP_MASK);
}

/* 11.2.1.1: the request is for immediate delivery. */
static inline bool bhs_immediate(const struct bhs *h)
{
	return h->opcode & ISCSI_OP_IMMEDIATE;
}

static inline bool bhs_final(const struct bhs *h)
{
	return h->flags & ISCSI_FINAL;
}

/* Bytes of all AHS, 0 to AHS_TOTAL_BYTES_MAX. */
static inline uint32_t bhs_ahs_bytes(const struct bhs *h)
{
	return (uint32_t)h->total_ahs_length * 4;
}

/* Bytes of the data segment without its padding, 0 to DATA_SEGMENT_BYTES_MAX. */
static inline uint32_t bhs_data_bytes(const struct bhs *h)
{
	return be24_get(h->data_segment_length);
}

/* 11.1: bytes rounded up to whole four-byte words. */
static inline uint32_t padded_bytes(uint32_t bytes)
{
	return (bytes + 3) & ~UINT32_C(3);
}

/* Bytes of padding that follow a segment of that length: 0 to 3. */
static inline uint32_t pad_bytes(uint32_t bytes)
{
	return -bytes & 3;
}

static inline uint32_t bhs_itt(const struct bhs *h)
{
	return be32_get(h->initiator_task_tag);
}

/* The LUN field as SAM-5 4.7 has it: eight bytes, big-endian. */
static inline uint64_t bhs_lun(const struct bhs *h)
{
	return get_be64(h->lun);
}

/* Bytes that an AHS occupies with its padding: 3 + AHSLength rounded up to four. */
static inline uint32_t ahs_bytes(const struct ahs *a)
{
	return padded_bytes(3 + (uint32_t)be16_get(a->ahs_length));
}

static inline enum iscsi_stage login_csg(uint8_t flags)
{
	return (enum iscsi_stage)(flags >> LOGIN_CSG_SHIFT & LOGIN_STAGE_MASK);
}

static inline enum iscsi_stage login_nsg(uint8_t flags)
{
	return (enum iscsi_stage)(flags & LOGIN_STAGE_MASK);
}

#endif
