/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uring_compat.h: io_uring as liburing 2.3 knows it, which is as old as Linux 6.1, the oldest
 * kernel that is served. What newer kernels have and we use is defined here when the headers lack
 * it, and is probed before use.
 */
#ifndef ULIO_LOOP_URING_COMPAT_H
#define ULIO_LOOP_URING_COMPAT_H

#include <liburing.h>

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12) /* Linux 6.0 */
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13) /* Linux 6.1 */
#endif
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16) /* Linux 6.6 */
#endif

#endif
