/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd.c: a command's memory, its ways to end, and its aborts. The way in is dispatch.c. */
#include "engine/cmd.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "block/backstore.h"
#include "engine/change.h"
#include "engine/engine_priv.h"
#include "engine/fabric.h"
#include "engine/optable.h"
#include "loop/pool.h"

#define FREE_CMDS_KEPT 4096u /* per loop; beyond that memory goes back */

static struct engine *cmd_engine(const struct cmd *cmd)
{
	return cmd->nexus->eng;
}

static void data_init(struct cmd_data *d)
{
	d->iov = d->few;
	d->niov = 0;
	d->cap = CMD_FEW_IOV;
	d->bytes = 0;
}

static void data_done(struct cmd_data *d)
{
	if (d->iov != d->few)
		free(d->iov);
}

struct cmd *cmd_new(struct nexus *nexus, struct loop *loop)
{
	struct engine_loop *el = engine_loop(nexus->eng, loop);
	struct list *n = list_pop_front(&el->free_cmds);
	struct cmd *cmd;

	if (n) {
		el->nfree--;
		cmd = container_of(n, struct cmd, link);
	} else {
		cmd = malloc(sizeof(*cmd));
		if (!cmd)
			return NULL;
	}
	memset(cmd, 0, offsetof(struct cmd, sense_buf));
	nexus_ref(nexus);
	cmd->nexus = nexus;
	cmd->loop = loop;
	list_init(&cmd->link);
	list_init(&cmd->wait);
	data_init(&cmd->out);
	data_init(&cmd->in);
	return cmd;
}

static void cmd_release(struct cmd *cmd)
{
	struct nexus *nexus = cmd->nexus;
	struct engine *eng = cmd_engine(cmd);
	struct engine_loop *el = engine_loop(eng, cmd->loop);

	assert(!list_linked(&cmd->link) && !list_linked(&cmd->wait));
	if (cmd->out.niov)
		pages_unref(eng->loops, cmd->out.iov, cmd->out.niov);
	if (cmd->in.niov)
		pages_unref(eng->loops, cmd->in.iov, cmd->in.niov);
	data_done(&cmd->out);
	data_done(&cmd->in);
	free(cmd->scratch);
	if (el->nfree < FREE_CMDS_KEPT) {
		el->nfree++;
		list_push_front(&el->free_cmds, &cmd->link);
	} else {
		free(cmd);
	}
	nexus_unref(nexus);
}

struct cmd *cmd_free(struct cmd *cmd)
{
	if (!cmd)
		return NULL;
	assert(cmd->state == CMD_NEW || cmd->state == CMD_DONE);
	cmd->fabric_done = true;
	if (!cmd->in_io)
		cmd_release(cmd);
	return NULL;
}

int cmd_data_reserve(struct cmd_data *d, uint32_t n)
{
	struct iovec *iov;

	if (n <= d->cap)
		return 0;
	iov = malloc(n * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	memcpy(iov, d->iov, d->niov * sizeof(*iov));
	data_done(d);
	d->iov = iov;
	d->cap = n;
	return 0;
}

int cmd_data_add_pages(struct cmd *cmd, struct cmd_data *d, uint32_t n)
{
	struct loops *loops = cmd_engine(cmd)->loops;
	int rc;

	rc = pages_alloc(loops, cmd->loop, n, d->iov + d->niov, d->cap - d->niov);
	if (rc == -EMSGSIZE) {
		uint32_t most = n / POOL_PAGE_BYTES + 1;

		rc = cmd_data_reserve(d, d->niov + most);
		if (!rc)
			rc = pages_alloc(loops, cmd->loop, n, d->iov + d->niov, most);
	}
	if (rc < 0)
		return -ENOMEM;
	d->niov += (uint32_t)rc;
	d->bytes += n;
	return 0;
}

void cmd_data_cut(struct cmd *cmd, struct cmd_data *d, uint32_t n)
{
	uint32_t left = n, i = 0;

	if (d->bytes <= n)
		return;
	while (i < d->niov && left >= d->iov[i].iov_len)
		left -= (uint32_t)d->iov[i++].iov_len;
	if (i < d->niov && left) {
		struct iovec tail = d->iov[i];
		size_t lead = (uintptr_t)tail.iov_base % POOL_PAGE_BYTES, keep;

		/* Pages of the tail that no byte of the rest lies in. */
		keep = (lead + left + POOL_PAGE_BYTES - 1) / POOL_PAGE_BYTES * POOL_PAGE_BYTES -
		       lead;
		if (keep < tail.iov_len) {
			tail.iov_base = (char *)tail.iov_base + keep;
			tail.iov_len -= keep;
			pages_unref(loop_set(cmd->loop), &tail, 1);
		}
		d->iov[i++].iov_len = left;
	}
	if (i < d->niov)
		pages_unref(loop_set(cmd->loop), d->iov + i, d->niov - i);
	d->niov = i;
	d->bytes = n;
}

/* ---- endings ------------------------------------------------------------------------------ */

/* Approximate: not worth a locked instruction for each command. */
static void add_approx(_Atomic uint64_t *v, uint64_t n)
{
	atomic_store_explicit(
		v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

static void count(struct cmd *cmd)
{
	struct lu_loop *ll = lu_loop(cmd->lu, cmd->loop);
	uint32_t rules = cmd->row ? cmd->row->rules : 0;

	if (cmd->status == STATUS_RESERVATION_CONFLICT)
		ll->conflicts++;
	else if (cmd->status == STATUS_CHECK_CONDITION)
		ll->errors++;
	add_approx(&cmd->itl->num_cmds, 1);
	if (!(rules & RULE_MEDIUM)) {
		ll->other_cmds++;
	} else if (rules & RULE_WRITES) {
		ll->write_cmds++;
		ll->write_bytes += cmd->out.bytes;
		add_approx(&cmd->itl->write_bytes, cmd->out.bytes);
	} else {
		ll->read_cmds++;
		ll->read_bytes += cmd->in.bytes;
		add_approx(&cmd->itl->read_bytes, cmd->in.bytes);
	}
}

/* Leave the task set: those that waited for it there go on. */
static void leave_task_set(struct cmd *cmd, struct lu_loop *ll)
{
	if (cmd->counted)
		ll->ntasks--;
	if (cmd->hoq) {
		ll->nhoq--;
		if (!list_empty(&ll->dormant))
			lu_loop_kick_post(ll);
	}
	cmd->counted = cmd->hoq = false;
	if (cmd->ordered) {
		ordered_end(cmd->ordered);
		cmd->ordered = NULL;
	}
}

/* Something of this loop has ended: whoever waits for such is told. */
static void poke(struct engine *eng, struct loop *loop)
{
	if (!list_empty(&engine_loop(eng, loop)->waits))
		drain_poke(eng, loop);
}

/* Leave the books of the LU. */
static void unbook(struct cmd *cmd)
{
	struct lu *lu = cmd->lu;
	struct lu_loop *ll;

	if (!lu)
		return;
	ll = lu_loop(lu, cmd->loop);
	list_del(&cmd->link);
	list_del(&cmd->wait);
	cmd->bio = bio_free(cmd->bio);
	if (cmd->in_io)
		ll->nio--;
	cmd->in_io = false;
	leave_task_set(cmd, ll);
	if (cmd->range.lu) {
		range_release(&cmd->range);
		cmd->range.lu = NULL;
	}
	poke(lu->eng, cmd->loop);
}

void cmd_finish(struct cmd *cmd)
{
	if (cmd->lu)
		count(cmd);
	cmd->state = CMD_DONE;
	unbook(cmd);
	cmd->nexus->ops->send_status(cmd);
}

static void residual(
	uint64_t expect, uint32_t edtl, uint32_t moved, bool good, uint8_t *kind, uint32_t *ret)
{
	if (good && expect > edtl) {
		uint64_t over = expect - edtl;

		*kind = RESIDUAL_OVERFLOW;
		*ret = over > UINT32_MAX ? UINT32_MAX : (uint32_t)over;
	} else if (moved < edtl) {
		*kind = RESIDUAL_UNDERFLOW;
		*ret = edtl - moved;
	} else {
		*kind = RESIDUAL_NONE;
		*ret = 0;
	}
}

static void orphan_back(struct cmd *cmd);

/* SAM-5 5.3.2: scope 00b, this LU; when it is worth another try, in 100 ms. */
static uint16_t qualifier(const struct cmd *cmd)
{
	if (cmd->status_qualifier)
		return cmd->status_qualifier;
	return cmd->status == STATUS_BUSY || cmd->status == STATUS_TASK_SET_FULL ? CMD_RETRY_100MS
										 : 0;
}

static void cmd_end(struct cmd *cmd)
{
	bool good = cmd->status == STATUS_GOOD;
	uint64_t out = cmd->expect_out < cmd->edtl_out ? cmd->expect_out : cmd->edtl_out;

	if (cmd->orphan) {
		/* It was told already; what it waited for was a change of the LU. */
		orphan_back(cmd);
		return;
	}
	if (cmd->aborted) {
		cmd_end_aborted(cmd);
		return;
	}
	if (!good && cmd->in.niov) {
		pages_unref(cmd_engine(cmd)->loops, cmd->in.iov, cmd->in.niov);
		cmd->in.niov = 0;
		cmd->in.bytes = 0;
	}
	cmd->status_qualifier = qualifier(cmd);
	residual(cmd->expect_out, cmd->edtl_out, good ? (uint32_t)out : cmd->out.bytes, good,
		&cmd->residual_out_kind, &cmd->residual_out);
	residual(cmd->expect_in, cmd->edtl_in, cmd->in.bytes, good, &cmd->residual_in_kind,
		&cmd->residual_in);
	cmd_finish(cmd);
}

void cmd_good(struct cmd *cmd)
{
	cmd->status = STATUS_GOOD;
	cmd_end(cmd);
}

void cmd_fail_sense(struct cmd *cmd, const struct sense *s)
{
	bool descriptor = cmd->lu && lu_conf(cmd->lu)->d_sense;

	cmd->sense = *s;
	cmd->status = STATUS_CHECK_CONDITION;
	cmd->sense_len = (uint8_t)sense_encode(s, descriptor, cmd->sense_buf, CMD_SENSE_BYTES);
	cmd_end(cmd);
}

void cmd_fail(struct cmd *cmd, enum sense_name name)
{
	struct sense s = sense_plain(name);

	cmd_fail_sense(cmd, &s);
}

void cmd_fail_cdb(struct cmd *cmd, unsigned byte, int bit)
{
	struct sense s = sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, (uint16_t)byte, bit);

	cmd_fail_sense(cmd, &s);
}

void cmd_fail_param(struct cmd *cmd, unsigned byte, int bit)
{
	struct sense s =
		sense_list_field(SENSE_INVALID_FIELD_IN_PARAMETER_LIST, (uint16_t)byte, bit);

	cmd_fail_sense(cmd, &s);
}

void cmd_fail_info(struct cmd *cmd, enum sense_name name, uint64_t information)
{
	struct sense s = sense_with_info(name, information);

	cmd_fail_sense(cmd, &s);
}

void cmd_status(struct cmd *cmd, enum status status)
{
	cmd->status = (uint8_t)status;
	cmd_end(cmd);
}

/* What the error of a backstore means to an initiator. The last row is for all others. */
static const struct {
	int error;
	enum sense_name read, write;
} bio_errors[] = {
	{ -ENOSPC, SENSE_SPACE_ALLOCATION_FAILED, SENSE_SPACE_ALLOCATION_FAILED },
	{ -EDQUOT, SENSE_SPACE_ALLOCATION_FAILED, SENSE_SPACE_ALLOCATION_FAILED },
	{ -EROFS, SENSE_WRITE_PROTECTED, SENSE_WRITE_PROTECTED },
	{ -EPERM, SENSE_WRITE_PROTECTED, SENSE_WRITE_PROTECTED },
	{ -ENOMEDIUM, SENSE_MEDIUM_NOT_PRESENT, SENSE_MEDIUM_NOT_PRESENT },
	{ -ETIMEDOUT, SENSE_LU_COMMUNICATION_TIMEOUT, SENSE_LU_COMMUNICATION_TIMEOUT },
	{ -ENODEV, SENSE_LU_FAILURE, SENSE_LU_FAILURE },
	{ -ENXIO, SENSE_LU_FAILURE, SENSE_LU_FAILURE },
	{ -ECANCELED, SENSE_ABORTED_COMMAND, SENSE_ABORTED_COMMAND },
	{ 0, SENSE_UNRECOVERED_READ_ERROR, SENSE_WRITE_ERROR },
};

void cmd_fail_bio(struct cmd *cmd, const struct bio *bio)
{
	unsigned i = 0;
	bool read = bio->b.op == ULIO_OP_READ;
	struct sense s;

	/* No memory in the disk's driver: nothing was wrong with the medium, try again. */
	if (bio->b.result == -ENOMEM || bio->b.result == -EAGAIN) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	while (bio_errors[i].error && bio_errors[i].error != bio->b.result)
		i++;
	s = sense_plain(read ? bio_errors[i].read : bio_errors[i].write);
	/* Which block it was is known if there was only one. */
	if (sense_key(s.name) == KEY_MEDIUM_ERROR && cmd->nblocks == 1) {
		s.info_valid = true;
		s.information = cmd->lba;
	}
	cmd_fail_sense(cmd, &s);
}

void cmd_expect_in(struct cmd *cmd, uint64_t bytes)
{
	cmd->expect_in = bytes;
}

void cmd_expect_out(struct cmd *cmd, uint64_t bytes)
{
	cmd->expect_out = bytes;
}

void cmd_reply(struct cmd *cmd, const void *data, uint32_t len, uint32_t alloc_len)
{
	uint32_t n = len < alloc_len ? len : alloc_len;
	uint32_t take = n < cmd->edtl_in ? n : cmd->edtl_in;

	cmd->expect_in = n;
	if (take) {
		if (cmd->nexus->ops->get_data_in(cmd, take)) {
			cmd_status(cmd, STATUS_BUSY);
			return;
		}
		iov_copy_in(cmd->in.iov, cmd->in.niov, 0, data, take);
	}
	cmd_good(cmd);
}

/* ---- Data-Out ----------------------------------------------------------------------------- */

void cmd_get_data_out(struct cmd *cmd, uint32_t n, void (*step)(struct cmd *cmd))
{
	uint32_t take = n < cmd->edtl_out ? n : cmd->edtl_out;

	if (cmd->expect_out < n)
		cmd->expect_out = n;
	cmd->step = step;
	if (!take) {
		step(cmd);
		return;
	}
	cmd->state = CMD_DATA_OUT;
	cmd->nexus->ops->want_data_out(cmd, take);
}

void cmd_data_out_done(struct cmd *cmd, enum sense_name error)
{
	assert(cmd->state == CMD_DATA_OUT);
	cmd->state = CMD_ENABLED;
	if (error != SENSE_NO_SENSE)
		cmd_fail(cmd, error);
	else if (cmd->row->rules & RULE_MEDIUM || cmd_check_again(cmd))
		cmd->step(cmd); /* what goes to the disk is checked in cmd_enter_io() */
}

uint32_t cmd_out_copy(const struct cmd *cmd, uint32_t off, void *buf, uint32_t n)
{
	return (uint32_t)iov_copy_out(buf, cmd->out.iov, cmd->out.niov, off, n);
}

const uint8_t *cmd_out_flat(struct cmd *cmd)
{
	uint8_t *flat = malloc(cmd->out.bytes + 1u);

	if (!flat)
		return NULL;
	cmd_out_copy(cmd, 0, flat, cmd->out.bytes);
	free(cmd->scratch);
	cmd->scratch = flat;
	return flat;
}

/* ---- blocks ------------------------------------------------------------------------------- */

static void orphan_back(struct cmd *cmd)
{
	unbook(cmd);
	if (cmd->fabric_done)
		cmd_release(cmd);
}

/* What was lent for a READ that nobody waits for any more. */
static void give_back_lent(struct bio *bio)
{
	struct cmd *cmd = bio->owner;

	if (bio->b.flags & ULIO_BIO_LEND && !bio->b.result)
		pages_unref(loop_set(cmd->loop), bio->b.iov, bio->b.niov);
}

/* A disk or a worker has let go of the command. */
static void go_on(struct cmd *cmd)
{
	if (cmd->orphan)
		orphan_back(cmd);
	else if (cmd->aborted)
		cmd_end_aborted(cmd);
	else
		cmd->step(cmd);
}

static void bio_back(struct bio *bio)
{
	struct cmd *cmd = bio->owner;

	cmd->at_disk = false;
	if (cmd->aborted)
		give_back_lent(bio);
	go_on(cmd);
}

static void work_back(struct loop_op *op, int res)
{
	struct cmd_work *work = container_of(op, struct cmd_work, op);

	work->result = res;
	go_on(work->cmd);
}

static int work_run(void *arg)
{
	struct cmd_work *work = arg;

	return work->fn(work);
}

/* The command has a bio from here to its end. False: no memory, it has been ended. */
static bool take_bio(struct cmd *cmd)
{
	if (!cmd->bio)
		cmd->bio = bio_new(cmd->lu->bs, cmd->loop);
	if (!cmd->bio)
		cmd_status(cmd, STATUS_BUSY);
	return cmd->bio;
}

void cmd_submit_work(struct cmd *cmd, struct cmd_work *work, int (*fn)(struct cmd_work *work),
	void (*step)(struct cmd *cmd))
{
	assert(cmd->in_io && cmd->state == CMD_IO);
	/* While one is out the disk is not closed (backstore_close()). */
	if (!take_bio(cmd))
		return;
	cmd->step = step;
	work->cmd = cmd;
	work->fn = fn;
	work->op.done = work_back;
	loop_work(cmd->loop, &work->op, work_run, work);
}

void cmd_submit_bio(struct cmd *cmd, uint16_t op, uint16_t flags, uint64_t lba, uint64_t nblocks,
	struct iovec *iov, uint32_t niov, uint32_t iov_cap, void (*step)(struct cmd *cmd))
{
	uint8_t shift = lu_conf(cmd->lu)->block_shift;

	assert(cmd->in_io && cmd->state == CMD_IO);
	if (!take_bio(cmd))
		return;
	bio_init_rw(cmd->bio, (enum ulio_bio_op)op, flags, lba << shift, nblocks << shift, iov,
		niov, iov_cap);
	cmd->bio->owner = cmd;
	cmd->bio->done = bio_back;
	cmd->step = step;
	cmd->at_disk = true;
	backstore_submit(cmd->lu->bs, cmd->loop, cmd->bio);
}

const struct lu_conf *cmd_conf(const struct cmd *cmd)
{
	return lu_conf(cmd->lu);
}

/* ---- aborts ------------------------------------------------------------------------------- */

static void tell_aborted(struct cmd *cmd)
{
	cmd->state = CMD_DONE;
	cmd->sense_len = 0;
	if (!cmd->abort_tas) {
		cmd->nexus->ops->aborted(cmd);
		return;
	}
	cmd->status = STATUS_TASK_ABORTED;
	residual(0, cmd->edtl_out, cmd->out.bytes, false, &cmd->residual_out_kind,
		&cmd->residual_out);
	residual(0, cmd->edtl_in, 0, false, &cmd->residual_in_kind, &cmd->residual_in);
	cmd->nexus->ops->send_status(cmd);
}

void cmd_end_aborted(struct cmd *cmd)
{
	if (cmd->lu)
		lu_loop(cmd->lu, cmd->loop)->aborts++;
	unbook(cmd);
	if (cmd->in.niov)
		pages_unref(cmd_engine(cmd)->loops, cmd->in.iov, cmd->in.niov);
	cmd->in.niov = cmd->in.bytes = 0;
	tell_aborted(cmd);
}

/*
 * End it for the fabric while something still holds it: a disk, or a range being announced.
 * Memory and range stay until that comes back, so that an old write can never land on newer data
 * or in memory used anew.
 */
static void cmd_orphan(struct cmd *cmd)
{
	struct lu_loop *ll = lu_loop(cmd->lu, cmd->loop);

	cmd->orphan = true;
	ll->aborts++;
	leave_task_set(cmd, ll);
	cmd->itl = NULL;
	cmd->in.bytes = 0; /* what a disk may still fill is not for the initiator */
	/* A read changes nothing: it stands in nobody's way. */
	if (cmd->nblocks && !cmd->range.lu && cmd->row->rules & RULE_WRITES)
		range_hold(&cmd->range, cmd, cmd->lu);
	tell_aborted(cmd);
	poke(ll->lu->eng, ll->loop);
}

bool cmd_abort(struct cmd *cmd, bool tas, bool orphan)
{
	if (cmd->orphan)
		return orphan;
	cmd->aborted = true;
	cmd->abort_tas = tas;
	if (cmd->state == CMD_DORMANT || cmd->state == CMD_DATA_OUT || cmd->state == CMD_GATED) {
		cmd_end_aborted(cmd);
		return true;
	}
	if (cmd->change && lu_step_detach(cmd->change, orphan)) {
		cmd_end_aborted(cmd);
		return true;
	}
	/* Enabled: a change of the LU is under way for it; it ends when that is done. */
	if (cmd->state != CMD_IO)
		return false;
	if (!cmd->at_disk || orphan) {
		if (cmd->at_disk)
			backstore_cancel(cmd->lu->bs, cmd->bio);
		cmd_orphan(cmd);
		return true;
	}
	backstore_cancel(cmd->lu->bs, cmd->bio);
	return false;
}

void cmd_give_up(struct cmd *cmd)
{
	if (cmd->state != CMD_DONE)
		(void)cmd_abort(cmd, false, true);
}

/* ---- ranges ------------------------------------------------------------------------------- */

static void range_granted(struct range *r)
{
	struct cmd *cmd = container_of(r, struct cmd, range);

	if (cmd->orphan)
		orphan_back(cmd);
	else
		cmd->step(cmd);
}

int cmd_lock_range(struct cmd *cmd, void (*step)(struct cmd *cmd))
{
	int rc;

	assert(cmd->in_io && cmd->nblocks);
	cmd->step = step;
	rc = range_announce(&cmd->range, cmd, range_granted);
	if (rc)
		cmd->range.lu = NULL;
	return rc;
}
