/* SPDX-License-Identifier: BSD-3-Clause */
/* url.c: iscsi:// URLs. */
#include "daemon/url.h"

#include <string.h>

#include "daemon/daemon.h"
#include "daemon/place.h"

void url_portal(const struct options *o, struct strbuf *out)
{
	const char *at = o->advertise.n ? o->advertise.v[0]
			 : o->listen.n  ? o->listen.v[0]
					: "127.0.0.1:3260";
	char name[300];

	place_portal_name(at, name, sizeof(name));
	/* A network namespace is no part of an address. */
	strbuf_write(out, name, strcspn(name, "@"));
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
