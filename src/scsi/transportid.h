/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transportid.h: TransportIDs (SPC-4 7.6.4), which persistent reservations name registrants by:
 * those of iSCSI initiator ports in full (7.6.4.6), those of the other protocols as far as it
 * takes to walk a list of them. Pure functions, any thread.
 */
#ifndef ULIO_SCSI_TRANSPORTID_H
#define ULIO_SCSI_TRANSPORTID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum transportid_limits {
	TRANSPORTID_NAME_MAX = 223, /* bytes of an iSCSI name, RFC 7143 4.2.7.1 */
	TRANSPORTID_ISID_BYTES = 6,
	/* header, name, ",i,0x", 12 digits, NUL, padded to 4 */
	TRANSPORTID_MAX = 4 + 244,
	TRANSPORTID_BYTES = 24, /* of every protocol but iSCSI; and the least of iSCSI */
	/* SCSI port name: name, ",i,0x", 12 digits, NUL */
	TRANSPORTID_PORT_BYTES = TRANSPORTID_NAME_MAX + 5 + 12 + 1,
};

struct transportid {
	char name[TRANSPORTID_NAME_MAX + 1]; /* iSCSI name as given */
	bool has_isid; /* format 01b: this initiator port; else 00b: all ports of the node */
	uint8_t isid[TRANSPORTID_ISID_BYTES];
};

/*
 * Encode a TransportID: format 01b if has_isid, else 00b. name is 1 to TRANSPORTID_NAME_MAX bytes
 * (asserted). At most cap bytes are written to buf. Returns the full length: >= 24, a multiple of
 * 4.
 */
size_t transportid_encode(const struct transportid *id, uint8_t *buf, size_t cap);

/*
 * Parse the TransportID at buf. On success *ret and *ret_len, the bytes that it takes.
 * Returns 0; -EPROTONOSUPPORT, with *ret_len alone set, if it is one of another protocol that has
 * them (FCP, SPI, SBP, SRP, SAS, SOP: format 00b, 24 bytes); -EINVAL if it is malformed: another
 * protocol or format; cut off by len; of iSCSI, ADDITIONAL LENGTH below 20 or not a multiple of 4,
 * no NUL, a name that is empty, too long, or is not UTF-8 or has control characters, blanks or
 * commas, a bad separator or ISID. What follows the NUL is ignored, as SPC-4 says. The name's case
 * is kept: the caller normalizes.
 */
int transportid_parse(const uint8_t *buf, size_t len, struct transportid *ret, size_t *ret_len);

/* The TransportID of "<name>" or "<name>,i,0x<ISID>". False: it is neither, as above. */
bool transportid_from_port(const char *port, struct transportid *ret);

/*
 * The SCSI port name by which initiator ports are compared: "<name>,i,0x<ISID>" with 12 digits, or
 * "<name>" without an ISID; ASCII letters in lower case (RFC 7143 4.2.7.2).
 */
void transportid_to_port(const struct transportid *id, char port[static TRANSPORTID_PORT_BYTES]);

#endif
