/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * secret.h: secrets that are kept outside of the configuration: in files, or as credentials that
 * systemd hands over (systemd.exec(5), LoadCredential=).
 */
#ifndef ULIO_FABRIC_ISCSI_SECRET_H
#define ULIO_FABRIC_ISCSI_SECRET_H

#include <stddef.h>

#include "base/err.h"

/* "credential:NAME" is the file NAME in $CREDENTIALS_DIRECTORY. */
#define SECRET_CREDENTIAL "credential:"

/*
 * Read the secret that source names: an absolute path or "credential:NAME". It is the first line,
 * without its end, of 1 to cap - 1 bytes. buf is NUL-terminated, and wiped on failure. 0, -EINVAL
 * for what is no source or no secret, or what the file system says. Control thread: it may block,
 * though never for longer than reading a regular file takes.
 */
int secret_read(const char *source, char *buf, size_t cap, struct errmsg *err);

#endif
