/* SPDX-License-Identifier: BSD-3-Clause */
/* scsi_check.h: what holds for every command that the engine has ended. */
#ifndef ULIO_FUZZ_SCSI_CHECK_H
#define ULIO_FUZZ_SCSI_CHECK_H

#include <stdbool.h>

struct loopback_cmd;

/* What may happen to the commands of an input. */
struct scsi_expect {
	bool aborts; /* there was task management, or a nexus was lost */
	bool read_only; /* nothing can be written */
};

void check_command(const struct loopback_cmd *c, const struct scsi_expect *e);

#endif
