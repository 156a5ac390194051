/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inquiry.c: standard INQUIRY data, byte by byte as SPC-4 table 139 draws it.
 */
#include "scsi/inquiry.h"

#include "scsi/out_priv.h"

enum {
	INQUIRY_VERSION_SPC_4 = 0x06,
	INQUIRY_DATA_FORMAT = 0x02,
	INQUIRY_RMB = 0x80, /* byte 1 */
	INQUIRY_NORMACA = 0x20, /* byte 3 */
	INQUIRY_HISUP = 0x10,
	INQUIRY_TPGS_SHIFT = 4, /* byte 5 */
	INQUIRY_3PC = 0x08,
	INQUIRY_PROTECT = 0x01,
	INQUIRY_MULTIP = 0x10, /* byte 6 */
	INQUIRY_CMDQUE = 0x02, /* byte 7 */
	INQUIRY_VENDOR_SPECIFIC_BYTES = 20, /* bytes 36 to 55 */
};

size_t inquiry_build(const struct inquiry_params *p, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);

	assert(((unsigned)p->tpgs & ~3u) == 0);
	out_u8(&o, p->peripheral);
	out_u8(&o, p->rmb ? INQUIRY_RMB : 0);
	out_u8(&o, INQUIRY_VERSION_SPC_4);
	out_u8(&o, (p->normaca ? INQUIRY_NORMACA : 0) | (p->hisup ? INQUIRY_HISUP : 0) |
			   INQUIRY_DATA_FORMAT);
	out_u8(&o, INQUIRY_BYTES - 5); /* ADDITIONAL LENGTH */
	out_u8(&o, (unsigned)p->tpgs << INQUIRY_TPGS_SHIFT |
			   (p->third_party_copy ? INQUIRY_3PC : 0) |
			   (p->protect ? INQUIRY_PROTECT : 0));
	out_u8(&o, p->multip ? INQUIRY_MULTIP : 0);
	out_u8(&o, p->cmdque ? INQUIRY_CMDQUE : 0);
	out_text(&o, p->vendor, INQUIRY_VENDOR_BYTES, ' ');
	out_text(&o, p->product, INQUIRY_PRODUCT_BYTES, ' ');
	out_text(&o, p->revision, INQUIRY_REVISION_BYTES, ' ');
	out_fill(&o, 0, INQUIRY_VENDOR_SPECIFIC_BYTES);
	out_fill(&o, 0, 2); /* SPI-5's bits, reserved */
	for (int i = 0; i < INQUIRY_VERSIONS_MAX; i++)
		out_be16(&o, p->versions[i]);
	out_fill(&o, 0, INQUIRY_BYTES - o.len);
	return o.len;
}
