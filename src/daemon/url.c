/* SPDX-License-Identifier: BSD-3-Clause */
/* url.c: iscsi:// URLs. */
#include "daemon/url.h"

#include <string.h>

#include "daemon/daemon.h"

void url_portal(const struct options *o, struct strbuf *out)
{
	const char *at = o->advertise.n ? o->advertise.v[0]
			 : o->listen.n  ? o->listen.v[0]
					: "127.0.0.1:3260";
	const char *colon = strrchr(at, ':'), *bracket = strrchr(at, ']');

	strbuf_puts(out, at);
	if (!colon || (bracket && colon < bracket))
		strbuf_puts(out, ":3260");
}

void url_of_lun(const struct options *o, const char *auth, unsigned lun, struct strbuf *out)
{
	char buf[256];

	strbuf_puts(out, "iscsi://");
	if (auth)
		strbuf_printf(out, "%s@", auth);
	url_portal(o, out);
	strbuf_printf(out, "/%s/%u", daemon_target_name(o, buf, sizeof(buf)), lun);
}
