/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modepage.c: mode pages as data; MODE SENSE and MODE SELECT (SPC-4 6.11 to 6.14, 7.5).
 */
#include "scsi/modepage.h"

#include "scsi/opcodes.h"
#include "scsi/out_priv.h"

/* Where each page lies in struct mode_values. */
struct mode_layout {
#define MODE_PAGE(name, page, subpage, bytes, text) uint8_t name[bytes];
#include "scsi/modepage.tbl.h"
#undef MODE_PAGE
};
static_assert(sizeof(struct mode_layout) == MODE_VALUES_BYTES, "MODE_VALUES_BYTES");

struct page_row {
	uint8_t page;
	uint8_t subpage;
	uint8_t bytes; /* with the header */
	uint8_t offset; /* in struct mode_values */
};

static const struct page_row page_rows[MODE_PAGE_COUNT] = {
#define MODE_PAGE(name, page, subpage, bytes, text)                                                \
	[MODE_PAGE_##name] = { page, subpage, bytes, offsetof(struct mode_layout, name) },
#include "scsi/modepage.tbl.h"
#undef MODE_PAGE
};

struct field_row {
	uint8_t page; /* enum mode_page */
	uint8_t byte; /* in the page */
	uint8_t bit; /* leftmost */
	uint8_t width; /* bits; more than 8 start at bit 7 */
	uint32_t def;
	uint8_t valid; /* bit n: MODE SELECT may set n; 0: anything */
};

static const struct field_row field_rows[MODE_FIELD_COUNT] = {
#define MODE_FIELD(name, page, byte, bit, width, def, valid)                                       \
	[MODE_##name] = { MODE_PAGE_##page, byte, bit, width, def, valid },
#include "scsi/modepage.tbl.h"
#undef MODE_FIELD
};

enum {
	HEADER_6 = 4,
	HEADER_10 = 8,
	DESCRIPTOR_SHORT = 8,
	DESCRIPTOR_LONG = 16,
	PAGE_ALL = 0x3f,
	SUBPAGE_ALL = 0xff,
	PAGE_NONE = 0x00, /* PC = 0: header and block descriptor alone, SPC-4 6.13.1 */
	PAGE_PS = 0x80, /* first byte of a page */
	PAGE_SPF = 0x40,
	PAGE_CODE = 0x3f,
	PARAMETER_WP = 0x80, /* DEVICE-SPECIFIC PARAMETER, SBC-3 6.5.1 */
	PARAMETER_DPOFUA = 0x10,
	HEADER_LONGLBA = 0x01,
	SHORT_BLOCKS_MAX = 0xffffffff,
};

static size_t page_header_bytes(const struct page_row *row)
{
	return row->subpage != 0 ? 4 : 2;
}

/* First bit of a field, counted from the most significant bit of struct mode_values. */
static unsigned field_start(const struct field_row *f)
{
	return (page_rows[f->page].offset + (unsigned)f->byte) * 8 + 7 - f->bit;
}

uint32_t mode_get(const struct mode_values *v, enum mode_field field)
{
	const struct field_row *f = &field_rows[field];
	unsigned start = field_start(f);
	uint32_t value = 0;

	for (unsigned i = start; i < start + f->width; i++)
		value = value << 1 | (v->b[i / 8] >> (7 - i % 8) & 1u);
	return value;
}

void mode_set(struct mode_values *v, enum mode_field field, uint32_t value)
{
	const struct field_row *f = &field_rows[field];
	unsigned end = field_start(f) + f->width;

	assert(f->width == 32 || value >> f->width == 0);
	for (unsigned i = 0; i < f->width; i++, value >>= 1) {
		unsigned at = end - 1 - i;
		uint8_t bit = (uint8_t)(1u << (7 - at % 8));

		if (value & 1)
			v->b[at / 8] |= bit;
		else
			v->b[at / 8] &= (uint8_t)~bit;
	}
}

void mode_config_init(struct mode_config *c)
{
	*c = (struct mode_config){ 0 };
	for (int i = 0; i < MODE_FIELD_COUNT; i++)
		mode_config_define(c, (enum mode_field)i, field_rows[i].def, false);
}

void mode_config_define(
	struct mode_config *c, enum mode_field field, uint32_t value, bool changeable)
{
	uint8_t width = field_rows[field].width;

	mode_set(&c->defaults, field, value);
	mode_set(&c->current, field, value);
	mode_set(&c->saved, field, value);
	mode_set(&c->changeable, field, changeable ? UINT32_MAX >> (32 - width) : 0);
}

struct mode_sense_req mode_sense_decode(const uint8_t *cdb)
{
	bool ten = cdb[0] == OP_MODE_SENSE_10;

	return (struct mode_sense_req){
		.ten = ten,
		.dbd = cdb[1] & 0x08,
		.llbaa = ten && cdb[1] & 0x10,
		.pc = (enum mode_pc)(cdb[2] >> 6),
		.page = cdb[2] & PAGE_CODE,
		.subpage = cdb[3],
	};
}

/* True if MODE SENSE asks for this page, SPC-4 table 198. */
static bool page_wanted(const struct page_row *row, const struct mode_sense_req *req)
{
	if (req->page != PAGE_ALL && req->page != row->page)
		return false;
	return req->subpage == SUBPAGE_ALL || req->subpage == row->subpage;
}

/* Bytes of all pages asked for; false with *ret_sense if there are none. */
static bool pages_length(
	const struct mode_sense_req *req, size_t *ret_bytes, struct sense *ret_sense)
{
	bool code_known = req->page == PAGE_ALL;
	size_t bytes = 0;

	for (int i = 0; i < MODE_PAGE_COUNT; i++) {
		if (page_rows[i].page == req->page)
			code_known = true;
		if (page_wanted(&page_rows[i], req))
			bytes += page_rows[i].bytes;
	}
	/* 3Fh has no subpages but 00h and FFh. */
	if (req->page == PAGE_ALL && req->subpage != 0 && req->subpage != SUBPAGE_ALL)
		bytes = 0;
	if (req->page == PAGE_NONE && req->subpage == 0 && req->pc == MODE_PC_CURRENT) {
		*ret_bytes = 0;
		return true;
	}
	if (bytes == 0) {
		*ret_sense = code_known ? sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, 3, 7)
					: sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, 2, 5);
		return false;
	}
	*ret_bytes = bytes;
	return true;
}

/* Mode parameter header, tables 452 and 453. */
static void header_put(struct out *o, const struct mode_medium *m, const struct mode_sense_req *req,
	size_t descriptor_bytes, size_t total)
{
	unsigned parameter = (m->wp ? PARAMETER_WP : 0) | (m->dpofua ? PARAMETER_DPOFUA : 0);

	if (!req->ten) {
		out_u8(o, (unsigned)total - 1);
		out_u8(o, m->medium_type);
		out_u8(o, parameter);
		out_u8(o, (unsigned)descriptor_bytes);
		return;
	}
	out_be16(o, (uint16_t)(total - 2));
	out_u8(o, m->medium_type);
	out_u8(o, parameter);
	out_u8(o, req->llbaa ? HEADER_LONGLBA : 0);
	out_u8(o, 0);
	out_be16(o, (uint16_t)descriptor_bytes);
}

/* Block descriptor, SBC-3 6.5.2.2 (short LBA) and 6.5.2.3 (long LBA). */
static void descriptor_put(struct out *o, const struct mode_medium *m, size_t descriptor_bytes)
{
	uint64_t nblocks = m->nblocks;

	if (descriptor_bytes == DESCRIPTOR_LONG) {
		out_be64(o, nblocks);
		out_be32(o, 0);
		out_be32(o, m->block_bytes);
	} else if (descriptor_bytes == DESCRIPTOR_SHORT) {
		out_be32(o, nblocks > SHORT_BLOCKS_MAX ? SHORT_BLOCKS_MAX : (uint32_t)nblocks);
		out_be32(o, m->block_bytes); /* reserved, LOGICAL BLOCK LENGTH in 24 bits */
	}
}

/* A page, tables 455 and 456. */
static void page_put(
	struct out *o, const struct page_row *row, const struct mode_values *v, bool ps)
{
	size_t header = page_header_bytes(row);
	unsigned first = row->page | (ps ? PAGE_PS : 0);

	if (row->subpage == 0) {
		out_u8(o, first);
		out_u8(o, row->bytes - 2u);
	} else {
		out_u8(o, first | PAGE_SPF);
		out_u8(o, row->subpage);
		out_be16(o, (uint16_t)(row->bytes - 4));
	}
	out_bytes(o, v->b + row->offset + header, row->bytes - header);
}

bool mode_sense_build(const struct mode_config *c, const struct mode_medium *medium,
	const struct mode_sense_req *req, uint8_t *buf, size_t cap, size_t *ret_len,
	struct sense *ret_sense)
{
	const struct mode_values *const values[] = {
		[MODE_PC_CURRENT] = &c->current,
		[MODE_PC_CHANGEABLE] = &c->changeable,
		[MODE_PC_DEFAULT] = &c->defaults,
		[MODE_PC_SAVED] = &c->saved,
	};
	size_t descriptor = req->dbd ? 0 : req->llbaa ? DESCRIPTOR_LONG : DESCRIPTOR_SHORT;
	struct out o = out_init(buf, cap);
	size_t pages;

	assert((unsigned)req->pc <= MODE_PC_SAVED);
	assert(medium->block_bytes <= 0xffffff);
	if (!pages_length(req, &pages, ret_sense))
		return false;
	if (req->pc == MODE_PC_SAVED && !c->saves) {
		*ret_sense = sense_plain(SENSE_SAVING_PARAMETERS_NOT_SUPPORTED);
		return false;
	}
	header_put(&o, medium, req, descriptor,
		(req->ten ? HEADER_10 : HEADER_6) + descriptor + pages);
	descriptor_put(&o, medium, descriptor);
	for (int i = 0; i < MODE_PAGE_COUNT; i++)
		if (page_wanted(&page_rows[i], req))
			page_put(&o, &page_rows[i], values[req->pc], c->saves);
	*ret_len = o.len;
	return true;
}

struct mode_select_req mode_select_decode(const uint8_t *cdb)
{
	return (struct mode_select_req){
		.ten = cdb[0] == OP_MODE_SELECT_10,
		.pf = cdb[1] & 0x10,
		.sp = cdb[1] & 0x01,
	};
}

/* A MODE SELECT parameter list while it is read. */
struct mode_list {
	const struct mode_config *config;
	const uint8_t *p;
	size_t len; /* PARAMETER LIST LENGTH has 16 bits */
	size_t off; /* of what is read next */
	struct mode_values next; /* the current values to be */
	struct sense sense; /* why it is refused */
};

static bool list_too_short(struct mode_list *l)
{
	l->sense = sense_plain(SENSE_PARAMETER_LIST_LENGTH_ERROR);
	return false;
}

static bool list_field_bad(struct mode_list *l, size_t byte, int bit)
{
	l->sense = sense_list_field(SENSE_INVALID_FIELD_IN_PARAMETER_LIST, (uint16_t)byte, bit);
	return false;
}

/* Header and block descriptor. */
static bool list_header(struct mode_list *l, bool ten, uint32_t block_bytes)
{
	size_t header = ten ? HEADER_10 : HEADER_6;
	size_t descriptor, want, at;
	bool longlba;
	uint32_t block;

	if (l->len < header || l->len > UINT16_MAX) /* more cannot have been asked for */
		return list_too_short(l);
	longlba = ten && l->p[4] & HEADER_LONGLBA;
	descriptor = ten ? get_be16(l->p + 6) : l->p[3];
	want = longlba ? DESCRIPTOR_LONG : DESCRIPTOR_SHORT;
	if (descriptor != 0 && descriptor != want)
		return list_field_bad(l, ten ? 6 : 3, 7);
	if (descriptor > l->len - header)
		return list_too_short(l);
	l->off = header + descriptor;
	if (descriptor == 0)
		return true;

	/* LOGICAL BLOCK LENGTH ends the descriptor; 0 is taken for "as it is". */
	at = l->off - (longlba ? 4 : 3);
	block = longlba ? get_be32(l->p + at) : get_be24(l->p + at);
	if (block != 0 && block != block_bytes)
		return list_field_bad(l, at, 7);
	return true;
}

/* The row of the page that starts at off, NULL (refused) if there is none or it is cut. */
static const struct page_row *list_page_row(struct mode_list *l)
{
	const uint8_t *p = l->p + l->off;
	bool spf = p[0] & PAGE_SPF, code_known = false;
	uint8_t page = p[0] & PAGE_CODE;

	for (int i = 0; i < MODE_PAGE_COUNT; i++) {
		const struct page_row *row = &page_rows[i];

		if (row->page != page)
			continue;
		code_known = true;
		if (spf ? row->subpage != 0 && row->subpage == p[1] : row->subpage == 0)
			return row;
	}
	if (code_known && spf)
		list_field_bad(l, l->off + 1, 7);
	else
		list_field_bad(l, l->off, 5);
	return NULL;
}

/*
 * A bit of byte `at` of the page (diff: which) was to be changed and may not be: point to the field
 * that it belongs to, or to itself if it is reserved.
 */
static bool list_not_changeable(
	struct mode_list *l, const struct page_row *row, size_t at, uint8_t diff)
{
	int bit = 7;

	while (!(diff >> bit & 1))
		bit--;
	for (int i = 0; i < MODE_FIELD_COUNT; i++) {
		const struct field_row *f = &field_rows[i];
		unsigned start = f->byte * 8u + 7 - f->bit;
		unsigned hit = (unsigned)at * 8 + 7 - (unsigned)bit;

		if (&page_rows[f->page] == row && hit >= start && hit < start + f->width)
			return list_field_bad(l, l->off + f->byte, f->bit);
	}
	return list_field_bad(l, l->off + at, bit);
}

/* Values that a changeable field may not take. */
static bool list_values(struct mode_list *l, const struct page_row *row)
{
	for (int i = 0; i < MODE_FIELD_COUNT; i++) {
		const struct field_row *f = &field_rows[i];
		uint32_t value;

		if (&page_rows[f->page] != row || f->valid == 0 ||
			mode_get(&l->config->changeable, (enum mode_field)i) == 0)
			continue;
		value = mode_get(&l->next, (enum mode_field)i);
		if (value > 7 || !(f->valid >> value & 1))
			return list_field_bad(l, l->off + f->byte, f->bit);
	}
	return true;
}

/* The page at off: check it against the current values, take over what may change, go past it. */
static bool list_page(struct mode_list *l)
{
	const uint8_t *p = l->p + l->off;
	size_t left = l->len - l->off;
	const struct page_row *row;
	size_t header, length;

	if (left < 2 || (p[0] & PAGE_SPF && left < 4))
		return list_too_short(l);
	row = list_page_row(l);
	if (row == NULL)
		return false;
	header = page_header_bytes(row);
	length = header == 4 ? get_be16(p + 2) : p[1];
	if (length != row->bytes - header)
		return list_field_bad(l, l->off + header / 2, 7);
	if (row->bytes > left)
		return list_too_short(l);

	for (size_t i = header; i < row->bytes; i++) {
		uint8_t current = l->config->current.b[row->offset + i];
		uint8_t mask = l->config->changeable.b[row->offset + i];
		uint8_t diff = (uint8_t)((p[i] ^ current) & ~mask);

		if (diff != 0)
			return list_not_changeable(l, row, i, diff);
		l->next.b[row->offset + i] = p[i];
	}
	if (!list_values(l, row))
		return false;
	l->off += row->bytes;
	return true;
}

bool mode_select_parse(const struct mode_config *c, const struct mode_medium *medium,
	const struct mode_select_req *req, const uint8_t *list, size_t len,
	struct mode_values *ret_current, struct sense *ret_sense)
{
	struct mode_list l = { .config = c, .p = list, .len = len, .next = c->current };

	if (!req->pf) {
		*ret_sense = sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, 1, 4);
		return false;
	}
	if (req->sp && !c->saves) {
		*ret_sense = sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, 1, 0);
		return false;
	}
	if (len > 0) {
		bool ok = list_header(&l, req->ten, medium->block_bytes);

		while (ok && l.off < l.len)
			ok = list_page(&l);
		if (!ok) {
			*ret_sense = l.sense;
			return false;
		}
	}
	*ret_current = l.next;
	return true;
}
