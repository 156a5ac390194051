/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cdb.h: what a command descriptor block says.
 *
 * Lengths and fields only: which command is supported, and which of its bits, is for the engine's
 * opcode table. All functions are pure and take bytes of any content and length.
 */
#ifndef ULIO_SCSI_CDB_H
#define ULIO_SCSI_CDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cdb_limits {
	CDB_MAX_BYTES = 260, /* SPC-4 4.2.3: 8 + ADDITIONAL CDB LENGTH, which is <= 252 */
	CDB_MIN_BYTES = 6,
};

/* CONTROL byte, SAM-5 5.2. */
enum cdb_control {
	CONTROL_NACA = 0x04,
};

/*
 * Length of the CDB that starts at cdb: by group code, 8 + ADDITIONAL CDB LENGTH for 7Fh.
 * Returns 0 if it cannot be told: a reserved or vendor-specific group (6, 7 and others of 3), an
 * extended CDB (7Eh), a 7Fh CDB whose length is not a multiple of 4 or exceeds CDB_MAX_BYTES, or
 * too few bytes to see it. The result may exceed len: the caller checks.
 * Source: SPC-4 4.2.2, 4.2.3, 4.2.5.1.
 */
size_t cdb_length(const uint8_t *cdb, size_t len);

/*
 * Service action of a CDB whose operation code has one (SPC-4 4.2.5.2; bytes 8 and 9 of 7Fh).
 * Returns -1 if the operation code has none, or the bytes are not there.
 */
int cdb_service_action(const uint8_t *cdb, size_t len);

/* CONTROL byte: the last byte of a fixed length CDB, byte 1 of a variable length one; else 0. */
uint8_t cdb_control(const uint8_t *cdb, size_t len);

/*
 * ALLOCATION LENGTH or PARAMETER LIST LENGTH of the commands of SPC-4 and SBC-3 that have one
 * (TRANSFER LENGTH in blocks is not one). The value goes to *ret_bytes.
 * Returns false, *ret_bytes untouched, if the command has none or the CDB is short.
 */
bool cdb_list_length(const uint8_t *cdb, size_t len, uint32_t *ret_bytes);

/*
 * Check a CDB against its usage mask (byte 0 is skipped: it is the operation code).
 *   mask	a bit for each CDB bit that may be set, len bytes
 * Returns true if no other bit is set; else false, with the first offending byte and the leftmost
 * offending bit of it for the field pointer. Source: SPC-4 6.35.3 (CDB USAGE DATA), 4.5.2.4.2.
 */
bool cdb_usage_check(
	const uint8_t *cdb, const uint8_t *mask, size_t len, uint16_t *ret_byte, uint8_t *ret_bit);

/* Fields of a command that addresses logical blocks; a field that the CDB lacks is 0. */
struct cdb_rw {
	uint64_t lba;
	uint32_t nblocks; /* TRANSFER, VERIFICATION LENGTH or NUMBER OF LOGICAL BLOCKS; in the
			   * 6-byte commands 0 was turned into 256 */
	uint8_t protect; /* RDPROTECT, WRPROTECT, VRPROTECT, ORPROTECT */
	bool dpo;
	bool fua;
	bool rarc;
	uint8_t bytchk; /* VERIFY, WRITE AND VERIFY; two bits */
	bool immed; /* SYNCHRONIZE CACHE, PRE-FETCH */
	bool anchor; /* WRITE SAME, UNMAP */
	bool unmap; /* WRITE SAME */
	bool ndob; /* WRITE SAME (16), (32) */
	uint8_t group; /* GROUP NUMBER */
	uint16_t atomic_boundary; /* WRITE ATOMIC (16), blocks */
	/* The 32-byte commands' expectations of protection information. */
	bool has_pi_fields;
	uint32_t ref_tag;
	uint16_t app_tag;
	uint16_t app_tag_mask;
};

/*
 * Decode READ and WRITE (6, 10, 12, 16, 32), WRITE AND VERIFY and VERIFY (10, 12, 16, 32), WRITE
 * SAME (10, 16, 32), SYNCHRONIZE CACHE and PRE-FETCH (10, 16), COMPARE AND WRITE, ORWRITE (16),
 * WRITE ATOMIC (16), GET LBA STATUS (LBA only), UNMAP (anchor, group).
 * Returns 0, or -EINVAL if the command is none of these or the CDB is shorter than its length.
 * Source: SBC-3 5.
 */
int cdb_rw_decode(const uint8_t *cdb, size_t len, struct cdb_rw *ret);

#endif
