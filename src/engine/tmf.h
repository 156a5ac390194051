/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tmf.h: task management functions (SAM-5 7). A function is answered when what it promises is true:
 * "complete" is never said while a write that it covers may still reach the disk.
 */
#ifndef ULIO_ENGINE_TMF_H
#define ULIO_ENGINE_TMF_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "scsi/status.h"

struct nexus;

struct tmf {
	struct nexus *nexus; /* holds a reference */
	void *task; /* the fabric's */
	uint8_t function; /* enum tmf_function */
	uint8_t lun[8];
	uint64_t ref_tag; /* ABORT TASK, QUERY TASK */
	/*
	 * Its place among the nexus's commands, as in struct cmd: only the ones before it are
	 * meant. Unset: what has come before on the same loop, and all on others.
	 */
	bool has_order;
	uint32_t order;
	uint64_t id; /* cmd->cleared_by of the commands that it ends; set by tmf_new() */
	uint8_t response; /* enum tmf_response, set when tmf_done() runs */
	/*
	 * SAM-5 7.1, Additional Response Information of QUERY ASYNCHRONOUS EVENT that has
	 * SUCCEEDED: UADE DEPTH and SENSE KEY, ASC, ASCQ. Else zero.
	 */
	uint8_t info[3];
	/* For transports that tell more than SAM-5 does: */
	bool no_task; /* ABORT TASK: COMPLETE, there was no such task */
	bool unsupported; /* REJECTED because there is no such function */
	bool stuck; /* REJECTED because a disk does not give a command back */
	/* The engine's. */
	struct loop *loop;
	uint64_t seq; /* of the first command on this loop that is younger */
};

/*
 * Whether tmf_submit() does more than refuse it: REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS. Any
 * thread.
 */
bool tmf_supported(enum tmf_function function);
/* Whether it ends more than one task: RFC 7143 4.2.3.1. Any thread. */
bool tmf_is_multi_task(enum tmf_function function);

/*
 * On loop, when its turn has come: of the commands that the loop submits later none is meant. NULL:
 * no memory.
 */
struct tmf *tmf_new(struct nexus *nexus, struct loop *loop);
struct tmf *tmf_free(struct tmf *tmf);
/* Whether tmf_submit() refuses it now for what it is about. On tmf->loop. */
bool tmf_is_refused(const struct tmf *tmf);
/*
 * ops->tmf_done(tmf) follows on tmf->loop. Commands of lower order must have been submitted
 * before.
 */
void tmf_submit(struct tmf *tmf);

#endif
