/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conn.h: a connection (RFC 7143 4.2.4, 8.1): its receive side (rx.c), its send side (tx.c), and
 * what happens to it in between (conn.c). It belongs to one loop for its life; everything here is
 * for that loop.
 *
 * Receiving has two ways, switched by the traffic. Idle connections and small PDUs: into a buffer
 * of the loop, which is taken only when data are there, several PDUs at once, payload copied once
 * to where it belongs. Large data segments: straight to where they belong, header by header,
 * nothing copied.
 */
#ifndef ULIO_FABRIC_ISCSI_CONN_H
#define ULIO_FABRIC_ISCSI_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "fabric/iscsi/extents.h"
#include "fabric/iscsi/fence.h"
#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/limits.h"
#include "fabric/iscsi/recover.h"
#include "fabric/iscsi/retain.h"
#include "fabric/iscsi/target.h"
#include "fabric/iscsi/visit.h"
#include "fabric/iscsi/wire.h"
#include "loop/loop.h"

struct cmd;
struct conn;
struct login;
struct login_hold;
struct host;
struct login_id;
struct login_reply;
struct sess;
struct task;
struct text_exchange;

/* RFC 7143 8.1.1; the transitions are in conn.fsm.h. */
enum conn_state {
	CONN_FREE, /* S1 */
	CONN_XPT_UP, /* S3 */
	CONN_IN_LOGIN, /* S4 */
	CONN_LOGGED_IN, /* S5 */
	CONN_IN_LOGOUT, /* S6 */
	CONN_LOGOUT_REQUESTED, /* S7 */
	CONN_CLEANUP_WAIT, /* S8: closed, waits for what loops and engine still hold */
	CONN_STATES
};

enum conn_event {
	EV_ACCEPTED, /* T3 */
	EV_LOGIN_REQUEST, /* T4 */
	EV_LOGIN_DONE, /* T5 */
	EV_LOGIN_FAILED, /* T7 */
	EV_ASYNC_LOGOUT, /* T11, T12: we asked for a logout */
	EV_LOGOUT, /* T9, T10: the initiator asked for it */
	EV_CLOSE, /* T8, T13, T15: the transport or the session has ended */
	CONN_EVENTS
};

enum logout_state { LOGOUT_NONE, LOGOUT_COMMANDS, LOGOUT_NEXUS };

/* A PDU as it comes in: header checked for length, data segment where the sink said. */
struct pdu {
	struct bhs bhs;
	/* the header digest follows the last AHS */
	uint8_t ahs[AHS_TOTAL_BYTES_MAX + DIGEST_BYTES];
	uint32_t data_bytes;
};

/* Where a data segment goes: slices that the owner of the PDU gave before it arrived. */
struct rx_sink {
	struct iovec iov[RX_SINK_IOV];
	unsigned niov;
	uint32_t left; /* bytes still to come */
	unsigned at; /* slice and offset of the next byte */
	size_t at_off;
	bool pages; /* pool pages of the connection itself, released after the PDU */
	bool discard; /* nobody wants it */
};

/* What goes in another order than the bytes': DataPDUInOrder=No, DataSequenceInOrder=No. */
enum { SHUFFLE_PDUS = 1, SHUFFLE_SEQUENCES = 2, SHUFFLE_R2TS = 4 };

enum rx_phase { RX_HEADER, RX_DATA, RX_TAIL };

struct rx {
	enum rx_phase phase;
	bool large; /* the last PDU was large: fetch the next header alone */
	bool stopped; /* nothing is received: send queue full, or closing */
	bool in_pdu; /* inside of a PDU handler */
	bool skip; /* the header digest did not match: nothing is done with this PDU */
	uint8_t bad_headers; /* one after the other */
	struct loop_timer resync; /* until a right one is to be there */
	uint64_t resync_pdus; /* conn->rx_pdus since when */
	struct loop_op op;
	uint32_t have, need; /* bytes of the part that phase is about */
	struct pdu pdu;
	uint8_t tail[3 + DIGEST_BYTES]; /* padding and data digest */
	struct rx_sink sink;
	struct task *task; /* whose memory the data segment goes to */
	struct iovec direct_iov[RX_SINK_IOV + 1];
	/* What is left of a loop's buffer while receiving is stopped in the middle of it. */
	uint8_t *buf;
	uint32_t buf_at, buf_bytes;
};

enum tx_kind { TX_PDU, TX_TASK, TX_AGAIN };

/*
 * One PDU or one task's Data-In and status, waiting to be sent; then, above level 0, to be
 * acknowledged.
 */
struct tx_item {
	struct list link;
	struct task *task; /* TX_TASK */
	uint8_t kind; /* enum tx_kind */
	bool kept; /* in conn->retain */
	bool again; /* its status is queued to be sent again */
	uint16_t holds; /* struct tx_again that are about it */
	uint32_t statsn; /* once it was laid into a PDU that has one */
	uint32_t fence; /* the one that it is held behind */
};

/* A PDU with everything in it; made by tx_pdu_new(). */
struct tx_pdu {
	struct tx_item item;
	struct bhs bhs; /* StatSN, ExpCmdSN, MaxCmdSN are filled in when it is sent */
	bool takes_statsn; /* StatSN advances (a response), else it is only told */
	void (*sent)(struct conn *conn, struct tx_pdu *p); /* may be NULL */
	uint32_t statsn; /* that it was sent with */
	void *arg;
	uint8_t *data; /* malloc'ed, or NULL */
	uint32_t data_bytes;
	struct iovec pages; /* or pool pages of one run */
};

/* RFC 7143 4.2.3.4: tasks that functions from elsewhere have ended (cleared.c). */
struct conn_cleared {
	uint64_t id, lun; /* what was told last */
	bool pending; /* it is not acknowledged: data for such tasks may still be coming */
	bool marked;
	uint32_t statsn; /* what acknowledges it, when marked */
};

struct tx_batch;

struct tx {
	struct list queue; /* struct tx_item */
	struct loop_op op;
	struct loop_msg flush;
	struct tx_batch *batch; /* being sent */
	uint32_t items; /* plain PDUs, until they have been sent */
	uint64_t queued_bytes; /* data of those */
	uint32_t tasks; /* likewise */
	uint64_t task_bytes; /* their Data-In */
};

struct conn {
	struct entity *entity;
	struct loop *loop;
	struct list loop_link; /* in node_loop.conns */
	struct list login_link; /* in node_loop.logins */
	struct listener *listener; /* borrowed: for the login only */
	struct inlet *inlet; /* ref: what the listener leaves to its connections */
	bool inlet_counted; /* in inlet->nsessions */
	int fd;
	uint32_t id; /* for logs */
	enum conn_state state;
	uint16_t cid;
	char peer[64]; /* "10.0.0.2:51000" */
	struct sockaddr_storage local, remote;
	struct host *host; /* whose limits it is under (hosts.h); NULL: nobody's */
	bool over_limit; /* one connection more than the host may have: it is told so at login */

	struct sess *sess; /* ref, from the end of login on; dropped when it is freed */
	/* Under sess->lock. */
	struct list sess_link; /* in sess->conns, until left_sess */
	uint32_t join; /* its place in that list: it rises */
	uint32_t visits; /* that are on their way to it */
	struct list turns; /* struct task: held ones that were given their turn elsewhere */
	struct list turns_link; /* while that is about to be posted */
	bool turns_posted;
	struct loop_msg turns_msg;

	struct login *login; /* during login */
	struct text_exchange *text; /* what text.c collects and hands out */
	uint8_t *login_data; /* data segment of a Login Request */
	struct login_reply *login_reply;
	struct login_hold *login_hold; /* a Login Request that is not judged yet (back-off) */
	struct list arrivals; /* struct task: commands that are to be ordered (sess_arrived()) */
	struct hash tasks; /* struct task by ITT: those that the target has not answered yet */
	uint32_t nimmediate; /* immediate requests under way or held */
	uint32_t next_ttt;
	uint32_t ended_itts[CONN_ENDED_ITTS]; /* of writes whose data may still be coming */
	uint32_t next_ended;
	uint64_t cmd_pdus, rsp_pdus;
	uint32_t ntasks; /* struct task that point here */
	uint32_t pins; /* other objects that point here */

	bool header_digest, data_digest; /* in force */
	uint32_t max_recv, max_xmit; /* MaxRecvDataSegmentLength: ours, and the initiator's */
	uint32_t statsn, exp_statsn;
	uint32_t login_cmdsn;

	struct rx rx;
	struct tx tx;
	struct conn_fence fence;
	struct list
		tmfs; /* struct tmf_request: functions that came here, until they are answered */
	struct conn_cleared cleared;
	struct retain retain;
	uint32_t shuffles; /* SHUFFLE_x */
	uint32_t max_r2ts; /* R2Ts of a command that may be outstanding */
	struct loop_timer data_timer; /* Data-Out that do not come (dataout.c) */
	bool data_lost; /* a PDU was lost, which may have been one of them */

	struct loop_timer timer; /* login time limit, then pings */
	uint64_t last_rx_ns;
	uint32_t ping_ttt; /* of the ping under way */
	bool ping_sent;
	uint64_t ping_sent_ns, ping_ns; /* when the last one left, and how long its answer took */
	bool close_after_send;
	enum logout_state logging_out; /* what the Logout Response waits for */
	bool logout_session; /* of the whole session */
	uint32_t logout_itt;
	bool logged_out; /* a Logout Response is the last PDU */
	bool closing;
	bool by_peer; /* its initiator has closed it, logged it out or logged in in its place */
	bool left_sess; /* sess_conn_gone() was called */
	/* Level 2 (recover.h): it has failed, but its tasks may go on at another connection. */
	bool keeps; /* it is in sess->failed */
	bool quiet; /* nothing of it is under way in the loop any more */
	bool recovered; /* logged out for recovery: its tasks may be reassigned */
	bool end_posted; /* under sess->lock */
	struct extents_pool extents; /* of what its tasks have and lack of their data */
	struct list reassigns; /* struct reassign: tasks may be on their way to it */
	struct list failed_link; /* in sess->failed, under sess->lock */
	struct list recovers; /* struct recover: who waits for it to be quiet or gone */
	char close_why[160];
	struct loop_msg abort; /* its tasks are to be aborted, at once or when its time is up */
	struct loop_msg reap;
	/* A login that reinstates a session waits for the old one (RFC 7143 6.3.5). */
	struct list wait_link; /* in tpg->waiters, under the configuration lock */
	struct loop_msg wait_msg;
	bool waiting; /* linked, or the message is on its way */
	/* One that comes to a session that is there (6.3.4). */
	struct sess *joins; /* ref, until it belongs to it */
	bool joining; /* `reinstate` or `look` is under way for it */
	struct recover reinstate;
	struct sess_visit
		look; /* at the other connections, by a login or a logout of the session */
	uint64_t rx_pdus, tx_pdus, rx_bytes, tx_bytes;
};

/* ---- conn.c ---- */

/* A connection that was just accepted on fd, on this loop. Closes fd when there is no memory. */
void conn_start(struct entity *entity, struct listener *listener, struct loop *loop, int fd);
/* One step of the state machine; an event that the state has no row for closes the connection. */
void conn_event(struct conn *conn, enum conn_event ev);
/* End it: what is wrong goes into the log once (NULL: nothing is). Returns at once. */
void conn_close(struct conn *conn, const char *why_fmt, ...) __attribute__((format(printf, 2, 3)));
/* End it when everything that is queued has been sent. */
void conn_close_when_sent(struct conn *conn);
/* Something that kept a closing connection has ended. */
void conn_reap(struct conn *conn);
const char *conn_state_name(enum conn_state s);
/* "10.0.0.2:51000", "[::1]:51000". Any thread. */
void conn_address_text(const struct sockaddr_storage *ss, char *buf, size_t cap);

/* ---- rx.c ---- */

void rx_start(struct conn *conn);
/* Go on after rx.stopped. */
void rx_resume(struct conn *conn);
void rx_done(struct conn *conn);
/* The data segment goes nowhere. */
void rx_sink_discard(struct conn *conn);
/* It goes to fresh pages of the connection. False: no memory. */
bool rx_sink_pages(struct conn *conn);
/* Copy what was received to pages into buf; at most cap bytes. */
uint32_t rx_sink_copy(const struct conn *conn, void *buf, uint32_t cap);

/* ---- tx.c ---- */

struct tx_pdu *tx_pdu_new(struct conn *conn, uint8_t opcode, uint32_t itt);
/* Queue it; it goes out with all that is queued in this round of the loop. Takes ownership. */
void tx_send(struct conn *conn, struct tx_pdu *p);
void tx_send_task(struct conn *conn, struct task *task);
void tx_init(struct conn *conn);
/* Drop what is queued, at once or when the batch under way has been sent. */
void tx_drop(struct conn *conn);
bool tx_full(const struct conn *conn);
bool tx_idle(const struct conn *conn);

/* ---- ffp.c: a PDU of the Full Feature Phase ---- */

/*
 * The header is there: give its data segment a place (rx.sink), or refuse the PDU. False: the
 * connection is being closed.
 */
bool ffp_begin(struct conn *conn, const struct pdu *pdu);
/* All of it is there; digest_ok is false when the data digest did not match. */
void ffp_end(struct conn *conn, const struct pdu *pdu, bool digest_ok);

/* ---- connlogin.c ---- */

bool login_begin_pdu(struct conn *conn, const struct pdu *pdu);
void login_end_pdu(struct conn *conn, const struct pdu *pdu);
/* The connection is being closed: it no longer waits for an old session. */
void login_stop_waiting(struct conn *conn);

/* join_begin() has come to an end: the login_status. */
void login_joined(struct conn *conn, uint16_t status);

/* ---- join.c ---- */

/*
 * The session that a login with that TSIH may join: conn->joins. Returns a login_status. Under the
 * configuration lock.
 */
uint16_t join_find(struct conn *conn, struct tpg *tpg, const struct login_id *id);
/* Its login is through: login_joined() follows, unless it is closed meanwhile. */
void join_begin(struct conn *conn);
/* Let go of conn->joins. */
void join_done(struct conn *conn);

/* ---- reject.c, snack.c, nop.c, text.c, logout.c ---- */

/* RFC 7143 11.17: answer a PDU that cannot be accepted with its header. */
void reject_send(struct conn *conn, const struct pdu *pdu, enum iscsi_reject reason);
/* The same for a SNACK about a task: with the DataSN or R2TSN that comes next (11.17.3). */
void reject_send_datasn(
	struct conn *conn, const struct pdu *pdu, enum iscsi_reject reason, uint32_t datasn);
/* RFC 7143 11.16 */
void snack_request(struct conn *conn, const struct pdu *pdu, bool digest_ok);
void nop_ping(struct conn *conn);
/* A ping, behind what is queued, so that the initiator tells what it has got; sent may be NULL. */
void nop_solicit(struct conn *conn, void (*sent)(struct conn *conn, struct tx_pdu *p));
/* Have the initiator tell its ExpStatSN. */
void nop_ask_ack(struct conn *conn);
void text_done(struct conn *conn);
/* A command or task management function has ended: a logout may have waited for it. */
void logout_go_on(struct conn *conn);
/* Ask for a logout within so many seconds (11.9.1, event 1). */
void logout_ask(struct conn *conn, uint16_t seconds);
/* It did not come. */
void logout_overdue(struct conn *conn);
/* time2retain: seconds that tasks are kept for a later connection (11.15.4). */
void logout_respond(
	struct conn *conn, uint32_t itt, enum iscsi_logout_response response, uint32_t time2retain);
/* All of them have, or take too long. */
void logout_finish(struct conn *conn);
/* The nexus has: send the Logout Response. */
void logout_answer(struct conn *conn);
void async_send(
	struct conn *conn, enum iscsi_async_event event, uint16_t p1, uint16_t p2, uint16_t p3);

/* ---- dropped.c ---- */

/* The connection is being closed: the others of its session are to know (event 2). */
void dropped_tell(const struct conn *conn);

/* ---- cleared.c: fast abort ---- */

/*
 * A command of this connection was ended by a function that is about many tasks. True: its
 * initiator knows, and sends no more data for it.
 */
bool cleared_tell(struct conn *conn, const struct cmd *cmd);
/* A NOP-Out has come that may acknowledge what was told. */
void cleared_acked(struct conn *conn);

#endif
