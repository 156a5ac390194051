/* SPDX-License-Identifier: BSD-3-Clause */
/* notify.c: readiness and status for systemd (sd_notify(3)); without it nothing happens. */
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "daemon/daemon.h"

void notify_ready(const struct daemon *d)
{
	if (d->npending)
		sd_notifyf(0, "READY=1\nSTATUS=serving; %u disks are not there yet", d->npending);
	else
		sd_notify(0, "READY=1\nSTATUS=serving");
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=sessions are being ended");
}

void notify_status(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sd_notifyf(0, "STATUS=%s", text);
}
