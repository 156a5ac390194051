/* SPDX-License-Identifier: BSD-3-Clause */
/* reservation.c: PERSISTENT RESERVE OUT lists and PERSISTENT RESERVE IN data (SPC-4 6.15, 6.16). */
#include "scsi/reservation.h"

#include <errno.h>

#include "scsi/opcodes.h"
#include "scsi/out_priv.h"
#include "scsi/transportid.h"

/* ---- PERSISTENT RESERVE OUT ----------------------------------------------------------------- */

/* Of the list itself, SPC-4 tables 205 and 209. */
enum {
	FLAG_UNREG = 1 << PROUT_UNREG_BIT,
	FLAG_SPEC_I_PT = 1 << PROUT_SPEC_I_PT_BIT,
	FLAG_ALL_TG_PT = 1 << PROUT_ALL_TG_PT_BIT,
	FLAG_APTPL = 1 << PROUT_APTPL_BIT,
};

static bool bad_length(struct sense *ret_sense)
{
	*ret_sense = sense_plain(SENSE_PARAMETER_LIST_LENGTH_ERROR);
	return false;
}

static bool bad_field(size_t at, int bit, struct sense *ret_sense)
{
	*ret_sense = sense_list_field(SENSE_INVALID_FIELD_IN_PARAMETER_LIST, (uint16_t)at, bit);
	return false;
}

/* Each TransportID must be whole; ret->ids of ids_bytes. */
static bool walk_ids(const struct prout_list *list, struct sense *ret_sense)
{
	size_t used;

	for (size_t at = 0; at < list->ids_bytes; at += used) {
		struct transportid id;
		int rc = transportid_parse(list->ids + at, list->ids_bytes - at, &id, &used);

		if (rc == -EINVAL)
			return bad_field(list->ids_at + at, SENSE_NO_BIT, ret_sense);
	}
	return true;
}

/* SPC-4 6.16.3, table 206: TRANSPORTID PARAMETER DATA LENGTH, and the TransportIDs. */
static bool parse_spec_i_pt(
	const uint8_t *buf, size_t len, struct prout_list *list, struct sense *ret_sense)
{
	if (len < PROUT_IDS || get_be32(buf + PROUT_ID_LENGTH) != len - PROUT_IDS)
		return bad_length(ret_sense);
	list->spec_i_pt = true;
	list->ids = buf + PROUT_IDS;
	list->ids_bytes = len - PROUT_IDS;
	list->ids_at = PROUT_IDS;
	return walk_ids(list, ret_sense);
}

/* SPC-4 6.16.4. */
static bool parse_move(
	const uint8_t *buf, size_t len, struct prout_list *list, struct sense *ret_sense)
{
	uint32_t id_bytes = get_be32(buf + PROUT_MOVE_ID_LENGTH);
	struct transportid id;
	size_t used;
	int rc;

	if (id_bytes != len - PROUT_MOVE_ID)
		return bad_length(ret_sense);
	if (id_bytes < TRANSPORTID_BYTES || id_bytes % 4 != 0)
		return bad_field(PROUT_MOVE_ID_LENGTH, SENSE_NO_BIT, ret_sense);
	list->aptpl = buf[PROUT_MOVE_FLAGS] & FLAG_APTPL;
	list->unreg = buf[PROUT_MOVE_FLAGS] & FLAG_UNREG;
	list->rtpi = get_be16(buf + PROUT_MOVE_RTPI);
	rc = transportid_parse(buf + PROUT_MOVE_ID, id_bytes, &id, &used);
	if (rc == -EINVAL)
		return bad_field(PROUT_MOVE_ID, SENSE_NO_BIT, ret_sense);
	if (used != id_bytes)
		return bad_field(PROUT_MOVE_ID_LENGTH, SENSE_NO_BIT, ret_sense);
	list->ids = buf + PROUT_MOVE_ID;
	list->ids_bytes = id_bytes;
	list->ids_at = PROUT_MOVE_ID;
	return true;
}

bool prout_parse(uint8_t action, const uint8_t *buf, size_t len, struct prout_list *ret,
	struct sense *ret_sense)
{
	struct prout_list list = { 0 };
	uint8_t flags;

	assert(len <= PROUT_MAX_BYTES);
	if (len < PROUT_BASIC_BYTES)
		return bad_length(ret_sense);
	list.key = get_be64(buf + PROUT_KEY);
	list.sa_key = get_be64(buf + PROUT_SA_KEY);
	if (action == SA_REGISTER_AND_MOVE) {
		if (!parse_move(buf, len, &list, ret_sense))
			return false;
		*ret = list;
		return true;
	}
	flags = buf[PROUT_FLAGS];
	list.aptpl = flags & FLAG_APTPL;
	list.all_tg_pt = flags & FLAG_ALL_TG_PT;
	if (flags & FLAG_SPEC_I_PT) {
		if (action != SA_REGISTER)
			return bad_field(PROUT_FLAGS, PROUT_SPEC_I_PT_BIT, ret_sense);
		if (!parse_spec_i_pt(buf, len, &list, ret_sense))
			return false;
	} else if (len != PROUT_BASIC_BYTES) {
		return bad_length(ret_sense);
	}
	*ret = list;
	return true;
}

/* ---- PERSISTENT RESERVE IN ------------------------------------------------------------------ */

static const uint8_t types[] = {
	RESERVATION_WRITE_EXCLUSIVE,
	RESERVATION_EXCLUSIVE_ACCESS,
	RESERVATION_WRITE_EXCLUSIVE_RO,
	RESERVATION_EXCLUSIVE_ACCESS_RO,
	RESERVATION_WRITE_EXCLUSIVE_AR,
	RESERVATION_EXCLUSIVE_ACCESS_AR,
};

bool reservation_type_valid(uint8_t type)
{
	return memchr(types, type, sizeof(types)) != NULL;
}

static void put_header(struct out *o, uint32_t generation, uint32_t follow)
{
	out_be32(o, generation);
	out_be32(o, follow);
}

size_t prin_header(uint32_t generation, uint32_t follow, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);

	put_header(&o, generation, follow);
	return o.len;
}

size_t prin_keys(uint32_t generation, const uint64_t *keys, size_t nkeys, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);

	put_header(&o, generation, (uint32_t)(nkeys * sizeof(*keys)));
	for (size_t i = 0; i < nkeys; i++)
		out_be64(&o, keys[i]);
	return o.len;
}

static unsigned scope_and_type(uint8_t scope, uint8_t type)
{
	return (unsigned)scope << 4 | (type & 0xfu);
}

size_t prin_reservation(
	uint32_t generation, uint64_t key, uint8_t scope, uint8_t type, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);

	if (type == RESERVATION_NONE) {
		put_header(&o, generation, 0);
		return o.len;
	}
	put_header(&o, generation, PRIN_RESERVATION_BYTES - PRIN_HEADER_BYTES);
	out_be64(&o, key);
	out_be32(&o, 0); /* obsolete */
	out_u8(&o, 0);
	out_u8(&o, scope_and_type(scope, type));
	out_be16(&o, 0); /* obsolete */
	return o.len;
}

/* SPC-4 table 203: the bit of type t is bit t of byte 4, from type 8 on of byte 5. */
static uint16_t type_mask(void)
{
	uint8_t mask[2] = { 0 };

	for (size_t i = 0; i < sizeof(types); i++)
		mask[types[i] / 8] |= (uint8_t)(1 << types[i] % 8);
	return get_be16(mask);
}

size_t prin_report_capabilities(const struct prin_capabilities *c, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);

	assert(c->allow_commands <= 7);
	out_be16(&o, PRIN_CAPABILITIES_BYTES);
	out_u8(&o, (unsigned)c->replace_lost << 7 | (unsigned)c->compatible << 4 |
			   (unsigned)c->spec_i_pt << 3 | (unsigned)c->all_tg_pt << 2 | c->ptpl);
	out_u8(&o, 0x80u | (unsigned)c->allow_commands << 4 | c->ptpl_active);
	out_be16(&o, type_mask());
	out_be16(&o, 0);
	return o.len;
}

size_t prin_full_status(const struct prin_status *st, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);
	uint8_t id_bytes[TRANSPORTID_MAX];
	struct transportid id;
	bool valid = transportid_from_port(st->initiator_port, &id);
	size_t n;

	assert(valid);
	n = transportid_encode(&id, id_bytes, sizeof(id_bytes));
	out_be64(&o, st->key);
	out_be32(&o, 0);
	out_u8(&o, (unsigned)st->all_tg_pt << 1 | st->holder);
	out_u8(&o, st->holder ? scope_and_type(st->scope, st->type) : 0);
	out_be32(&o, 0);
	out_be16(&o, st->all_tg_pt ? 0 : st->rtpi);
	out_be32(&o, (uint32_t)n);
	out_bytes(&o, id_bytes, n);
	return o.len;
}
