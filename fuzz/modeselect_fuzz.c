/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modeselect_fuzz.c: MODE SELECT parameter lists. The first byte chooses the form of the command
 * and which fields may change; the rest is the list. What is accepted changes nothing that may not
 * change, and MODE SENSE of it is accepted again; what is refused says where, inside the list.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "scsi/modepage.h"

static const struct mode_medium medium = { .nblocks = 4096, .block_bytes = 512 };

static void refused(const struct sense *s, size_t size)
{
	if (s->name == SENSE_PARAMETER_LIST_LENGTH_ERROR || s->in_cdb)
		return;
	assert(s->name == SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
	assert(s->sks == SKS_FIELD_POINTER && s->field < size && s->bit <= 7);
}

static void accepted(struct mode_config *c, const struct mode_values *v, bool ten)
{
	struct mode_sense_req sense = { .ten = ten, .page = 0x3f, .subpage = 0xff };
	struct mode_select_req select = { .ten = ten, .pf = true };
	uint8_t buf[MODE_SENSE_MAX];
	struct mode_values again;
	struct sense s;
	size_t n;
	bool ok;

	for (size_t i = 0; i < sizeof(v->b); i++)
		assert(((v->b[i] ^ c->current.b[i]) & ~c->changeable.b[i]) == 0);
	c->current = *v;
	ok = mode_sense_build(c, &medium, &sense, buf, sizeof(buf), &n, &s);
	assert(ok && n <= sizeof(buf));
	ok = mode_select_parse(c, &medium, &select, buf, n, &again, &s);
	assert(ok && memcmp(&again, v, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mode_select_req req;
	struct mode_config c;
	struct mode_values v;
	struct sense s;

	if (size == 0)
		return 0;
	req = (struct mode_select_req){
		.ten = data[0] & 1, .pf = !(data[0] & 2), .sp = data[0] & 4
	};
	mode_config_init(&c);
	c.saves = data[0] & 8;
	mode_config_define(&c, MODE_WCE, 1, data[0] & 16);
	mode_config_define(&c, MODE_D_SENSE, 0, data[0] & 32);
	mode_config_define(&c, MODE_QERR, 0, data[0] & 64);
	mode_config_define(&c, MODE_BUSY_TIMEOUT, 0xffff, data[0] & 128);
	if (mode_select_parse(&c, &medium, &req, data + 1, size - 1, &v, &s))
		accepted(&c, &v, req.ten);
	else
		refused(&s, size - 1);
	return 0;
}
