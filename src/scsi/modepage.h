/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modepage.h: mode pages as data, MODE SENSE and MODE SELECT over them.
 *
 * All pages of an LU are one small array of bytes (struct mode_values); what each bit means is in
 * modepage.tbl.h, one row a field. An LU keeps a struct mode_config and reads fields by name:
 * mode_get(&config->current, MODE_D_SENSE). MODE SELECT never writes the config: it gives back the
 * new values, which the caller commits, publishes and announces. Pure functions, any thread.
 */
#ifndef ULIO_SCSI_MODEPAGE_H
#define ULIO_SCSI_MODEPAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/sense.h"

enum mode_page {
#define MODE_PAGE(name, page, subpage, bytes, text) MODE_PAGE_##name,
#include "scsi/modepage.tbl.h"
#undef MODE_PAGE
	MODE_PAGE_COUNT
};

enum mode_field {
#define MODE_FIELD(name, page, byte, bit, width, def, valid) MODE_##name,
#include "scsi/modepage.tbl.h"
#undef MODE_FIELD
	MODE_FIELD_COUNT
};

enum mode_limits {
	MODE_VALUES_BYTES = 12 + 20 + 12 + 32 + 12, /* all pages of modepage.tbl.h */
	MODE_SENSE_MAX = 8 + 16 + MODE_VALUES_BYTES, /* longest MODE SENSE data */
};

/* PC field of MODE SENSE, SPC-4 table 176. */
enum mode_pc {
	MODE_PC_CURRENT = 0,
	MODE_PC_CHANGEABLE = 1,
	MODE_PC_DEFAULT = 2,
	MODE_PC_SAVED = 3,
};

/* All pages, one after another; the bytes of page headers are 0. Compare and copy them freely. */
struct mode_values {
	uint8_t b[MODE_VALUES_BYTES];
};

struct mode_config {
	struct mode_values current;
	struct mode_values defaults;
	struct mode_values saved; /* only if saves */
	struct mode_values changeable; /* mask: 1 where MODE SELECT may change the bit */
	bool saves; /* saved values exist: PS = 1, SP and PC = 3 are accepted */
};

/* Pages with the table's defaults, nothing changeable, nothing saved. */
void mode_config_init(struct mode_config *c);

/*
 * Give a field its default, current and saved value, and say whether MODE SELECT may change it.
 * value must fit the field (asserted).
 */
void mode_config_define(
	struct mode_config *c, enum mode_field field, uint32_t value, bool changeable);

uint32_t mode_get(const struct mode_values *v, enum mode_field field);
void mode_set(
	struct mode_values *v, enum mode_field field, uint32_t value); /* must fit (asserted) */

/* What MODE SENSE needs besides the pages. */
struct mode_medium {
	uint8_t medium_type; /* 00h for a direct access block device */
	bool wp; /* WP: write protected for this nexus, software write protect included */
	bool dpofua; /* DPOFUA: DPO and FUA are supported */
	uint64_t nblocks; /* capacity in blocks */
	uint32_t block_bytes; /* logical block length */
};

/* Fields of a MODE SENSE CDB. */
struct mode_sense_req {
	bool ten; /* MODE SENSE (10), else (6) */
	bool dbd; /* no block descriptor */
	bool llbaa; /* (10) only: a long LBA block descriptor is allowed, and then given */
	enum mode_pc pc;
	uint8_t page; /* 3Fh: all */
	uint8_t subpage; /* FFh: all */
};

/* Decode a MODE SENSE (6) or (10) CDB of at least its length. */
struct mode_sense_req mode_sense_decode(const uint8_t *cdb);

/*
 * Build mode parameter data. At most cap bytes are written to buf; *ret_len is the full length,
 * <= MODE_SENSE_MAX, and MODE DATA LENGTH tells it whatever cap (SPC-4 4.2.5.6).
 * Returns true; or false with *ret_sense: INVALID FIELD IN CDB at the page or subpage code for a
 * page that does not exist, SAVING PARAMETERS NOT SUPPORTED for PC = 3 without saved values.
 * Source: SPC-4 6.13 (6), 6.14 (10), 7.5.4 to 7.5.7; SBC-3 6.4.2 (block descriptors).
 */
bool mode_sense_build(const struct mode_config *c, const struct mode_medium *medium,
	const struct mode_sense_req *req, uint8_t *buf, size_t cap, size_t *ret_len,
	struct sense *ret_sense);

/* Fields of a MODE SELECT CDB. */
struct mode_select_req {
	bool ten; /* MODE SELECT (10), else (6) */
	bool pf; /* page format: 0 is refused */
	bool sp; /* save pages: refused unless config saves */
};

/* Decode a MODE SELECT (6) or (10) CDB of at least its length. */
struct mode_select_req mode_select_decode(const uint8_t *cdb);

/*
 * Check a MODE SELECT and its parameter list, and compute the values that it asks for.
 *   list, len	the parameter list that was transferred; 0 bytes is right and changes nothing
 * MODE DATA LENGTH, medium type, device-specific parameter and the number of blocks are ignored; a
 * LOGICAL BLOCK LENGTH other than 0 and the present one is refused.
 * Returns true and *ret_current, equal to config's current if nothing changes (with SP = 1 the
 * caller also makes it the saved values: SPC-4 saves all pages); or false with *ret_sense:
 *   INVALID FIELD IN CDB		PF = 0, or SP = 1 without saved values
 *   PARAMETER LIST LENGTH ERROR	the list ends inside a header, block descriptor or page
 *   INVALID FIELD IN PARAMETER LIST	with field pointer: unknown page, wrong page length, a
 *					change to a field that may not change, a reserved value
 * Source: SPC-4 6.11 (6), 6.12 (10), 7.5.
 */
bool mode_select_parse(const struct mode_config *c, const struct mode_medium *medium,
	const struct mode_select_req *req, const uint8_t *list, size_t len,
	struct mode_values *ret_current, struct sense *ret_sense);

#endif
