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

struct nexus;

enum tmf_function {
	TMF_ABORT_TASK,
	TMF_ABORT_TASK_SET,
	TMF_CLEAR_TASK_SET,
	TMF_LOGICAL_UNIT_RESET,
	TMF_TARGET_WARM_RESET, /* RFC 7143 11.5.1: every LU of the target, as LU RESET */
	TMF_TARGET_COLD_RESET, /* the same; the fabric then ends all sessions of the target */
	TMF_CLEAR_ACA,
	TMF_QUERY_TASK,
	TMF_QUERY_TASK_SET,
	TMF_QUERY_ASYNC_EVENT,
	TMF_I_T_NEXUS_RESET,
	TMF_FUNCTION_MAX
};

/* Service responses (SAM-5 7.1). */
enum tmf_response {
	TMF_COMPLETE,
	TMF_SUCCEEDED, /* of the QUERY functions */
	TMF_NO_TASK, /* ABORT TASK: not there. SAM says FUNCTION COMPLETE; fabrics that tell apart use it */
	TMF_INCORRECT_LUN,
	TMF_NOT_SUPPORTED,
	TMF_REJECTED, /* also: a disk does not give back a command */
};

struct tmf {
	struct nexus *nexus; /* holds a reference */
	void *task; /* the fabric's */
	uint8_t function; /* enum tmf_function */
	uint8_t lun[8];
	uint64_t ref_tag; /* ABORT TASK, QUERY TASK */
	uint8_t response; /* enum tmf_response, set when tmf_done() runs */
	/* The engine's. */
	struct loop *loop;
	void *work;
};

/* On loop. NULL: no memory. */
struct tmf *tmf_new(struct nexus *nexus, struct loop *loop);
struct tmf *tmf_free(struct tmf *tmf);
/* ops->tmf_done(tmf) follows on tmf->loop. Commands of lower order must have been submitted before. */
void tmf_submit(struct tmf *tmf);

#endif
