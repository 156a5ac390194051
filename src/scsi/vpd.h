/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vpd.h: vital product data pages (SPC-4 7.8, SBC-3 6.6).
 *
 * Each builder takes plain parameters and `peripheral`, byte 0 of the standard INQUIRY data. It
 * writes at most cap bytes to buf and returns the page's full length.
 */
#ifndef ULIO_SCSI_VPD_H
#define ULIO_SCSI_VPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/designator.h"

enum vpd_page {
	VPD_SUPPORTED_PAGES = 0x00,
	VPD_UNIT_SERIAL_NUMBER = 0x80,
	VPD_DEVICE_IDENTIFICATION = 0x83,
	VPD_EXTENDED_INQUIRY_DATA = 0x86,
	VPD_BLOCK_LIMITS = 0xb0,
	VPD_BLOCK_DEVICE_CHARACTERISTICS = 0xb1,
	VPD_LOGICAL_BLOCK_PROVISIONING = 0xb2,
	VPD_REFERRALS = 0xb3,
};

enum vpd_limits {
	VPD_SERIAL_MAX = 254, /* characters of a unit serial number */
	VPD_PAGE_MAX = 4 + DESIGNATORS_MAX, /* no page is longer */
};

/* Page 00h. pages: all supported page codes, ascending, 00h first (asserted). SPC-4 7.8.17. */
size_t vpd_build_supported(
	uint8_t peripheral, const uint8_t *pages, size_t npages, uint8_t *buf, size_t cap);

/*
 * Page 80h: the serial number's characters, cut at VPD_SERIAL_MAX; one that is not printable ASCII
 * becomes '_'. No NUL ends it (LIO sends one: SPC-4 4.3.1 forbids it). An empty serial gives four
 * spaces: "not available". SPC-4 7.8.18.
 */
size_t vpd_build_serial(uint8_t peripheral, const char *serial, uint8_t *buf, size_t cap);

/* Page 83h from designation descriptors. SPC-4 7.8.6. */
size_t vpd_build_device_id(
	uint8_t peripheral, const struct designators *d, uint8_t *buf, size_t cap);

/* SPT field: which PI types are supported, SPC-4 table 495. */
enum vpd_spt {
	SPT_TYPE_1 = 0,
	SPT_TYPES_1_2 = 1,
	SPT_TYPE_2 = 2,
	SPT_TYPES_1_3 = 3,
	SPT_TYPE_3 = 4,
	SPT_TYPES_2_3 = 5,
	SPT_TYPES_1_2_3 = 7,
};

struct vpd_extended_inquiry {
	enum vpd_spt spt;
	bool grd_chk, app_chk, ref_chk; /* PI fields that are checked */
	bool uask_sup; /* unit attention condition sense key specific data */
	bool group_sup, prior_sup; /* GROUP NUMBER; command priority */
	bool headsup, ordsup; /* task attributes; SIMPLE is always supported */
	bool wu_sup, crd_sup; /* write uncorrectable; correction disable */
	bool nv_sup, v_sup; /* non-volatile, volatile cache */
	bool p_i_i_sup; /* protection information intervals */
	bool r_sup; /* referrals */
	bool cbcs; /* capability-based command security */
	uint16_t self_test_minutes;
	bool poa_sup, hra_sup, vsa_sup;
	uint8_t max_sense_len; /* MAXIMUM SUPPORTED SENSE DATA LENGTH, 0: not told */
};

/* Page 86h. SIMPSUP and LUICLR are 1: SPC-4 7.8.7 has them so. */
size_t vpd_build_extended_inquiry(
	uint8_t peripheral, const struct vpd_extended_inquiry *p, uint8_t *buf, size_t cap);

/* Page B0h, SBC-3 6.6.3 with SBC-4's atomic fields. All lengths are in blocks; 0: not told. */
struct vpd_block_limits {
	bool wsnz; /* WRITE SAME with a length of 0 is refused */
	uint8_t max_caw; /* COMPARE AND WRITE */
	uint16_t optimal_granularity;
	uint32_t max_transfer;
	uint32_t optimal_transfer;
	uint32_t max_prefetch;
	uint32_t max_unmap_lbas;
	uint32_t max_unmap_descriptors;
	uint32_t unmap_granularity;
	bool unmap_alignment_valid; /* UGAVALID */
	uint32_t unmap_alignment; /* not told (UGAVALID = 0) if it does not fit 31 bits */
	uint64_t max_write_same;
	uint32_t max_atomic_transfer;
	uint32_t atomic_alignment;
	uint32_t atomic_granularity;
	uint32_t max_atomic_transfer_with_boundary;
	uint32_t max_atomic_boundary;
};

size_t vpd_build_block_limits(
	uint8_t peripheral, const struct vpd_block_limits *p, uint8_t *buf, size_t cap);

/* Page B1h, SBC-3 6.6.2. */
enum vpd_rotation {
	ROTATION_NOT_REPORTED = 0,
	ROTATION_NONE = 1, /* solid state */
};

struct vpd_block_characteristics {
	uint16_t rotation_rate; /* enum vpd_rotation, or revolutions per minute */
	uint8_t product_type;
	uint8_t wabereq, wacereq; /* two bits each: what a read after write to bad blocks gives */
	uint8_t form_factor; /* nominal, four bits */
	bool fuab; /* FUA semantics of SYNCHRONIZE CACHE for volatile caches */
	bool vbuls; /* VERIFY BYTCHK of unmapped LBAs is supported */
};

size_t vpd_build_block_characteristics(
	uint8_t peripheral, const struct vpd_block_characteristics *p, uint8_t *buf, size_t cap);

/* Page B2h, SBC-3 6.6.4. */
enum vpd_provisioning {
	PROVISIONING_FULL = 0, /* or not reported */
	PROVISIONING_RESOURCE = 1,
	PROVISIONING_THIN = 2,
};

struct vpd_provisioning_params {
	uint8_t threshold_exponent; /* 0: no thresholds */
	bool lbpu; /* UNMAP */
	bool lbpws; /* WRITE SAME (16) with UNMAP */
	bool lbpws10; /* WRITE SAME (10) with UNMAP */
	bool lbprz; /* unmapped blocks read as zeros */
	bool anc_sup; /* anchored state */
	enum vpd_provisioning type;
};

/* Page B3h, SBC-3 6.6.5: both in blocks, as REPORT REFERRALS data are to be read (4.25.2). */
size_t vpd_build_referrals(
	uint8_t peripheral, uint32_t segment_size, uint32_t multiplier, uint8_t *buf, size_t cap);

size_t vpd_build_provisioning(
	uint8_t peripheral, const struct vpd_provisioning_params *p, uint8_t *buf, size_t cap);

#endif
