/* SPDX-License-Identifier: BSD-3-Clause */
/* discovery.h: the answer to SendTargets (RFC 7143 appendix C). */
#ifndef ULIO_FABRIC_ISCSI_DISCOVERY_H
#define ULIO_FABRIC_ISCSI_DISCOVERY_H

#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/keys.h"

/* The longest answer: tens of thousands of targets of the usual length. */
#define DISCOVERY_BYTES_MAX (16u << 20)

/*
 * Append TargetName and TargetAddress of what `which` asks for and this initiator may use.
 *	which	"All" (discovery sessions), a target's name, or "" (the session's own target)
 * 0, -EPROTO: not allowed in this session; -EMSGSIZE, -ENOMEM. Loop: the connection's.
 */
int discovery_send_targets(struct conn *conn, const char *which, struct keys_text *out);

#endif
