/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lun.h: logical unit numbers on the wire (SAM-5 4.7), and REPORT LUNS lists (SPC-4 6.33).
 *
 * Inside ulio a LUN is a plain number; these functions turn it to and from the eight bytes of the
 * single level LUN structure. Pure functions, any thread.
 */
#ifndef ULIO_SCSI_LUN_H
#define ULIO_SCSI_LUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lun_kind {
	LUN_INVALID, /* a format, a bus or a level that we do not have: no such LU */
	LUN_NORMAL, /* number: the LUN */
	LUN_WELL_KNOWN, /* number: the W-LUN, enum well_known_lun */
	LUN_NOT_SPECIFIED, /* FFh: extended address "logical unit not specified" */
};

/* Well known logical units, SPC-4 clause 8. */
enum well_known_lun {
	WLUN_REPORT_LUNS = 0x01,
	WLUN_TARGET_LOG_PAGES = 0x03,
	WLUN_SECURITY_PROTOCOL = 0x04,
	WLUN_MANAGEMENT_PROTOCOL = 0x05,
};

enum lun_limits {
	LUN_BYTES = 8,
	LUN_PERIPHERAL_MAX = 0xff, /* peripheral device addressing, bus 0 */
	LUN_FLAT_MAX = 0x3fff, /* flat space addressing */
	LUN_EXTENDED_FLAT_MAX = 0xffffff, /* extended flat space addressing, 4 bytes */
};

/*
 * Decode a LUN. Peripheral device (bus 0), flat space and both extended flat space addresses of the
 * same number are the same LUN. Logical unit addressing (10b), other buses and further levels give
 * LUN_INVALID. *ret_number is set (0 if LUN_INVALID or LUN_NOT_SPECIFIED).
 * Source: SAM-5 4.7.4 to 4.7.7.
 */
enum lun_kind lun_decode(const uint8_t lun[static LUN_BYTES], uint64_t *ret_number);

/*
 * Encode a LUN in the shortest format: peripheral device to 255, flat space to 16383, extended flat
 * space to LUN_EXTENDED_FLAT_MAX. Returns false, lun untouched, for a larger number.
 */
bool lun_encode(uint64_t number, uint8_t lun[static LUN_BYTES]);

/* Encode a well known logical unit: C1h, W-LUN. */
void lun_encode_well_known(uint8_t wlun, uint8_t lun[static LUN_BYTES]);

/* SELECT REPORT, SPC-4 table 284. 10h to 12h (administrative, subsidiary LUs) are not supported. */
enum select_report {
	SELECT_REPORT_LUS = 0x00, /* all but the well known ones */
	SELECT_REPORT_WELL_KNOWN = 0x01,
	SELECT_REPORT_ALL = 0x02,
};

static inline bool select_report_valid(uint8_t select_report)
{
	return select_report <= SELECT_REPORT_ALL;
}

/*
 * Build REPORT LUNS data: 8 bytes of header, then 8 a LUN.
 *   luns	numbers in the order to report, each <= LUN_EXTENDED_FLAT_MAX (asserted)
 *   wluns	well known logical units; NULL if there are none
 *   select	one of enum select_report (asserted)
 * At most cap bytes are written to buf. Returns the full length; LUN LIST LENGTH counts all LUNs
 * whatever cap (SPC-4 6.33). nluns is at most 2^28.
 */
size_t report_luns_build(enum select_report select, const uint64_t *luns, size_t nluns,
	const uint8_t *wluns, size_t nwluns, uint8_t *buf, size_t cap);

#endif
