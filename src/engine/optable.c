/* SPDX-License-Identifier: BSD-3-Clause */
/* optable.c: looking up and checking CDBs in the command table. */
#include "engine/optable.h"

#include <errno.h>
#include <stddef.h>

#include "base/bytes.h"
#include "engine/alua.h"
#include "engine/handlers.h"
#include "engine/lu.h"
#include "scsi/cdb.h"
#include "scsi/opcodes.h"

static bool op_has_pr(const struct lu_conf *conf)
{
	return conf->a.emulate_pr;
}

static bool op_has_removable(const struct lu_conf *conf)
{
	return conf->a.removable;
}

static bool op_has_unmap(const struct lu_conf *conf)
{
	return conf->a.emulate_tpu;
}

static bool op_has_lba_status(const struct lu_conf *conf)
{
	return lu_conf_thin(conf);
}

static bool op_has_caw(const struct lu_conf *conf)
{
	return conf->a.emulate_caw;
}

static bool op_has_rsoc(const struct lu_conf *conf)
{
	return conf->a.emulate_rsoc;
}

static bool op_has_tpgs(const struct lu_conf *conf)
{
	return conf->tpgs;
}

static bool op_has_explicit_tpgs(const struct lu_conf *conf)
{
	return conf->tpgs & ALUA_EXPLICIT;
}

static bool op_has_referrals(const struct lu_conf *conf)
{
	return conf->referrals;
}

static const struct op_row rows[] = {
#define OP(name_, opcode_, sa_, len_, run_, rules_, timeout_, present_, ...)                       \
	{ .name = name_,                                                                           \
		.opcode = opcode_,                                                                 \
		.cdb_len = len_,                                                                   \
		.sa = sa_,                                                                         \
		.run = run_,                                                                       \
		.rules = rules_,                                                                   \
		.timeout_s = timeout_,                                                             \
		.present = present_,                                                               \
		.usage = __VA_ARGS__ },
#include "engine/optable.tbl.h"
#undef OP
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

const struct op_row *op_at(unsigned i)
{
	return i < NROWS ? &rows[i] : NULL;
}

/* The first row with an operation code of at least op. */
static unsigned lower_bound(uint8_t op)
{
	unsigned lo = 0, hi = NROWS;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (rows[mid].opcode < op)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct op_row *op_find(
	const uint8_t *cdb, unsigned cdb_len, const struct lu_conf *conf, bool *ret_sa_only)
{
	*ret_sa_only = false;
	for (unsigned i = lower_bound(cdb[0]); i < NROWS && rows[i].opcode == cdb[0]; i++) {
		const struct op_row *row = &rows[i];

		if (row->present && conf && !row->present(conf))
			continue;
		if (row->sa == NO_SA || row->sa == cdb_service_action(cdb, cdb_len))
			return row;
		*ret_sa_only = true;
	}
	return NULL;
}

int op_check_usage(const struct op_row *row, const uint8_t *cdb, unsigned *ret_byte, int *ret_bit)
{
	for (unsigned i = 1; i < row->cdb_len; i++) {
		uint8_t bad = cdb[i] & (uint8_t)~row->usage[i];

		if (!bad)
			continue;
		*ret_byte = i;
		*ret_bit = 31 - __builtin_clz(bad);
		return -EINVAL;
	}
	return 0;
}
