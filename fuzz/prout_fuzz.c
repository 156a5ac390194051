/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prout_fuzz.c: parameter lists of PERSISTENT RESERVE OUT. The first byte is the service action. In
 * what is accepted every TransportID is whole; what is refused has a field within the list.
 */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>

#include "scsi/opcodes.h"
#include "scsi/reservation.h"
#include "scsi/transportid.h"

static void check_list(
	const struct prout_list *list, uint8_t action, const uint8_t *buf, size_t len)
{
	size_t used, n = 0;

	assert(!list->spec_i_pt || action == SA_REGISTER);
	assert(!list->ids_bytes || list->spec_i_pt || action == SA_REGISTER_AND_MOVE);
	if (list->ids_bytes)
		assert(list->ids == buf + list->ids_at);
	if (list->spec_i_pt || action == SA_REGISTER_AND_MOVE)
		assert(list->ids_at + list->ids_bytes == len);
	for (size_t at = 0; at < list->ids_bytes; at += used, n++) {
		struct transportid id;
		int rc = transportid_parse(list->ids + at, list->ids_bytes - at, &id, &used);

		assert(rc == 0 || rc == -EPROTONOSUPPORT);
		assert(used >= 24 && used <= list->ids_bytes - at);
	}
	assert(action != SA_REGISTER_AND_MOVE || n == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct prout_list list;
	struct sense sense;
	uint8_t action;

	if (size == 0 || size - 1 > PROUT_MAX_BYTES)
		return 0;
	action = data[0] & 0x1f;
	if (prout_parse(action, data + 1, size - 1, &list, &sense))
		check_list(&list, action, data + 1, size - 1);
	else if (sense.name == SENSE_INVALID_FIELD_IN_PARAMETER_LIST)
		assert(sense.sks == SKS_FIELD_POINTER && !sense.in_cdb && sense.field < size - 1);
	else
		assert(sense.name == SENSE_PARAMETER_LIST_LENGTH_ERROR);
	return 0;
}
