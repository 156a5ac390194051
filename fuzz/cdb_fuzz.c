/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cdb_fuzz.c: what is read from a CDB and from a LUN. The first 8 bytes are a LUN, the rest a CDB.
 * A LUN that decodes and can be encoded is the same LUN again.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "scsi/cdb.h"
#include "scsi/lun.h"

static void lun(const uint8_t bytes[static LUN_BYTES])
{
	uint8_t again[LUN_BYTES];
	uint64_t number, number_again;

	if (lun_decode(bytes, &number) != LUN_NORMAL || !lun_encode(number, again))
		return;
	assert(lun_decode(again, &number_again) == LUN_NORMAL);
	assert(number_again == number);
}

static void cdb(const uint8_t *p, size_t n)
{
	static const uint8_t mask[CDB_MAX_BYTES];
	size_t len = cdb_length(p, n);
	struct cdb_rw rw;
	uint32_t bytes;
	uint16_t byte;
	uint8_t bit;
	int sa = cdb_service_action(p, n);

	assert(len == 0 || (len >= CDB_MIN_BYTES && len <= CDB_MAX_BYTES));
	assert(sa >= -1 && sa <= UINT16_MAX);
	if (len == 0 || len > n) {
		assert(sa == -1 && cdb_control(p, n) == 0);
		assert(!cdb_list_length(p, n, &bytes));
		assert(cdb_rw_decode(p, n, &rw) != 0);
		return;
	}
	cdb_control(p, n);
	cdb_list_length(p, n, &bytes);
	if (cdb_rw_decode(p, n, &rw) == 0)
		assert(rw.protect <= 7 && rw.bytchk <= 3 && rw.group <= 0x1f);
	if (!cdb_usage_check(p, mask, len, &byte, &bit))
		assert(byte > 0 && byte < len && p[byte] >> bit == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < LUN_BYTES)
		return 0;
	lun(data);
	cdb(data + LUN_BYTES, size - LUN_BYTES);
	return 0;
}
