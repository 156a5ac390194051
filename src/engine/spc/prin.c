/* SPDX-License-Identifier: BSD-3-Clause */
/* prin.c: PERSISTENT RESERVE IN (SPC-4 6.15), answered from the snapshot in force. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/lu.h"
#include "engine/pr/pr.h"
#include "scsi/opcodes.h"
#include "scsi/reservation.h"

/*
 * What a service action answers: at most cap bytes of it into buf, and its whole length is
 * returned.
 */
typedef size_t build_fn(const struct cmd *cmd, const struct pr_state *s, uint8_t *buf, size_t cap);

static void reply(struct cmd *cmd, build_fn *build)
{
	uint16_t alloc_len = get_be16(cmd->cdb + 7);
	uint8_t *buf;

	/* SPC-2 5.5.1: under a reservation of RESERVE(6), whoever has it. */
	if (atomic_load_explicit(&cmd->lu->reserve6, memory_order_acquire)) {
		cmd_status(cmd, STATUS_RESERVATION_CONFLICT);
		return;
	}
	buf = calloc(1, alloc_len + 1u);
	if (!buf) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	cmd->scratch = buf;
	cmd_reply(cmd, buf, (uint32_t)build(cmd, pr_now(cmd->lu), buf, alloc_len), alloc_len);
}

static size_t at_most(size_t n, size_t most)
{
	return n < most ? n : most;
}

static size_t build_keys(const struct cmd *cmd, const struct pr_state *s, uint8_t *buf, size_t cap)
{
	uint32_t follow = s->n * 8;
	size_t len = prin_header(s->generation, follow, buf, cap);

	for (uint32_t i = 0; i < s->n && len < cap; i++) {
		uint8_t key[8];

		put_be64(key, s->r[i]->key);
		memcpy(buf + len, key, at_most(sizeof(key), cap - len));
		len += sizeof(key);
	}
	return PRIN_HEADER_BYTES + follow;
}

void spc_read_keys(struct cmd *cmd)
{
	reply(cmd, build_keys);
}

static size_t build_reservation(
	const struct cmd *cmd, const struct pr_state *s, uint8_t *buf, size_t cap)
{
	const struct pr_registration *holder = pr_holder(s);
	bool all = reservation_type_all_registrants(s->type);

	return prin_reservation(
		s->generation, holder && !all ? holder->key : 0, s->scope, s->type, buf, cap);
}

void spc_read_reservation(struct cmd *cmd)
{
	reply(cmd, build_reservation);
}

/*
 * ALLOW COMMANDS: TEST UNIT READY passes every type, and what is only read (MODE SENSE, REPORT
 * SUPPORTED OPERATION CODES …) the write exclusive ones: the columns of optable.tbl.h.
 */
#define ALLOW_COMMANDS 3

static size_t build_capabilities(
	const struct cmd *cmd, const struct pr_state *s, uint8_t *buf, size_t cap)
{
	struct prin_capabilities c = {
		.replace_lost = true,
		.compatible = true,
		.spec_i_pt = true,
		.all_tg_pt = true,
		.ptpl = pr_can_persist(cmd->lu),
		.ptpl_active = s->aptpl,
		.allow_commands = ALLOW_COMMANDS,
	};

	return prin_report_capabilities(&c, buf, cap);
}

void spc_report_capabilities(struct cmd *cmd)
{
	reply(cmd, build_capabilities);
}

static size_t build_full_status(
	const struct cmd *cmd, const struct pr_state *s, uint8_t *buf, size_t cap)
{
	struct lu *lu = cmd->lu;
	size_t len = PRIN_HEADER_BYTES;

	pthread_mutex_lock(&lu->lock);
	for (uint32_t i = 0; i < s->n; i++) {
		const struct pr_registration *r = s->r[i];
		struct prin_status st = {
			.key = r->key,
			.holder = r->holder,
			.scope = s->scope,
			.type = s->type,
			/* With ALL_TG_PT each target port has a registration of its own. */
			.rtpi = pr_rtpi_of(lu, &r->nexus),
			.initiator_port = r->nexus.initiator_port,
		};
		size_t at = at_most(len, cap);

		len += prin_full_status(&st, buf + at, cap - at);
	}
	pthread_mutex_unlock(&lu->lock);
	prin_header(s->generation, (uint32_t)(len - PRIN_HEADER_BYTES), buf, cap);
	return len;
}

void spc_read_full_status(struct cmd *cmd)
{
	reply(cmd, build_full_status);
}
