/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inquiry.h: standard INQUIRY data (SPC-4 6.6.2).
 */
#ifndef ULIO_SCSI_INQUIRY_H
#define ULIO_SCSI_INQUIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PERIPHERAL QUALIFIER, already in its place in byte 0; or it with a peripheral device type. */
enum peripheral_qualifier {
	PQ_CONNECTED = 0x00,
	PQ_NOT_CONNECTED = 0x20, /* 001b: the LUN could have an LU, but has none now */
	PQ_NOT_CAPABLE = 0x60, /* 011b: no LU possible there; goes with PDT_UNKNOWN */
};

/* PERIPHERAL DEVICE TYPE. */
enum peripheral_device_type {
	PDT_BLOCK = 0x00,
	PDT_CD_DVD = 0x05,
	PDT_WELL_KNOWN_LU = 0x1e,
	PDT_UNKNOWN = 0x1f,
};

/* TPGS field: ALUA management supported, SPC-4 table 144. */
enum tpgs {
	TPGS_NONE = 0,
	TPGS_IMPLICIT = 1,
	TPGS_EXPLICIT = 2,
	TPGS_BOTH = 3,
};

/* VERSION DESCRIPTOR values, "no version claimed", SPC-4 annex E.9. */
enum version_descriptor {
	VERSION_SAM_5 = 0x00a0,
	VERSION_ISCSI = 0x0960,
	VERSION_SPC_4 = 0x0460,
	VERSION_SBC_3 = 0x04c0,
	VERSION_MMC_6 = 0x04e0,
};

enum inquiry_limits {
	INQUIRY_BYTES = 96, /* all fields defined by SPC-4, with the 22 reserved bytes */
	INQUIRY_VENDOR_BYTES = 8,
	INQUIRY_PRODUCT_BYTES = 16,
	INQUIRY_REVISION_BYTES = 4,
	INQUIRY_VERSIONS_MAX = 8,
};

struct inquiry_params {
	uint8_t peripheral; /* qualifier | device type: byte 0 */
	bool rmb; /* removable medium */
	bool normaca; /* ACA supported */
	bool hisup; /* hierarchical LUNs */
	enum tpgs tpgs;
	bool third_party_copy; /* 3PC */
	bool protect; /* T10 PI */
	bool multip; /* more than one port */
	bool cmdque; /* task management model of SAM-5; we always have it */
	/* Texts: shorter is padded with spaces, longer is cut; what is not ASCII becomes '_'. */
	const char *vendor;
	const char *product;
	const char *revision;
	uint16_t versions[INQUIRY_VERSIONS_MAX]; /* enum version_descriptor; 0 ends the list */
};

/*
 * Build standard INQUIRY data: VERSION 06h (SPC-4), RESPONSE DATA FORMAT 2.
 * At most cap bytes are written to buf. Returns INQUIRY_BYTES. Source: SPC-4 6.6.2.
 */
size_t inquiry_build(const struct inquiry_params *p, uint8_t *buf, size_t cap);

#endif
