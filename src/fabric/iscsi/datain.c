/* SPDX-License-Identifier: BSD-3-Clause */
/* datain.c: from DataSN to the bytes of a Data-In PDU. */
#include "fabric/iscsi/datain.h"

#include <assert.h>

#include "engine/cmd.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

static uint32_t div_up(uint32_t n, uint32_t by)
{
	return n / by + !!(n % by);
}

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t burst_bytes(const struct task *task)
{
	return task->conn->sess->params.max_burst_length;
}

uint32_t disorder(uint32_t i, uint32_t n, uint32_t seed)
{
	return (seed % n + n - i) % n;
}

void datain_begin(struct task *task)
{
	if (!task->seg) {
		task->seg = task->conn->max_xmit;
		task->base_sn = task->acked_sn = task->datasn =
			task->cmd->edtl_in ? task->r2tsn : 0;
	}
}

/* Data from base_off on: the sequence that it lies in, whole ones, and what is left. */
struct layout {
	uint32_t head; /* bytes of the first sequence */
	uint32_t head_pdus, burst_pdus, rest_pdus;
	uint32_t bursts; /* whole ones behind the head */
	uint32_t rest; /* bytes of the last sequence, 0: none */
};

static struct layout layout_of(const struct task *task)
{
	uint32_t burst = burst_bytes(task), left = task->cmd->in.bytes - task->base_off;
	struct layout l = { .head = min(burst - task->base_off % burst, left) };

	left -= l.head;
	l.bursts = left / burst;
	l.rest = left % burst;
	l.head_pdus = div_up(l.head, task->seg);
	l.burst_pdus = div_up(burst, task->seg);
	l.rest_pdus = div_up(l.rest, task->seg);
	return l;
}

uint32_t datain_count(const struct task *task)
{
	struct layout l = layout_of(task);

	return l.head_pdus + l.bursts * l.burst_pdus + l.rest_pdus;
}

/* PDU i of a sequence of `bytes` bytes at off. */
static struct datain cut(const struct task *task, uint32_t i, uint32_t off, uint32_t bytes)
{
	uint32_t n = div_up(bytes, task->seg);
	struct datain d = { .final = i == n - 1 };

	if (task->conn->shuffles & SHUFFLE_PDUS)
		i = disorder(i, n, task->itt);
	d.off = off + i * task->seg;
	d.len = min(task->seg, bytes - i * task->seg);
	return d;
}

static struct datain in_order(const struct task *task, uint32_t i)
{
	struct layout l = layout_of(task);
	uint32_t burst = burst_bytes(task), off = task->base_off, k;

	if (i < l.head_pdus)
		return cut(task, i, off, l.head);
	i -= l.head_pdus;
	off += l.head;
	k = i / l.burst_pdus;
	return cut(task, i % l.burst_pdus, off + k * burst, k < l.bursts ? burst : l.rest);
}

/* DataSequenceInOrder=No: the last sequence, which may be a short one, comes anywhere. */
static struct datain in_disorder(const struct task *task, uint32_t i)
{
	uint32_t burst = burst_bytes(task), bytes = task->cmd->in.bytes;
	uint32_t n = div_up(bytes, burst), pdus = div_up(burst, task->seg), k;
	uint32_t rest = bytes - (n - 1) * burst, rest_pdus = div_up(rest, task->seg);
	uint32_t before = disorder(n - 1, n, task->itt); /* sequences sent before it */

	if (i >= before * pdus && i < before * pdus + rest_pdus)
		return cut(task, i - before * pdus, (n - 1) * burst, rest);
	/* As if it had as many PDUs as the others. */
	if (i >= before * pdus)
		i += pdus - rest_pdus;
	k = disorder(i / pdus, n, task->itt);
	return cut(task, i % pdus, k * burst, burst);
}

struct datain datain_at(const struct task *task, uint32_t sn)
{
	bool sequences = task->conn->shuffles & SHUFFLE_SEQUENCES;
	uint32_t i = sn - task->base_sn, n = datain_count(task);
	struct datain d;

	assert(task->seg && i < n);
	d = sequences ? in_disorder(task, i) : in_order(task, i);
	d.sn = sn;
	d.last = i == n - 1;
	return d;
}

/* The slice that the byte lies in, for tx.c. */
static void seek(struct task *task, uint32_t off)
{
	task->sent = off;
	task->burst = off % burst_bytes(task);
	for (task->at = 0; task->at < task->cmd->in.niov; task->at++) {
		size_t n = task->cmd->in.iov[task->at].iov_len;

		if (off < n)
			break;
		off -= (uint32_t)n;
	}
	task->at_off = off;
}

bool datain_rewind(struct task *task, uint32_t sn)
{
	uint32_t i = sn - task->base_sn, n;

	datain_begin(task);
	n = datain_count(task);
	if (i > n)
		return false;
	if (task->conn->shuffles && i) {
		/* The PDUs that are left are no range of bytes: they stay as they were cut. */
		if (task->seg > task->conn->max_xmit)
			return false;
		task->sent = 0;
		for (uint32_t k = 0; k < i; k++)
			task->sent += datain_at(task, task->base_sn + k).len;
		task->datasn = sn;
		return true;
	}
	task->base_off = i == n ? task->cmd->in.bytes : datain_at(task, sn).off;
	if (task->conn->shuffles)
		task->base_off = 0;
	task->base_sn = task->datasn = sn;
	task->seg = task->conn->max_xmit;
	seek(task, task->base_off);
	return true;
}
