/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tpg.h: target port groups on the wire: REPORT and SET TARGET PORT GROUPS (SPC-4 6.37, 6.45),
 * REPORT REFERRALS and the referrals of sense data (SBC-3 5.22, 4.25). Pure functions, any thread.
 */
#ifndef ULIO_SCSI_TPG_H
#define ULIO_SCSI_TPG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/sense.h"

/* ASYMMETRIC ACCESS STATE, SPC-4 table 307. */
enum tpg_state {
	TPG_ACTIVE_OPTIMIZED = 0x0,
	TPG_ACTIVE_NONOPTIMIZED = 0x1,
	TPG_STANDBY = 0x2,
	TPG_UNAVAILABLE = 0x3,
	TPG_LBA_DEPENDENT = 0x4,
	TPG_OFFLINE = 0xe, /* the secondary one */
	TPG_TRANSITIONING = 0xf,
};

/* STATUS CODE, SPC-4 table 308: what brought the state about. */
enum tpg_status {
	TPG_STATUS_NONE = 0,
	TPG_STATUS_EXPLICIT = 1, /* SET TARGET PORT GROUPS */
	TPG_STATUS_IMPLICIT = 2,
};

/* Byte 1 of a target port group descriptor: the states that are supported. */
enum {
	TPG_T_SUP = 1 << 7,
	TPG_O_SUP = 1 << 6,
	TPG_LBD_SUP = 1 << 4,
	TPG_U_SUP = 1 << 3,
	TPG_S_SUP = 1 << 2,
	TPG_AN_SUP = 1 << 1,
	TPG_AO_SUP = 1 << 0,
};

/* The bit above for a state; 0: there is no such state. */
uint8_t tpg_sup_bit(unsigned state);

/* PARAMETER DATA FORMAT of REPORT TARGET PORT GROUPS. */
enum rtpg_format { RTPG_LENGTH_ONLY = 0, RTPG_EXTENDED = 1 };

enum tpg_limits {
	TPG_PORTS_MAX = 255, /* TARGET PORT COUNT is a byte */
	STPG_HEADER_BYTES = 4,
	STPG_DESCRIPTOR_BYTES = 4,
};

struct tpg_desc {
	bool pref;
	uint8_t state; /* enum tpg_state */
	uint8_t supported; /* TPG_*_SUP */
	uint8_t status; /* enum tpg_status */
	uint16_t group;
	unsigned nports; /* <= TPG_PORTS_MAX, asserted */
	const uint16_t *rtpis; /* relative target port identifiers */
};

/*
 * Parameter data of REPORT TARGET PORT GROUPS.
 *   transition_s	IMPLICIT TRANSITION TIME of the extended header; 0: not told
 * At most cap bytes are written. Returns the full length.
 */
size_t rtpg_build(enum rtpg_format format, uint8_t transition_s, const struct tpg_desc *groups,
	size_t ngroups, uint8_t *buf, size_t cap);

/* One descriptor of SET TARGET PORT GROUPS. */
struct stpg_desc {
	uint8_t state; /* as it came, 0 to 15 */
	uint16_t group; /* or a relative target port identifier, for TPG_OFFLINE */
};

/* Whether a PARAMETER LIST LENGTH is one of whole descriptors; 0 is. */
bool stpg_length_valid(uint32_t len, uint32_t max_descriptors);
/* Byte of the i-th descriptor's field in the parameter list, for field pointers. */
uint16_t stpg_state_byte(unsigned i);
uint16_t stpg_group_byte(unsigned i);
/*
 * Take a parameter list of n bytes apart: ret[] has room for what fits in n. False: *err; reserved
 * bits must be 0, states must be ones that a group can be set to, and no group may be there twice.
 */
bool stpg_parse(
	const uint8_t *list, size_t n, struct stpg_desc *ret, unsigned *ret_n, struct sense *err);

/* One user data segment, or several of the same kind, and how to reach them. */
struct referral_port_group {
	uint8_t state;
	uint16_t group;
};

struct referral {
	uint64_t first, last; /* LBAs */
	unsigned ngroups; /* <= 255 */
	const struct referral_port_group *groups;
};

/* Parameter data of REPORT REFERRALS. Returns the full length; at most cap bytes are written. */
size_t referrals_build(const struct referral *r, size_t n, uint8_t *buf, size_t cap);
/*
 * The user data segment referral sense data descriptor (SBC-3 4.18.4) of as many whole segments as
 * fit in cap bytes, which is at most 255; those that do not are told of by NOT_ALL_R. Returns its
 * length, 0: not even the first one fits.
 */
size_t referral_sense_build(const struct referral *r, size_t n, uint8_t *buf, size_t cap);

#endif
