/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lun.c: the single level LUN structure (SAM-5 4.7.4), REPORT LUNS parameter data (SPC-4 6.33).
 */
#include "scsi/lun.h"

#include "scsi/out_priv.h"

/* ADDRESS METHOD, bits 7 and 6 of the first byte (SAM-5 table 12). */
enum address_method {
	METHOD_PERIPHERAL = 0x00,
	METHOD_FLAT = 0x40,
	METHOD_LOGICAL_UNIT = 0x80,
	METHOD_EXTENDED = 0xc0,
	METHOD_MASK = 0xc0,
};

/* First byte of the extended addresses: method 11b, LENGTH, EXTENDED ADDRESS METHOD (4.7.7). */
enum extended_method {
	EXTENDED_WELL_KNOWN = 0xc1, /* 1 byte more: W-LUN */
	EXTENDED_FLAT = 0xd2, /* 3 bytes more */
	EXTENDED_LONG_FLAT = 0xe2, /* 5 bytes more */
	EXTENDED_NOT_SPECIFIED = 0xff,
};

enum {
	REPORT_LUNS_HEADER = 8,
	REPORT_LUNS_MAX = 1 << 28,
};

/* The bytes that a single level LUN does not use are zero. */
static bool zero_from(const uint8_t lun[static LUN_BYTES], size_t i)
{
	for (; i < LUN_BYTES; i++)
		if (lun[i] != 0)
			return false;
	return true;
}

static enum lun_kind lun_decode_extended(const uint8_t lun[static LUN_BYTES], uint64_t *ret_number)
{
	switch (lun[0]) {
	case EXTENDED_WELL_KNOWN:
		if (!zero_from(lun, 2))
			return LUN_INVALID;
		*ret_number = lun[1];
		return LUN_WELL_KNOWN;
	case EXTENDED_FLAT:
		if (!zero_from(lun, 4))
			return LUN_INVALID;
		*ret_number = get_be24(lun + 1);
		return LUN_NORMAL;
	case EXTENDED_LONG_FLAT:
		if (!zero_from(lun, 6))
			return LUN_INVALID;
		*ret_number = get_be48(lun) & 0xffffffffff;
		return LUN_NORMAL;
	case EXTENDED_NOT_SPECIFIED:
		for (int i = 1; i < LUN_BYTES; i++)
			if (lun[i] != 0xff)
				return LUN_INVALID;
		return LUN_NOT_SPECIFIED;
	default:
		return LUN_INVALID;
	}
}

enum lun_kind lun_decode(const uint8_t lun[static LUN_BYTES], uint64_t *ret_number)
{
	*ret_number = 0;
	switch (lun[0] & METHOD_MASK) {
	case METHOD_PERIPHERAL:
		if (lun[0] != 0 || !zero_from(lun, 2)) /* another bus, a second level */
			return LUN_INVALID;
		*ret_number = lun[1];
		return LUN_NORMAL;
	case METHOD_FLAT:
		if (!zero_from(lun, 2))
			return LUN_INVALID;
		*ret_number = get_be16(lun) & LUN_FLAT_MAX;
		return LUN_NORMAL;
	case METHOD_EXTENDED:
		return lun_decode_extended(lun, ret_number);
	default:
		return LUN_INVALID; /* logical unit addressing: for devices behind buses */
	}
}

bool lun_encode(uint64_t number, uint8_t lun[static LUN_BYTES])
{
	if (number > LUN_EXTENDED_FLAT_MAX)
		return false;
	memset(lun, 0, LUN_BYTES);
	if (number <= LUN_PERIPHERAL_MAX) {
		lun[1] = (uint8_t)number;
	} else if (number <= LUN_FLAT_MAX) {
		put_be16(lun, (uint16_t)(METHOD_FLAT << 8 | number));
	} else {
		lun[0] = EXTENDED_FLAT;
		put_be24(lun + 1, (uint32_t)number);
	}
	return true;
}

void lun_encode_well_known(uint8_t wlun, uint8_t lun[static LUN_BYTES])
{
	memset(lun, 0, LUN_BYTES);
	lun[0] = EXTENDED_WELL_KNOWN;
	lun[1] = wlun;
}

size_t report_luns_build(enum select_report select, const uint64_t *luns, size_t nluns,
	const uint8_t *wluns, size_t nwluns, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);
	uint8_t lun[LUN_BYTES];

	assert(select_report_valid((uint8_t)select));
	if (select == SELECT_REPORT_WELL_KNOWN)
		nluns = 0;
	if (select == SELECT_REPORT_LUS)
		nwluns = 0;
	assert(nluns <= REPORT_LUNS_MAX && nwluns <= UINT8_MAX);

	out_be32(&o, (uint32_t)((nluns + nwluns) * LUN_BYTES));
	out_fill(&o, 0, REPORT_LUNS_HEADER - o.len);
	for (size_t i = 0; i < nluns; i++) {
		bool ok = lun_encode(luns[i], lun);

		assert(ok);
		out_bytes(&o, lun, sizeof(lun));
	}
	for (size_t i = 0; i < nwluns; i++) {
		lun_encode_well_known(wluns[i], lun);
		out_bytes(&o, lun, sizeof(lun));
	}
	return o.len;
}
