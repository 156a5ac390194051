/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * name.h: iSCSI node names (RFC 7143 4.2.7): their three formats and the form in which they are
 * compared. Pure functions, any thread.
 */
#ifndef ULIO_FABRIC_ISCSI_NAME_H
#define ULIO_FABRIC_ISCSI_NAME_H

#include "fabric/iscsi/limits.h"

/*
 * Check a name and bring it into the form in which names are compared and shown: ASCII letters in
 * lower case (4.2.7.2). Accepted are "iqn.YYYY-MM." and a naming authority (4.2.7.4), "eui." and 16
 * hexadecimal digits (4.2.7.5), "naa." and 16 or 32 of them (4.2.7.6). Within an iqn name any
 * printable character but space, comma and '=' is let through, and UTF-8 above ASCII: initiators
 * in use derive it from host names that 4.2.7.2 would forbid ('_'), and the access list decides.
 *   in		NUL-terminated
 *   ret	NODE_NAME_BYTES_MAX + 1 bytes; set only on success; may be in
 * Returns 0, or -EINVAL with what is wrong in *ret_why (static text) if that is not NULL.
 */
int node_name_normalize(const char *in, char ret[NODE_NAME_BYTES_MAX + 1], const char **ret_why);

#endif
