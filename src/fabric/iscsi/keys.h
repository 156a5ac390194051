/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keys.h: text keys and their negotiation (RFC 7143 6 and 13, RFC 7144).
 *
 * The text of one negotiation step (all its C=1 PDUs together) is collected in a keys_text, cut
 * into pairs by keys_parse(), and answered by keys_negotiate(), which looks up each key's row in
 * keys.tbl.h and applies the row's result function to what the peer proposed and what keys_config
 * allows. Pure functions of their arguments: no sockets, no clock, no globals; any thread, one at a
 * time per object.
 */
#ifndef ULIO_FABRIC_ISCSI_KEYS_H
#define ULIO_FABRIC_ISCSI_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fabric/iscsi/limits.h"

/* ---- What was agreed ---- */

/* Values of list keys, one bit each. The negotiated field holds exactly one of them. */
enum { /* 13.1 HeaderDigest, DataDigest */
	DIGEST_CRC32C = 1,
	DIGEST_NONE = 2,
};

enum { /* 12 AuthMethod; only CHAP and None are ever chosen, the others may stand in a config */
	AUTH_METHOD_CHAP = 1,
	AUTH_METHOD_NONE = 2,
	AUTH_METHOD_SRP = 4,
	AUTH_METHOD_SPKM1 = 8,
	AUTH_METHOD_SPKM2 = 16,
	AUTH_METHOD_KRB5 = 32,
};

enum { /* 13.23 TaskReporting */
	TASK_REPORTING_RFC3720 = 1,
	TASK_REPORTING_RESPONSE_FENCE = 2,
	TASK_REPORTING_FAST_ABORT = 4,
};

enum { /* 13.24 iSCSIProtocolLevel */
	PROTOCOL_LEVEL_RFC7143 = 1,
	PROTOCOL_LEVEL_SAM5 = 2, /* RFC 7144 */
};

enum { /* 13.21 SessionType */
	SESSION_TYPE_NORMAL = 1,
	SESSION_TYPE_DISCOVERY = 2,
};

/*
 * Session-wide results (scope SW), spelled as the RFC's keys. Lengths are bytes, times seconds.
 * The names are NUL-terminated; node names are normalised (name.h), aliases are the peer's bytes.
 */
struct sess_params {
	char initiator_name[NODE_NAME_BYTES_MAX + 1];
	char initiator_alias[KEY_VALUE_BYTES_MAX + 1];
	char target_name[NODE_NAME_BYTES_MAX + 1]; /* mostly empty in a discovery session */
	uint32_t session_type; /* SESSION_TYPE_x */
	uint32_t max_connections;
	bool initial_r2t;
	bool immediate_data;
	bool data_pdu_in_order;
	bool data_sequence_in_order;
	uint32_t max_burst_length;
	uint32_t first_burst_length; /* <= max_burst_length */
	uint32_t default_time2wait;
	uint32_t default_time2retain;
	uint32_t max_outstanding_r2t;
	uint32_t error_recovery_level;
	uint32_t task_reporting; /* TASK_REPORTING_x */
	uint32_t iscsi_protocol_level;
};

/* Results of one connection (scope CO). */
struct conn_params {
	uint32_t header_digest; /* DIGEST_x; in force from the Full Feature Phase on */
	uint32_t data_digest;
	uint32_t auth_method; /* AUTH_METHOD_x */
	/* What we declared: the initiator sends no longer data segments than this. */
	uint32_t max_recv_data_segment_length;
	/*
	 * What the initiator declared, cut to the configured MaxXmitDataSegmentLength: we send no
	 * longer data segments than this.
	 */
	uint32_t max_xmit_data_segment_length;
};

struct keys_values {
	struct sess_params sess;
	struct conn_params conn;
};

/* The RFC's defaults, 13.x: what holds for a key that nobody mentions. */
void keys_values_init(struct keys_values *v);

/* ---- What we are willing to agree to ---- */

/*
 * The target's side of every negotiation, one field per file of LIO's tpgt_N/param/. For list keys
 * a mask of allowed values; for boolean and numerical keys our own value in the RFC's result
 * function.
 */
struct keys_config {
	uint32_t auth_method;
	uint32_t header_digest;
	uint32_t data_digest;
	uint32_t max_connections;
	char target_alias[KEY_VALUE_BYTES_MAX + 1]; /* empty: not declared */
	bool initial_r2t;
	bool immediate_data;
	bool data_pdu_in_order;
	bool data_sequence_in_order;
	uint32_t max_recv_data_segment_length;
	uint32_t max_xmit_data_segment_length;
	uint32_t max_burst_length;
	uint32_t first_burst_length;
	uint32_t default_time2wait;
	uint32_t default_time2retain;
	uint32_t max_outstanding_r2t;
	uint32_t error_recovery_level;
	/* Not among LIO's parameters. */
	uint32_t task_reporting;
	uint32_t iscsi_protocol_level;
	/*
	 * LIO's attribute of that name: an initiator that ignores a key which we originated gets
	 * the RFC's default instead of a refused login.
	 */
	bool login_keys_workaround;
};

/*
 * ulio's defaults: CHAP, digests on request, MaxRecvDataSegmentLength 262144,
 * FirstBurstLength 262144, MaxBurstLength 1048576, ImmediateData=Yes, InitialR2T=Yes,
 * MaxOutstandingR2T 8, ErrorRecoveryLevel 0, one connection.
 */
void keys_config_init(struct keys_config *c);

/*
 * Set one parameter from text, by its exact LIO file name ("MaxBurstLength"). Numbers are decimal
 * or 0x, booleans Yes or No, lists comma-separated. Setting to what would be advertised but not
 * work (markers) is refused. Returns 0, -ENOENT for a name that is no parameter, -EINVAL for a
 * value out of range.
 */
int keys_config_set(struct keys_config *c, const char *name, const char *value);

/*
 * The same read back: the value's text, NUL-terminated. Returns its length, -ENOENT, or -ENOBUFS
 * when size bytes do not hold it.
 */
int keys_config_get(const struct keys_config *c, const char *name, char *buf, size_t size);

/* The i-th parameter name, in table order; NULL after the last. */
const char *keys_config_name(size_t i);

/* ---- Text in and out ---- */

/* Why a peer's text was refused: one line without the peer's control characters, no secrets. */
struct keys_fault {
	char cause[192];
};

/* printf into f->cause; bytes that are not printable ASCII come out as '?'. */
void keys_fault_set(struct keys_fault *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A bounded byte buffer for key=value text, in either direction. Memory grows as needed, never
 * beyond max, and is wiped when freed (it may hold CHAP items).
 */
struct keys_text {
	char *data;
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* bytes allowed */
	size_t taken; /* bytes that keys_text_take() handed out */
};

void keys_text_init(struct keys_text *t, size_t max);
void keys_text_done(struct keys_text *t);

/* Forget the content, keep the memory. */
void keys_text_reset(struct keys_text *t);

/* Append bytes as they are: a received data segment. 0, -EMSGSIZE beyond max, -ENOMEM. */
int keys_text_append(struct keys_text *t, const void *bytes, size_t len);

/* Append "key=value" and its NUL. 0, -EMSGSIZE, -ENOMEM; on error nothing was appended. */
int keys_text_add(struct keys_text *t, const char *key, const char *value);

/* Bytes not handed out yet. */
static inline size_t keys_text_left(const struct keys_text *t)
{
	return t->len - t->taken;
}

/*
 * The next at most max bytes for a data segment; a pair may be cut anywhere (RFC 7143 6.2, C bit).
 * Returns the number of bytes, and in *ret where they are (valid until the text changes).
 */
size_t keys_text_take(struct keys_text *t, size_t max, const char **ret);

struct keys_pair {
	const char *key; /* NUL-terminated, 1 to KEY_NAME_BYTES_MAX bytes */
	const char *value; /* NUL-terminated */
	size_t value_bytes;
};

struct keys_pairs {
	size_t n;
	struct keys_pair pair[KEYS_PAIRS_MAX];
};

/*
 * Cut a whole step's text into pairs, in place ('=' becomes NUL; the pairs point into t and live as
 * long as it is not changed). Checks RFC 7143 6.1: every pair ends in NUL, has '=' and a standard
 * label as its key; at most KEYS_PAIRS_MAX pairs; no key twice (6.3: redeclaring is an error).
 * Returns 0 or -EPROTO with the cause in *f.
 */
int keys_parse(struct keys_text *t, struct keys_pairs *ret, struct keys_fault *f);

/* The value of a key, or NULL. */
const struct keys_pair *keys_find(const struct keys_pairs *p, const char *key);

/* ---- Values, RFC 7143 6.1; each returns 0 or -EINVAL ---- */

int keys_boolean(const char *value, bool *ret);

/* numerical-value: a decimal constant or a hex constant less than 2^64. */
int keys_number(const char *value, uint64_t *ret);

/*
 * large-binary-value: a hex constant (0x, an even number of digits) or a base64 constant (0b).
 *   out, max	where to and at most how many bytes; never written beyond
 * Returns the number of bytes (at least 1), -EINVAL if malformed, -EMSGSIZE if longer than max.
 */
int keys_binary(const char *value, uint8_t *out, size_t max);

/* ---- Negotiation ---- */

enum keys_stage { /* bits: a key's row says in which of them it may be used */
	KEYS_SECURITY = 1, /* SecurityNegotiation */
	KEYS_OPERATIONAL = 2, /* LoginOperationalNegotiation */
	KEYS_FULL_FEATURE = 4, /* Text Requests */
};

/*
 * One negotiation: a login phase, or one Text Request sequence of the Full Feature Phase. values
 * are changed as keys are agreed: in the Full Feature Phase negotiate on a copy and take it over
 * when the sequence ends.
 */
struct keys_nego {
	const struct keys_config *config; /* borrowed */
	struct keys_values *values; /* borrowed */
	enum keys_stage stage;
	bool leading; /* first connection of its session: LO keys allowed */
	uint64_t seen; /* rows that the peer has used in this negotiation */
	uint64_t agreed; /* rows whose negotiation is complete */
	uint64_t offered; /* rows that we originated and that await the peer's answer */
	bool declared; /* our own declarations are out */
	const char *send_targets; /* its value in this step, or NULL; points into the pairs */
};

/*
 * Begin a negotiation. config and values outlive n. For another connection of a session, values
 * holds that session's parameters and leading is false.
 */
void keys_nego_init(struct keys_nego *n, enum keys_stage stage, bool leading,
	const struct keys_config *config, struct keys_values *values);

/*
 * Answer one step: for each pair of in, apply its row and append the response, if the key asks for
 * one, to out (RFC 7143 6.2.1, 6.2.2). Keys of RFC 7143 12 (AuthMethod apart) are left to chap.h.
 * A key that is unknown is answered NotUnderstood; one that may not be used in this stage, or a
 * value that is not admissible, Reject; one without meaning in this session, Irrelevant.
 * Returns 0; -EPROTO for what ends the negotiation (a key repeated, a reserved word proposed,
 * a malformed value of a declaration, an answer that we cannot accept), cause in *f;
 * -EMSGSIZE or -ENOMEM when the answer did not fit.
 */
int keys_negotiate(struct keys_nego *n, const struct keys_pairs *in, struct keys_text *out,
	struct keys_fault *f);

/*
 * Originate what the target has to say in LoginOperationalNegotiation, once: its declarations
 * (MaxRecvDataSegmentLength, TargetAlias), and those keys whose RFC default config forbids and
 * the initiator has not brought up. Call it after keys_negotiate() when the initiator asks for
 * transit; n->offered tells afterwards whether answers are due. Returns 0, -EMSGSIZE, -ENOMEM.
 */
int keys_offer(struct keys_nego *n, struct keys_text *out);

/*
 * May the Full Feature Phase begin with the values as they are? Settles offers that went
 * unanswered (keys_config.login_keys_workaround), checks FirstBurstLength <= MaxBurstLength
 * (13.14), and that a digest which config demands was agreed. 0, or -EPROTO with the cause.
 */
int keys_complete(struct keys_nego *n, struct keys_fault *f);

#endif
