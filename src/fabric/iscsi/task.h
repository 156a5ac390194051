/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * task.h: a SCSI command as iSCSI sees it (RFC 7143 11.3, 11.4, 11.7, 11.8): its Data-Out coming
 * in, its Data-In and status going out. It holds a struct cmd from its beginning to its end.
 * Loop: the connection's.
 */
#ifndef ULIO_FABRIC_ISCSI_TASK_H
#define ULIO_FABRIC_ISCSI_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/sess.h"
#include "scsi/sense.h"

struct border;
struct cmd;
struct tmf;
struct tmf_request;

/* A burst of Data-Out: what answers an R2T, or comes unsolicited. */
struct r2t {
	uint32_t ttt, r2tsn;
	uint32_t off, len; /* what was asked for */
	uint32_t got; /* bytes of it that have come */
	uint32_t datasn; /* of the next PDU */
	struct extents *ext; /* which bytes, when it is not the first ones; NULL: it is */
};

enum task_state {
	TASK_RECEIVING, /* the PDU of the command is still coming in */
	TASK_HELD, /* waits for lower CmdSNs, or to be ordered among them */
	TASK_ENGINE, /* the engine has it */
	TASK_COLLECTING, /* the engine waits for its Data-Out */
	TASK_RESPONDING, /* status is there; waits for data that comes in, or is being sent */
	TASK_DEAD, /* aborted; a receive or send still uses its memory */
};

struct task {
	struct tx_item tx;
	struct conn *conn;
	struct cmd *cmd;
	struct border *border; /* it was given to another connection */
	struct hash_u64_node hash; /* in conn->tasks */
	struct list link; /* in conn->arrivals, sess->held or conn->turns */
	enum task_state state;
	uint32_t itt, cmdsn;
	bool bidirectional; /* R and W: two residuals, and a SCSI Response of its own (11.7.3) */
	bool immediate; /* counted in conn->nimmediate */
	struct sess_turn turn; /* for when it is ordered or held */
	bool cancelled; /* a function has ended it: nothing of it counts but its CmdSN */
	bool hashed;
	bool ordered; /* the session waits for its end: sess_ordered_end() */
	bool in_window; /* counts in sess->active */
	bool unsolicited; /* an unsolicited burst is open: F has not come yet */
	bool receiving; /* rx is putting data into its memory */
	bool sending; /* in the send queue or in a batch */
	bool moved; /* it was reassigned: nothing of it overtakes the answer to that */
	bool frozen; /* a function is about to end it: no more data are asked for */
	struct tmf_request *awaited; /* ref: waits for the data that were */
	enum sense_name data_error; /* what its data suffered, told when the engine asks for them */
	/* A request that is no SCSI command, held for its turn. */
	struct pdu *held_pdu;
	uint8_t *held_data;

	/* Data-Out */
	uint32_t want; /* bytes that the engine waits for */
	uint32_t room; /* that cmd->out has memory for */
	uint32_t r2tsn, next_off; /* of the next R2T */
	uint32_t r2t_start; /* next_off of the first one */
	uint8_t nr2ts; /* that are open */
	uint8_t r2ts_open, r2ts_used; /* bits of r2ts */
	uint8_t data_tries; /* dataout_timeouts since data came last */
	bool asking; /* r2t_start is set */
	bool disordered; /* there are extents: task_data_done() */
	struct extents *missing; /* bytes that were lost and are to be asked for again */
	uint64_t data_ns; /* when data came last, or were asked for */
	struct r2t unsol; /* while unsolicited is set */

	/* Data-In */
	uint32_t sent; /* bytes of cmd->in that were put into PDUs */
	uint32_t burst; /* bytes in the present sequence */
	uint32_t datasn;
	uint32_t seg; /* bytes of a data segment at most; 0: none was laid yet (datain.h) */
	uint32_t base_sn, base_off; /* DataSN and offset from which it was cut in this way */
	uint32_t acked_sn; /* DataSNs below it are acknowledged */
	uint32_t snack_tag; /* of an R-Data SNACK, 0: none */
	unsigned at; /* slice and offset of the next byte */
	size_t at_off;
	bool status_sent;
	bool status_in_data; /* it was sent in the last Data-In */
	bool retained, slot_kept; /* counted in conn->retain.tasks and .slots */

	/* Nothing is cleared from here on: a slot is set before it is used. */
	struct r2t r2ts[TASK_R2TS_MAX];
};

/* A SCSI Command PDU's header is there. */
void task_begin(struct conn *conn, const struct pdu *pdu);
/* All of it is. */
void task_end(struct conn *conn, const struct pdu *pdu, bool digest_ok);
/*
 * What the Additional Header Segments of its PDU say of a command (ahs.c). False: not what RFC 7143
 * 11.2.2 allows; the PDU is to be rejected.
 */
bool ahs_take(struct cmd *cmd, const struct pdu *pdu);
/* The same for Data-Out (dataout.c). */
void task_data_begin(struct conn *conn, const struct pdu *pdu);
void task_data_end(struct conn *conn, const struct pdu *pdu, bool digest_ok);

/*
 * A task for conn without anything else; hashed and numbered by the callers. NULL: no memory.
 * task_free() is task_unuse()'s.
 */
struct task *task_new(struct conn *conn);
/* It is an immediate one. False: there are too many (CONN_IMMEDIATE_MAX), it is to be rejected. */
bool task_take_immediate(struct task *task);
/* It has its turn; it ends without if its connection is being closed. */
void task_run(struct task *task);
/* The connection is being closed: the engine gives its commands up, a disk keeps what it has. */
void task_abort_all(struct conn *conn);
/* Its status is laid into a PDU: the ITT is free for the initiator to use again. */
void task_forget_itt(struct task *task);
/* It is over for the initiator; let go of it when nothing uses its memory any more. */
void task_kill(struct task *task);
/* Its data may still be coming: they are dropped without a Reject. */
void task_remember_ended(struct task *task);
void task_unuse(struct task *task);
struct task *task_find(const struct conn *conn, uint32_t itt);
/*
 * Between a task and its command (border.c). On the task's loop: the command has ended; it was
 * aborted; it wants so many bytes of Data-Out, for which there is memory or task->data_error.
 */
void task_ended(struct task *task);
void task_gone(struct task *task);
void task_collect(struct task *task, uint32_t bytes);
/* Take it from its connection, which nothing is under way for, and give it to another. */
void task_detach(struct task *task);
void task_attach(struct task *task, struct conn *conn);
/* Its memory, on the loop of its command. */
void task_release(struct task *task, struct entity *entity, struct loop *loop);
/* Its connection has failed or was logged out for recovery: nothing of it is sent now. */
bool task_is_kept(const struct task *task);
/*
 * The task of that ITT at a failed connection, also one whose status was sent but not
 * acknowledged.
 */
struct task *task_find_kept(struct conn *conn, uint32_t itt);
/* Its connection is gone for good: the engine gives it up. */
void task_abort(struct task *task);
/* Status is there: send it, or first let the data in that are on their way (dataout.c). */
void task_answer(struct task *task);

/* The initiator will send no more data (it logs out): what waits for them ends without. */
void task_give_up_data(struct task *task);
/* A function that was to end it has not. */
void task_thaw(struct task *task);

/* fabric_ops (task.c, dataout.c) */
void task_want_data_out(struct cmd *cmd, uint32_t bytes);
int task_get_data_in(struct cmd *cmd, uint32_t bytes);
void task_send_status(struct cmd *cmd);
void task_aborted(struct cmd *cmd);
void task_tmf_done(struct tmf *tmf);

#endif
