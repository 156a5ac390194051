/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * designator.h: designation descriptors (SPC-4 7.8.6), of which VPD page 83h, RELATIVE TARGET PORT
 * lists and copy descriptors are made.
 */
#ifndef ULIO_SCSI_DESIGNATOR_H
#define ULIO_SCSI_DESIGNATOR_H

#include <stddef.h>
#include <stdint.h>

/* PROTOCOL IDENTIFIER, SPC-4 7.6.1. */
enum protocol_id {
	PROTOCOL_FCP = 0x0,
	PROTOCOL_SPI = 0x1, /* parallel SCSI */
	PROTOCOL_SSA = 0x2,
	PROTOCOL_SBP = 0x3, /* IEEE 1394 */
	PROTOCOL_SRP = 0x4,
	PROTOCOL_ISCSI = 0x5,
	PROTOCOL_SAS = 0x6,
	PROTOCOL_ADT = 0x7,
	PROTOCOL_ATA = 0x8,
	PROTOCOL_UAS = 0x9,
	PROTOCOL_SOP = 0xa, /* SCSI over PCI Express */
	PROTOCOL_NONE = 0xf,
};

enum designator_limits {
	NAA6_BYTES = 16,
	DESIGNATOR_MAX = 4 + 255, /* header, then DESIGNATOR LENGTH is one byte */
	DESIGNATORS_MAX = 1024, /* one of each kind below at its longest, and more */
};

/* Descriptors one after another, ready to be put in a page. All zero is empty. */
struct designators {
	size_t len; /* bytes used of buf */
	uint8_t buf[DESIGNATORS_MAX];
};

/*
 * NAA IEEE Registered Extended name (NAA = 6) of a unit: 24 bits of company_id, then up to 25 hex
 * digits of the unit's serial number (other characters are skipped), zero-filled. It is the name
 * that LIO gives the same serial number, so initiators keep their device names when a disk moves.
 * Source: SPC-4 7.8.6.6.5.
 */
void naa6_from_serial(uint8_t naa[static NAA6_BYTES], uint32_t company_id, const char *serial);

/*
 * Each appends one descriptor; it must fit what is left of d (asserted: one of each kind does).
 * Texts too long for a descriptor are cut.
 */

/* Logical unit, NAA (type 3h). */
void designator_add_naa6(struct designators *d, const uint8_t naa[static NAA6_BYTES]);

/*
 * Logical unit, T10 vendor ID (type 1h): vendor padded to 8, then "product:serial" (without the NUL
 * that LIO adds: a designator of ASCII has only graphic characters, SPC-4 4.3.1).
 */
void designator_add_t10(
	struct designators *d, const char *vendor, const char *product, const char *serial);

/* Target port, relative target port identifier (type 4h). */
void designator_add_relative_port(struct designators *d, enum protocol_id protocol, uint16_t rtpi);

/* Target port, target port group (type 5h). */
void designator_add_target_port_group(
	struct designators *d, enum protocol_id protocol, uint16_t group);

/* Logical unit, logical unit group (type 6h). */
void designator_add_lu_group(struct designators *d, uint16_t group);

/*
 * Target port, SCSI name string (type 8h): text as it is, NUL-ended and NUL-padded to 4.
 * iSCSI's is "<target name>,t,0x<portal group tag, 4 hex digits>" (RFC 7143 4.3).
 */
void designator_add_port_name(struct designators *d, enum protocol_id protocol, const char *text);

/* Target device, SCSI name string (type 8h). */
void designator_add_device_name(struct designators *d, enum protocol_id protocol, const char *text);

#endif
