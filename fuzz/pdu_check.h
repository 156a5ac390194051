/* SPDX-License-Identifier: BSD-3-Clause */
/* pdu_check.h: what the initiator of pdu_fuzz demands of every PDU that comes. */
#ifndef ULIO_FUZZ_PDU_CHECK_H
#define ULIO_FUZZ_PDU_CHECK_H

#include "pdu_peer.h"

/* Take one PDU out of what has come. False: it is not all there. */
bool check_next_pdu(struct peer *peer);

#endif
