/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transportid_fuzz.c: TransportIDs out of parameter lists. What parses is the same again when it is
 * encoded and parsed.
 */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "scsi/transportid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[TRANSPORTID_MAX];
	struct transportid id, again;
	size_t used, n;
	int rc;

	rc = transportid_parse(data, size, &id, &used);
	if (rc == -EPROTONOSUPPORT)
		assert(used == 24 && used <= size);
	if (rc != 0)
		return 0;
	assert(used <= size && used >= 24 && used % 4 == 0);
	n = transportid_encode(&id, buf, sizeof(buf));
	assert(n <= sizeof(buf));
	rc = transportid_parse(buf, n, &again, &used);
	assert(rc == 0 && used == n);
	assert(memcmp(&id, &again, sizeof(id)) == 0);
	return 0;
}
