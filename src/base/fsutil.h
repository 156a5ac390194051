/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fsutil.h: small whole files, for start-up, shutdown and threads that may block. I/O loops and
 * whatever the simulator cuts the power of go through the loop seam instead.
 */
#ifndef ULIO_BASE_FSUTIL_H
#define ULIO_BASE_FSUTIL_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Replace the file by len bytes: a temporary file beside it is written and synced, renamed over
 * it, and the directory synced. Whatever happens the path names the whole old or the whole new
 * content. If path is a symbolic link the file that it leads to is replaced.
 *   mode	permissions of the new file (not lowered by the umask)
 * Returns 0 or -errno; on failure the temporary file is gone.
 */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode);

/*
 * Read a whole file of at most max bytes. *ret_data is allocated (free()) and ends in a NUL that
 * *ret_len does not count.
 * Returns 0; -EFBIG if the file is larger, -EISDIR, or another -errno.
 */
int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len);

#endif
