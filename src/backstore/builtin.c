/* SPDX-License-Identifier: BSD-3-Clause */
/* builtin.c: see builtin.h. */
#include "backstore/builtin.h"

#include "backstore/file/file.h"
#include "backstore/filter/filter.h"
#include "backstore/null/null.h"
#include "backstore/ram/ram.h"

static const struct backstore_internal_ops *const builtin[] = {
	&backstore_file,
	&backstore_ram,
	&backstore_null,
	&backstore_delay,
	&backstore_error,
	&backstore_stats,
};

int backstores_register(struct backstore_registry *reg)
{
	for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
		int r = backstore_register_internal(reg, builtin[i]);

		if (r < 0)
			return r;
	}
	return 0;
}
