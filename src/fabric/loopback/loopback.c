/* SPDX-License-Identifier: BSD-3-Clause */
/* loopback.c: the initiator in the process: both ends of every call are here. */
#include "fabric/loopback/loopback.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "engine/cmd.h"
#include "engine/fabric.h"
#include "engine/nexus.h"
#include "engine/tmf.h"
#include "scsi/lun.h"

/* One nexus, as the initiator sees it. */
struct loopback {
	struct nexus *nexus; /* a reference of our own: usable until loopback_free() */
	struct loop *loop;
	struct loop_event closed;
	bool closing; /* on loop */
};

/* ---- the nexus ------------------------------------------------------------------------------ */

struct login {
	struct port *port;
	const char *initiator;
	struct loopback *lb;
	int error;
};

static void login_on_loop(struct loop *loop, void *arg)
{
	struct login *l = arg;

	l->error = nexus_new(l->port, l->initiator, "", &loopback_ops, l->lb, loop, &l->lb->nexus);
	if (!l->error)
		nexus_ref(l->lb->nexus);
}

int loopback_login(
	struct port *port, const char *initiator, struct loop *loop, struct loopback **ret)
{
	struct login l = { .port = port, .initiator = initiator };

	l.lb = calloc(1, sizeof(*l.lb));
	if (!l.lb)
		return -ENOMEM;
	l.lb->loop = loop;
	loop_event_init(&l.lb->closed, loop_set(loop));
	loops_call(loop_set(loop), loop, login_on_loop, &l);
	if (l.error) {
		free(l.lb);
		return l.error;
	}
	*ret = l.lb;
	return 0;
}

static void close_on_loop(struct loop *loop, void *arg)
{
	struct loopback *lb = arg;

	if (!lb->closing)
		nexus_close(lb->nexus);
	lb->closing = true;
}

void loopback_close(struct loopback *lb)
{
	loops_call(loop_set(lb->loop), lb->loop, close_on_loop, lb);
}

int loopback_closed(struct loopback *lb, uint64_t timeout_ns)
{
	int rc = loop_event_wait(&lb->closed, timeout_ns);

	/* Its callback may still be in the engine. */
	if (!rc)
		loops_barrier(loop_set(lb->loop), NULL, NULL);
	return rc;
}

struct loopback *loopback_free(struct loopback *lb)
{
	if (!lb)
		return NULL;
	assert(atomic_load(&lb->closed.set));
	nexus_unref(lb->nexus);
	free(lb);
	return NULL;
}

/* ---- commands: the initiator's half --------------------------------------------------------- */

static void ended(struct loopback_cmd *c)
{
	void (*done)(struct loopback_cmd *) = c->done;

	c->cmd = NULL;
	/* From the signal on the control thread may use or free it. */
	if (done)
		done(c);
	else
		loop_event_signal(&c->ended);
}

static int give_data(struct loopback_cmd *c, uint32_t n)
{
	if (cmd_data_add_pages(c->cmd, &c->cmd->out, n))
		return -ENOMEM;
	iov_copy_in(c->cmd->out.iov, c->cmd->out.niov, 0, c->out, n);
	return 0;
}

static void fill_cmd(struct loopback_cmd *c)
{
	struct cmd *cmd = c->cmd;

	cmd->task = c;
	cmd->tag = c->tag;
	cmd->attr = c->attr;
	cmd->priority = c->priority;
	cmd->order = c->order;
	cmd->cdb_len = c->cdb_len;
	memcpy(cmd->cdb, c->cdb, c->cdb_len);
	cmd->edtl_out = c->out_bytes;
	cmd->edtl_in = c->in_bytes;
	if (!lun_encode(c->lun, cmd->lun))
		memset(cmd->lun, 0xff, sizeof(cmd->lun));
}

static void start_on_loop(struct loop *loop, struct loop_msg *msg)
{
	struct loopback_cmd *c = container_of(msg, struct loopback_cmd, start);
	struct cmd *cmd = cmd_new(c->lb->nexus, loop);

	c->cmd = cmd;
	if (!cmd) {
		c->refused = true;
		ended(c);
		return;
	}
	fill_cmd(c);
	if (c->data_mode == LOOPBACK_IMMEDIATE && c->out_bytes && give_data(c, c->out_bytes)) {
		cmd_free(cmd);
		c->refused = true;
		ended(c);
		return;
	}
	cmd_submit(cmd);
}

/* The data that are wanted are there now. */
static void serve(struct loopback_cmd *c)
{
	struct cmd *cmd = c->cmd;
	uint32_t n = c->wanted;
	enum sense_name error = SENSE_NO_SENSE;

	c->wanted = 0;
	if (c->data_mode == LOOPBACK_IMMEDIATE)
		cmd_data_cut(cmd, &cmd->out, n);
	else if (give_data(c, n))
		error = SENSE_ABORTED_COMMAND;
	cmd_data_out_done(cmd, error);
}

static void data_on_loop(struct loop *loop, struct loop_msg *msg)
{
	struct loopback_cmd *c = container_of(msg, struct loopback_cmd, data);

	c->released = true;
	if (c->cmd && c->wanted)
		serve(c);
}

void loopback_start(struct loopback_cmd *c)
{
	assert(c->cdb_len && c->cdb_len <= sizeof(c->cdb));
	c->aborted = c->refused = c->released = c->fenced = false;
	c->status_qualifier = 0;
	c->cleared_by = 0;
	c->status = c->sense_len = c->residual_out_kind = c->residual_in_kind = 0;
	c->residual_out = c->residual_in = c->in_moved = c->wanted = 0;
	c->cmd = NULL;
	c->start = (struct loop_msg){ .fn = start_on_loop };
	c->data = (struct loop_msg){ .fn = data_on_loop };
	loop_event_init(&c->ended, loop_set(c->loop));
	loop_post(c->loop, &c->start);
}

void loopback_send_data(struct loopback_cmd *c)
{
	loop_post(c->loop, &c->data);
}

int loopback_wait(struct loopback_cmd *c, uint64_t timeout_ns)
{
	return loop_event_wait(&c->ended, timeout_ns);
}

bool loopback_ended(const struct loopback_cmd *c)
{
	return atomic_load(&c->ended.set);
}

/* ---- commands: the target's half ------------------------------------------------------------ */

static void want_data_out(struct cmd *cmd, uint32_t bytes)
{
	struct loopback_cmd *c = cmd->task;

	assert(bytes && bytes <= c->out_bytes && !c->wanted);
	c->wanted = bytes;
	if (c->data_mode != LOOPBACK_LATE || c->released)
		serve(c);
}

static int get_data_in(struct cmd *cmd, uint32_t bytes)
{
	return cmd_data_add_pages(cmd, &cmd->in, bytes);
}

static void send_status(struct cmd *cmd)
{
	struct loopback_cmd *c = cmd->task;

	assert(c->cmd == cmd && cmd->in.bytes <= c->in_bytes);
	c->status = cmd->status;
	c->sense_len = cmd->sense_len;
	c->status_qualifier = cmd->status_qualifier;
	c->fenced = cmd->fenced;
	c->cleared_by = cmd->cleared_by;
	memcpy(c->sense, cmd->sense_buf, cmd->sense_len);
	c->residual_out_kind = cmd->residual_out_kind;
	c->residual_in_kind = cmd->residual_in_kind;
	c->residual_out = cmd->residual_out;
	c->residual_in = cmd->residual_in;
	c->in_moved = cmd->in.bytes;
	iov_copy_out(c->in, cmd->in.iov, cmd->in.niov, 0, cmd->in.bytes);
	cmd_free(cmd);
	ended(c);
}

static void aborted(struct cmd *cmd)
{
	struct loopback_cmd *c = cmd->task;

	assert(c->cmd == cmd);
	c->aborted = true;
	c->cleared_by = cmd->cleared_by;
	cmd_free(cmd);
	ended(c);
}

/* ---- task management ------------------------------------------------------------------------ */

static void tmf_on_loop(struct loop *loop, struct loop_msg *msg)
{
	struct loopback_tmf *t = container_of(msg, struct loopback_tmf, start);
	struct tmf *tmf = tmf_new(t->lb->nexus, loop);

	if (!tmf) {
		t->response = TMF_FUNCTION_REJECTED;
		loop_event_signal(&t->ended);
		return;
	}
	tmf->task = t;
	tmf->function = t->function;
	tmf->ref_tag = t->ref_tag;
	tmf->has_order = t->has_order;
	tmf->order = t->order;
	t->id = tmf->id;
	if (!lun_encode(t->lun, tmf->lun))
		memset(tmf->lun, 0xff, sizeof(tmf->lun));
	tmf_submit(tmf);
}

static void tmf_done(struct tmf *tmf)
{
	struct loopback_tmf *t = tmf->task;

	t->response = tmf->response;
	memcpy(t->info, tmf->info, sizeof(t->info));
	t->no_task = tmf->no_task;
	t->unsupported = tmf->unsupported;
	t->stuck = tmf->stuck;
	tmf_free(tmf);
	loop_event_signal(&t->ended);
}

void loopback_tmf_start(struct loopback_tmf *t)
{
	t->no_task = t->unsupported = t->stuck = false;
	t->start = (struct loop_msg){ .fn = tmf_on_loop };
	loop_event_init(&t->ended, loop_set(t->loop));
	loop_post(t->loop, &t->start);
}

int loopback_tmf_wait(struct loopback_tmf *t, uint64_t timeout_ns)
{
	return loop_event_wait(&t->ended, timeout_ns);
}

/* ---- the rest of the border ----------------------------------------------------------------- */

static void nexus_closed(struct nexus *nexus)
{
	struct loopback *lb = nexus->session;

	loop_event_signal(&lb->closed);
}

/* There is no protocol of this fabric in SPC-4 7.6.4: initiators have no TransportID. */
static size_t transport_id(const struct nexus *nexus, uint8_t *buf, size_t cap)
{
	(void)nexus;
	(void)buf;
	(void)cap;
	return 0;
}

static void drop_nexus(struct nexus *nexus, const char *why)
{
	struct loopback *lb = nexus->session;

	(void)why;
	close_on_loop(lb->loop, lb);
}

const struct fabric_ops loopback_ops = {
	.name = "loopback",
	.protocol = 0x0f, /* SPC-4 7.6.1: no specific protocol */
	.takes_lent_pages = true,
	.want_data_out = want_data_out,
	.get_data_in = get_data_in,
	.send_status = send_status,
	.aborted = aborted,
	.tmf_done = tmf_done,
	.nexus_closed = nexus_closed,
	.transport_id = transport_id,
	.drop_nexus = drop_nexus,
};
