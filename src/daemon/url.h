/* SPDX-License-Identifier: BSD-3-Clause */
/* url.h: iscsi:// URLs of the --disk LUNs, as libiscsi and QEMU read them. */
#ifndef ULIO_DAEMON_URL_H
#define ULIO_DAEMON_URL_H

#include "base/strbuf.h"
#include "daemon/options.h"

/* "address:port" of the first --listen, or what is advertised for it. */
void url_portal(const struct options *o, struct strbuf *out);
/* iscsi://[user%secret@]address:port/iqn/lun; auth: "user%secret" or NULL. */
void url_of_lun(const struct options *o, const char *auth, unsigned lun, struct strbuf *out);

#endif
