/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bare_scsi.c: the commands with which initiators get to know a disk, for the bare responder: one
 * handler each, fixed answers (SPC-4, SBC-3). READ and WRITE are in bare.c.
 */
#include "bench/bare_priv.h"

#include <stdio.h>
#include <string.h>

static void fail(struct answer *a, uint8_t key, uint16_t asc)
{
	a->bytes = 0;
	a->key = key;
	a->asc = asc;
}

static void put_text(uint8_t *p, const char *s, size_t width)
{
	size_t n = strlen(s);

	memset(p, ' ', width);
	memcpy(p, s, n < width ? n : width);
}

/* INQUIRY data, SPC-4 6.6.2. */
static void inquiry_standard(struct answer *a, bool lun0)
{
	uint8_t *p = a->data;

	p[0] = lun0 ? 0x00 : 0x7f; /* disk; or no such unit here */
	p[2] = 0x06; /* SPC-4 */
	p[3] = 0x12; /* HISUP, response format 2 */
	p[4] = 36 - 5;
	p[7] = 0x02; /* CMDQUE */
	put_text(p + 8, "ULIO", 8);
	put_text(p + 16, "BARE", 16);
	put_text(p + 32, "1", 4);
	a->bytes = 36;
}

/* Vital product data, SPC-4 7.8, SBC-3 6.6. */
static void inquiry_vpd(struct answer *a, uint8_t page)
{
	static const uint8_t pages[] = { 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2 };
	uint8_t *p = a->data;
	uint16_t n;

	switch (page) {
	case 0x00:
		n = sizeof(pages);
		memcpy(p + 4, pages, n);
		break;
	case 0x80: /* unit serial number */
		n = 8;
		put_text(p + 4, "00000001", 8);
		break;
	case 0x83: /* one designator: T10 vendor identification, of the unit, ASCII */
		n = 4 + 24;
		p[4] = 0x02;
		p[5] = 0x01;
		p[7] = 24;
		put_text(p + 8, "ULIO", 8);
		put_text(p + 16, "BARE    00000001", 16);
		break;
	case 0xb0: /* block limits: none told */
	case 0xb1: /* block device characteristics */
		n = 0x3c;
		if (page == 0xb1)
			p[5] = 1; /* not rotating */
		break;
	case 0xb2: /* logical block provisioning: fully provisioned */
		n = 4;
		break;
	default:
		fail(a, 0x05, 0x2400);
		return;
	}
	p[1] = page;
	put_be16(p + 2, n);
	a->bytes = 4u + n;
}

static void do_inquiry(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *a)
{
	(void)d;
	if (cdb[1] & 1 && lun0)
		inquiry_vpd(a, cdb[2]);
	else if (cdb[1] & 1 || cdb[2])
		fail(a, 0x05, 0x2400);
	else
		inquiry_standard(a, lun0);
}

static void do_nothing(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *a)
{
	(void)d;
	(void)cdb;
	(void)lun0;
	a->bytes = 0;
}

static void do_request_sense(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *a)
{
	(void)d;
	(void)cdb;
	(void)lun0;
	a->data[0] = 0x70;
	a->data[7] = 10;
	a->bytes = 18;
}

/* MODE SENSE: header and the caching and control pages, all zero: no cache, no protection. */
static uint32_t mode_pages(uint8_t *p, uint8_t page)
{
	uint32_t n = 0;

	if (page == 0x08 || page == 0x3f) {
		p[n] = 0x08;
		p[n + 1] = 0x12;
		n += 20;
	}
	if (page == 0x0a || page == 0x3f) {
		p[n] = 0x0a;
		p[n + 1] = 0x0a;
		n += 12;
	}
	return n;
}

static void do_mode_sense(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *a)
{
	bool ten = cdb[0] == 0x5a;
	uint32_t head = ten ? 8 : 4;
	uint32_t n = mode_pages(a->data + head, cdb[2] & 0x3f);

	(void)d;
	(void)lun0;
	if (!n || (cdb[3] && cdb[3] != 0xff)) {
		fail(a, 0x05, 0x2400);
		return;
	}
	if (ten)
		put_be16(a->data, (uint16_t)(head + n - 2));
	else
		a->data[0] = (uint8_t)(head + n - 1);
	a->data[ten ? 3 : 2] = 0x10; /* DPOFUA */
	a->bytes = head + n;
}

static void do_capacity10(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *a)
{
	uint64_t last = d->bytes / d->block - 1;

	(void)cdb;
	(void)lun0;
	put_be32(a->data, last > 0xffffffff ? 0xffffffff : (uint32_t)last);
	put_be32(a->data + 4, d->block);
	a->bytes = 8;
}

static void do_service_in16(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *a)
{
	(void)lun0;
	if ((cdb[1] & 0x1f) != 0x10) { /* READ CAPACITY (16) alone */
		fail(a, 0x05, 0x2400);
		return;
	}
	put_be64(a->data, d->bytes / d->block - 1);
	put_be32(a->data + 8, d->block);
	a->bytes = 32;
}

static void do_report_luns(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *a)
{
	(void)d;
	(void)cdb;
	(void)lun0;
	put_be32(a->data, 8);
	a->bytes = 16;
}

static const struct control_row {
	uint8_t op;
	bool any_lun; /* answered at units that do not exist as well */
	void (*run)(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *a);
	uint8_t alloc_at, alloc_bytes; /* ALLOCATION LENGTH in the CDB; 0: none */
} control_rows[] = {
	{ 0x00, false, do_nothing, 0, 0 }, /* TEST UNIT READY */
	{ 0x03, true, do_request_sense, 4, 1 }, /* REQUEST SENSE */
	{ 0x12, true, do_inquiry, 3, 2 }, /* INQUIRY */
	{ 0x1a, false, do_mode_sense, 4, 1 }, /* MODE SENSE (6) */
	{ 0x1b, false, do_nothing, 0, 0 }, /* START STOP UNIT */
	{ 0x1e, false, do_nothing, 0, 0 }, /* PREVENT ALLOW MEDIUM REMOVAL */
	{ 0x25, false, do_capacity10, 0, 0 }, /* READ CAPACITY (10) */
	{ 0x35, false, do_nothing, 0, 0 }, /* SYNCHRONIZE CACHE (10) */
	{ 0x5a, false, do_mode_sense, 7, 2 }, /* MODE SENSE (10) */
	{ 0x91, false, do_nothing, 0, 0 }, /* SYNCHRONIZE CACHE (16) */
	{ 0x9e, false, do_service_in16, 10, 4 }, /* READ CAPACITY (16) */
	{ 0xa0, true, do_report_luns, 6, 4 }, /* REPORT LUNS */
};

void bare_control(const struct disk *d, const uint8_t *cdb, bool lun0, struct answer *ret)
{
	const struct control_row *row = NULL;
	uint32_t alloc = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < sizeof(control_rows) / sizeof(control_rows[0]); i++) {
		if (control_rows[i].op == cdb[0])
			row = &control_rows[i];
	}
	if (!row) {
		fail(ret, 0x05, 0x2000); /* INVALID COMMAND OPERATION CODE */
		return;
	}
	if (!lun0 && !row->any_lun) {
		fail(ret, 0x05, 0x2500); /* LOGICAL UNIT NOT SUPPORTED */
		return;
	}
	row->run(d, cdb, lun0, ret);
	for (int i = 0; i < row->alloc_bytes; i++)
		alloc = alloc << 8 | cdb[row->alloc_at + i];
	if (row->alloc_bytes && ret->bytes > alloc)
		ret->bytes = alloc;
}
