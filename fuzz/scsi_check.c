/* SPDX-License-Identifier: BSD-3-Clause */
/* scsi_check.c: what holds for every command that the engine has ended (SAM-5 5, SPC-4 4.5). */
#include "scsi_check.h"

#include <string.h>

#include "base/bytes.h"
#include "engine/cmd.h"
#include "fabric/loopback/loopback.h"
#include "rig.h"
#include "scsi/opcodes.h"
#include "scsi/sense.h"
#include "scsi/status.h"

struct parsed {
	uint8_t key, asc, ascq;
	const uint8_t *sks; /* three bytes, NULL: none */
};

/* SPC-4 4.5.3 */
static void parse_fixed(const struct loopback_cmd *c, struct parsed *p)
{
	const uint8_t *s = c->sense;

	REQUIRE(c->sense_len >= 18, "fixed sense of %u bytes", c->sense_len);
	REQUIRE(s[7] + 8 == c->sense_len, "ADDITIONAL SENSE LENGTH %u of %u", s[7], c->sense_len);
	REQUIRE(!(s[2] & 0xd0), "byte 2 of sense is 0x%02x", s[2]);
	REQUIRE(s[0] & 0x80 || !get_be32(s + 3), "INFORMATION without VALID");
	p->key = s[2] & 0x0f;
	p->asc = s[12];
	p->ascq = s[13];
	p->sks = s[15] & 0x80 ? s + 15 : NULL;
}

/* SPC-4 4.5.2 */
static void parse_descriptor(const struct loopback_cmd *c, struct parsed *p)
{
	const uint8_t *s = c->sense;
	unsigned at = 8;

	REQUIRE(s[7] + 8 == c->sense_len, "ADDITIONAL SENSE LENGTH %u of %u", s[7], c->sense_len);
	p->key = s[1] & 0x0f;
	p->asc = s[2];
	p->ascq = s[3];
	p->sks = NULL;
	while (at < c->sense_len) {
		REQUIRE(at + 2 <= c->sense_len && at + 2 + s[at + 1] <= c->sense_len,
			"a sense data descriptor at %u of %u", at, c->sense_len);
		if (s[at] == 0x02) {
			REQUIRE(s[at + 1] == 6, "SKS descriptor of %u bytes", s[at + 1]);
			REQUIRE(s[at + 4] & 0x80, "SKS descriptor without SKSV");
			p->sks = s + at + 4;
		}
		at += 2u + s[at + 1];
	}
}

/* SPC-4 4.5.2.4.2: a field pointer names a byte that is there. */
static void check_field(const struct loopback_cmd *c, const struct parsed *p)
{
	unsigned field = get_be16(p->sks + 1);

	if (p->sks[0] & 0x40)
		REQUIRE(field < c->cdb_len, "field pointer to byte %u of a CDB of %u", field,
			c->cdb_len);
	else
		REQUIRE(field < c->out_bytes, "field pointer to byte %u of a list of %u", field,
			c->out_bytes);
	REQUIRE(p->sks[0] & 0x08 || !(p->sks[0] & 0x07), "a bit pointer without BPV");
}

static bool known(const struct parsed *p)
{
	for (int i = 0; i < SENSE_COUNT; i++)
		if (sense_key((enum sense_name)i) == (enum sense_key)p->key &&
			sense_asc((enum sense_name)i) == p->asc &&
			sense_ascq((enum sense_name)i) == p->ascq)
			return true;
	return false;
}

static void check_sense(const struct loopback_cmd *c)
{
	struct parsed p;

	REQUIRE(c->sense_len >= 8, "CHECK CONDITION with %u bytes of sense", c->sense_len);
	if (c->sense[0] % 0x80 == 0x70)
		parse_fixed(c, &p);
	else if (c->sense[0] == 0x72)
		parse_descriptor(c, &p);
	else
		fuzz_fail("response code 0x%02x", c->sense[0]);
	REQUIRE(known(&p), "sense %x %02x/%02x", p.key, p.asc, p.ascq);
	REQUIRE(p.key != KEY_NO_SENSE, "CHECK CONDITION with NO SENSE");
	if (p.sks && p.key == KEY_ILLEGAL_REQUEST)
		check_field(c, &p);
	/* SPC-4 6.6, 6.33, 6.39: a unit attention does not keep them. */
	REQUIRE(p.key != KEY_UNIT_ATTENTION ||
			(c->cdb[0] != OP_INQUIRY && c->cdb[0] != OP_REPORT_LUNS &&
				c->cdb[0] != OP_REQUEST_SENSE),
		"unit attention %02x/%02x for 0x%02x", p.asc, p.ascq, c->cdb[0]);
}

/* RFC 7143 11.4.5: what was expected is what was moved and the residual. */
static void check_in(const struct loopback_cmd *c)
{
	REQUIRE(c->in_moved <= c->in_bytes, "%u bytes of Data-In, %u are expected", c->in_moved,
		c->in_bytes);
	switch (c->residual_in_kind) {
	case RESIDUAL_NONE:
		REQUIRE(c->in_moved == c->in_bytes && !c->residual_in,
			"0x%02x: %u of %u bytes of Data-In, residual %u, neither over nor under",
			c->cdb[0], c->in_moved, c->in_bytes, c->residual_in);
		break;
	case RESIDUAL_UNDERFLOW:
		REQUIRE(c->residual_in && c->in_moved + c->residual_in == c->in_bytes,
			"0x%02x: %u of %u bytes of Data-In, residual underflow %u", c->cdb[0],
			c->in_moved, c->in_bytes, c->residual_in);
		break;
	default:
		REQUIRE(c->residual_in && c->in_moved == c->in_bytes,
			"0x%02x: %u of %u bytes of Data-In, residual overflow %u", c->cdb[0],
			c->in_moved, c->in_bytes, c->residual_in);
		break;
	}
}

static void check_out(const struct loopback_cmd *c)
{
	REQUIRE((c->residual_out_kind == RESIDUAL_NONE) == !c->residual_out,
		"0x%02x: residual %u of kind %u", c->cdb[0], c->residual_out, c->residual_out_kind);
	REQUIRE(c->residual_out_kind != RESIDUAL_UNDERFLOW || c->residual_out <= c->out_bytes,
		"0x%02x: residual underflow %u of %u bytes", c->cdb[0], c->residual_out,
		c->out_bytes);
}

/* A write that was good although nothing may be written. */
static bool wrote(const struct loopback_cmd *c)
{
	return c->status == STATUS_GOOD &&
	       ((c->cdb[0] == OP_WRITE_10 && c->cdb[8]) ||
		       (c->cdb[0] == OP_WRITE_16 && c->cdb[13]) || c->cdb[0] == OP_WRITE_6);
}

void check_command(const struct loopback_cmd *c, const struct scsi_expect *e)
{
	static const uint8_t statuses[] = { STATUS_GOOD, STATUS_CHECK_CONDITION,
		STATUS_CONDITION_MET, STATUS_BUSY, STATUS_RESERVATION_CONFLICT,
		STATUS_TASK_SET_FULL, STATUS_TASK_ABORTED };

	/* No pages for the data that come with it: the pool is small. */
	if (c->refused)
		return;
	if (c->aborted) {
		REQUIRE(e->aborts, "0x%02x was aborted by nobody", c->cdb[0]);
		return;
	}
	REQUIRE(memchr(statuses, c->status, sizeof(statuses)), "status 0x%02x", c->status);
	REQUIRE(c->status != STATUS_TASK_ABORTED || e->aborts, "TASK ABORTED by nobody");
	/* SPC-2 7.21, table 35 of SPC-4: these are no conflict. */
	REQUIRE(c->status != STATUS_RESERVATION_CONFLICT ||
			(c->cdb[0] != OP_INQUIRY && c->cdb[0] != OP_REQUEST_SENSE &&
				c->cdb[0] != OP_REPORT_LUNS),
		"RESERVATION CONFLICT for 0x%02x", c->cdb[0]);
	if (c->status == STATUS_CHECK_CONDITION)
		check_sense(c);
	else
		REQUIRE(!c->sense_len, "status 0x%02x with sense", c->status);
	REQUIRE(!e->read_only || !wrote(c), "0x%02x has written", c->cdb[0]);
	check_in(c);
	check_out(c);
}
