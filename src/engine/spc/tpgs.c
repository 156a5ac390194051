/* SPDX-License-Identifier: BSD-3-Clause */
/* tpgs.c: REPORT and SET TARGET PORT GROUPS (SPC-4 6.37, 6.45). */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "engine/alua.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/lu.h"

void spc_report_target_port_groups(struct cmd *cmd)
{
	unsigned format = cmd->cdb[1] >> 5;
	uint32_t alloc_len = get_be32(cmd->cdb + 6);
	struct alua_report *r;
	size_t len;

	if (format > RTPG_EXTENDED) {
		cmd_fail_cdb(cmd, 1, 7);
		return;
	}
	r = alua_report(cmd->lu);
	if (!r) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	len = rtpg_build((enum rtpg_format)format, r->transition_s, r->groups, r->n, NULL, 0);
	cmd->scratch = malloc(len);
	if (!cmd->scratch) {
		free(r);
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	rtpg_build((enum rtpg_format)format, r->transition_s, r->groups, r->n, cmd->scratch, len);
	free(r);
	cmd_reply(cmd, cmd->scratch, (uint32_t)len, alloc_len);
}

/* SPC-4 5.15.2.5: a transition that has failed; the state is what it was. */
static void changed(struct cmd *cmd, int error)
{
	if (error == -ENOMEM)
		cmd_status(cmd, STATUS_BUSY);
	else if (error)
		cmd_fail(cmd, SENSE_STPG_FAILED);
	else
		cmd_good(cmd);
}

static void set_groups(struct cmd *cmd, const struct stpg_desc *d, unsigned n)
{
	struct alua_wish wishes[ALUA_MAX_GROUPS];
	unsigned which;

	if (!n) {
		cmd_good(cmd);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		wishes[i] = (struct alua_wish){ d[i].group, d[i].state };
	switch (alua_set_explicit(cmd, wishes, n, changed, &which)) {
	case ALUA_ACCEPTED:
		break;
	case ALUA_NO_MEMORY:
		cmd_status(cmd, STATUS_BUSY);
		break;
	case ALUA_UNKNOWN_GROUP:
		cmd_fail_param(cmd, stpg_group_byte(which), 7);
		break;
	case ALUA_BAD_STATE:
		cmd_fail_param(cmd, stpg_state_byte(which), 3);
		break;
	}
}

static void have_list(struct cmd *cmd)
{
	struct stpg_desc d[ALUA_MAX_GROUPS];
	const uint8_t *list;
	struct sense s;
	unsigned n;

	/* Only whole lists, whose length was checked before. */
	if (cmd->out.bytes != get_be32(cmd->cdb + 6)) {
		cmd_fail(cmd, SENSE_PARAMETER_LIST_LENGTH_ERROR);
		return;
	}
	list = cmd_out_flat(cmd);
	if (!list)
		cmd_status(cmd, STATUS_BUSY);
	else if (!stpg_parse(list, cmd->out.bytes, d, &n, &s))
		cmd_fail_sense(cmd, &s);
	else
		set_groups(cmd, d, n);
}

void spc_set_target_port_groups(struct cmd *cmd)
{
	uint32_t len = get_be32(cmd->cdb + 6);

	if (!stpg_length_valid(len, ALUA_MAX_GROUPS))
		cmd_fail_cdb(cmd, 6, 7);
	else if (!len) /* SPC-4 6.45: no change, no error */
		cmd_good(cmd);
	else
		cmd_get_data_out(cmd, len, have_list);
}
