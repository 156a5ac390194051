/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sessions.h: the sessions of the iSCSI fabric as plain data, for lists, statistics and
 * diagnostics, and how an administrator ends them. What is told is copied on the loop of each
 * session, so it is consistent and nothing of it can go away.
 *
 * All functions are for the control thread, and not under the configuration lock: they wait for
 * every loop.
 */
#ifndef ULIO_FABRIC_ISCSI_SESSIONS_H
#define ULIO_FABRIC_ISCSI_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/target.h"

/* Connections of one session that are told of, by CID. */
enum { SESSION_CONNS_TOLD = 32 };

struct session_conn {
	uint32_t id; /* as in the log: "conn 7" */
	uint16_t cid;
	enum conn_state state;
	char peer[64]; /* "10.0.0.2:51000", "[::1]:51000" */
	char local[64]; /* likewise: the portal that it came by */
	unsigned loop;
	bool header_digest, data_digest;
	uint32_t max_recv_bytes, max_xmit_bytes; /* MaxRecvDataSegmentLength, ours and theirs */
	uint32_t statsn;
	uint64_t rx_pdus, tx_pdus, rx_bytes, tx_bytes; /* headers included */
	uint64_t idle_ns; /* since something was received */
	uint32_t tasks; /* commands of it under way, and what of them is being sent */
	uint64_t ping_ns; /* how long the last ping took, 0: there was none */
};

/* A LUN that the initiator sees. */
struct session_lun {
	uint32_t lun;
	bool read_only;
	char disk[256];
	uint64_t commands, read_bytes, write_bytes; /* of this session */
};

struct session_info {
	uint16_t tsih;
	uint8_t isid[6];
	bool discovery;
	enum sess_state state;
	char target[NODE_NAME_BYTES_MAX + 1]; /* "" of a discovery session */
	uint16_t tpgt;
	struct sess_params params; /* what was agreed; initiator_name, initiator_alias */
	uint32_t exp_cmdsn, max_cmdsn, depth;
	uint32_t active; /* commands under way */
	uint32_t next_ttt;
	uint32_t luns; /* that the initiator sees */
	uint32_t nluns_told;
	struct session_lun *luns_told; /* if they were asked for */
	char user[CHAP_NAME_BYTES_MAX + 1]; /* "": it did not authenticate */
	bool by_next; /* by the next secret of that account (auth.h) */
	bool mutual; /* and so did the target */
	const char *algorithm; /* static, NULL without CHAP */
	uint64_t age_ns;
	uint64_t cmd_pdus, rsp_pdus, digest_errors;
	char last_error[128]; /* "" or what went wrong last */
	unsigned nconns; /* all; none when the session is just ending */
	unsigned nconns_told; /* of conns */
	struct session_conn conns[SESSION_CONNS_TOLD];
};

/* Which sessions; zero fields mean any. Names are normalised (name.h). */
struct session_filter {
	uint16_t tsih;
	const char *initiator;
	const char *target; /* "": discovery sessions */
	const struct tpg *tpg;
	bool tell_luns; /* luns_told, too */
};

/* Call fn for each, by rising TSIH. f may be NULL. 0 or -ENOMEM. */
int sessions_each(struct entity *e, const struct session_filter *f,
	void (*fn)(const struct session_info *s, void *arg), void *arg);

/* The newest session of an initiator at a portal group. 0, -ENOENT: there is none. */
int session_newest(struct tpg *tpg, const char *initiator, struct session_info *ret);

/*
 * Ask those that match to log out (Asynchronous Message, RFC 7143 11.9.1 event 1); connections that
 * have not done so after that many seconds (at least 1) are closed. Returns how many there were.
 */
unsigned sessions_ask_logout(
	struct entity *e, const struct session_filter *f, const char *why, uint16_t seconds);

/*
 * End those that match: their initiators are told (Asynchronous Message, RFC 7143 11.9.1 event 3)
 * and may log in again at once. Returns how many there were; they are gone a little later.
 *	why	for the log and the session's last error
 */
unsigned sessions_drop(struct entity *e, const struct session_filter *f, const char *why);

/* The host of "10.0.0.2:51000" or "[::1]:51000", without brackets; cut to cap. */
void peer_host(const char *peer, char *buf, size_t cap);

#endif
