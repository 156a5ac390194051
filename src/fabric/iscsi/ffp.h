/* SPDX-License-Identifier: BSD-3-Clause */
/* ffp.h: requests of the Full Feature Phase that are no SCSI commands, and when their turn is. */
#ifndef ULIO_FABRIC_ISCSI_FFP_H
#define ULIO_FABRIC_ISCSI_FFP_H

#include "fabric/iscsi/conn.h"

/* What such a request is given to when its turn has come; its data segment is in n slices. */
typedef void ffp_run_fn(
	struct conn *conn, const struct pdu *pdu, const struct iovec *data, unsigned n);

ffp_run_fn nop_out, text_request, tmf_request, logout_request;

/* Answer a task management function (11.6). */
void tmf_respond(struct conn *conn, uint32_t itt, enum iscsi_tmf_response response);

/* Run a request that was held. */
ffp_run_fn ffp_run;

#endif
