/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aptpl_text.h: the registrations and the reservation of a logical unit as text, in the format of
 * LIO's file aptpl_<serial>:
 *
 *	PR_REG_START: 0
 *	initiator_fabric=iSCSI
 *	initiator_node=iqn.2003-01.org.example:node1
 *	initiator_sid=00023d000001		only if the registration names an initiator port
 *	sa_res_key=81985529216486895
 *	res_holder=1
 *	res_type=05				these two only if it holds the reservation
 *	res_scope=00
 *	res_all_tg_pt=0
 *	mapped_lun=0
 *	target_fabric=iSCSI
 *	target_node=iqn.2003-01.org.example:disk
 *	tpgt=1
 *	port_rtpi=1
 *	target_lun=0
 *	PR_REG_END: 0
 *	PR_REG_START: 1 ...
 *
 * and a NUL at the end. Without registrations it is "No Registrations or Reservations" and a NUL.
 * Pure functions, any thread.
 */
#ifndef ULIO_ENGINE_PR_APTPL_TEXT_H
#define ULIO_ENGINE_PR_APTPL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strbuf.h"

struct pr_state;

/*
 * Append the text, its NUL included.
 *	extras	also what LIO's format has no place for: whether the state outlives a loss of
 *		power, when a registration was made
 * 0; -EINVAL: a name cannot be written in this format; -ENOMEM.
 */
int aptpl_format(const struct pr_state *s, bool extras, struct strbuf *out);

/*
 * Parse a whole file, with extras or without. Strict: what a torn or damaged file may look like is
 * refused. That is a line that is no known field, a field twice or not at all, a value out of its
 * range, two reservations, two registrations of one I_T nexus.
 *	ret_foreign	registrations of other fabrics than iSCSI that were left out, as if they had
 *		been unregistered
 * 0 with *ret (pr_state_free()), which is never NULL; -EINVAL, -E2BIG, -ENOMEM with *err.
 */
int aptpl_parse(const char *text, size_t n, struct pr_state **ret, unsigned *ret_foreign,
	struct errmsg *err);

/*
 * Parse what is written to pr/res_aptpl_metadata: one registration, its fields between commas or
 * line ends. As LIO does it ignores what it does not know. *ret has this registration alone, and
 * the reservation if it holds one.
 * 0 with *ret; -EINVAL, -ENOMEM with *err.
 */
int aptpl_parse_one(const char *text, struct pr_state **ret, struct errmsg *err);

#endif
