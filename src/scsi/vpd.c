/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vpd.c: vital product data pages.
 */
#include "scsi/vpd.h"

#include "scsi/out_priv.h"

enum {
	EXTENDED_INQUIRY_LENGTH = 0x3c,
	BLOCK_LIMITS_LENGTH = 0x3c,
	BLOCK_CHARACTERISTICS_LENGTH = 0x3c,
	PROVISIONING_LENGTH = 4,
	REFERRALS_LENGTH = 0x0c,
	VPD_HEADER = 4,
	NO_SERIAL_BYTES = 4,
};

/* One bit of a byte. */
static unsigned flag(bool set, unsigned bit)
{
	return set ? 1u << bit : 0;
}

/* SPC-4 table 587: the header of every page. */
static struct out vpd_start(
	uint8_t peripheral, enum vpd_page page, size_t page_length, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);

	assert(page_length <= UINT16_MAX);
	out_u8(&o, peripheral);
	out_u8(&o, page);
	out_be16(&o, (uint16_t)page_length);
	return o;
}

/* Zeros up to the end of a page of that length. */
static size_t vpd_finish(struct out *o, size_t page_length)
{
	assert(o->len <= VPD_HEADER + page_length);
	out_fill(o, 0, VPD_HEADER + page_length - o->len);
	return o->len;
}

size_t vpd_build_supported(
	uint8_t peripheral, const uint8_t *pages, size_t npages, uint8_t *buf, size_t cap)
{
	struct out o = vpd_start(peripheral, VPD_SUPPORTED_PAGES, npages, buf, cap);

	assert(npages > 0 && pages[0] == VPD_SUPPORTED_PAGES);
	for (size_t i = 1; i < npages; i++)
		assert(pages[i - 1] < pages[i]);
	out_bytes(&o, pages, npages);
	return o.len;
}

size_t vpd_build_serial(uint8_t peripheral, const char *serial, uint8_t *buf, size_t cap)
{
	size_t len = strnlen(serial, VPD_SERIAL_MAX);
	size_t page_length = len > 0 ? len : NO_SERIAL_BYTES;
	struct out o = vpd_start(peripheral, VPD_UNIT_SERIAL_NUMBER, page_length, buf, cap);

	out_text(&o, serial, page_length, ' ');
	return o.len;
}

size_t vpd_build_device_id(
	uint8_t peripheral, const struct designators *d, uint8_t *buf, size_t cap)
{
	struct out o = vpd_start(peripheral, VPD_DEVICE_IDENTIFICATION, d->len, buf, cap);

	assert(d->len <= sizeof(d->buf));
	out_bytes(&o, d->buf, d->len);
	return o.len;
}

size_t vpd_build_extended_inquiry(
	uint8_t peripheral, const struct vpd_extended_inquiry *p, uint8_t *buf, size_t cap)
{
	struct out o =
		vpd_start(peripheral, VPD_EXTENDED_INQUIRY_DATA, EXTENDED_INQUIRY_LENGTH, buf, cap);

	assert(((unsigned)p->spt & ~7u) == 0);
	out_u8(&o, (unsigned)p->spt << 3 | flag(p->grd_chk, 2) | flag(p->app_chk, 1) |
			   flag(p->ref_chk, 0));
	out_u8(&o, flag(p->uask_sup, 5) | flag(p->group_sup, 4) | flag(p->prior_sup, 3) |
			   flag(p->headsup, 2) | flag(p->ordsup, 1) | flag(true, 0)); /* SIMPSUP */
	out_u8(&o,
		flag(p->wu_sup, 3) | flag(p->crd_sup, 2) | flag(p->nv_sup, 1) | flag(p->v_sup, 0));
	out_u8(&o, flag(p->p_i_i_sup, 4) | flag(true, 0)); /* LUICLR */
	out_u8(&o, flag(p->r_sup, 4) | flag(p->cbcs, 0));
	out_u8(&o, 0); /* MULTI I_T NEXUS MICROCODE DOWNLOAD */
	out_be16(&o, p->self_test_minutes);
	out_u8(&o, flag(p->poa_sup, 7) | flag(p->hra_sup, 6) | flag(p->vsa_sup, 5));
	out_u8(&o, p->max_sense_len);
	return vpd_finish(&o, EXTENDED_INQUIRY_LENGTH);
}

size_t vpd_build_block_limits(
	uint8_t peripheral, const struct vpd_block_limits *p, uint8_t *buf, size_t cap)
{
	struct out o = vpd_start(peripheral, VPD_BLOCK_LIMITS, BLOCK_LIMITS_LENGTH, buf, cap);
	bool ugavalid = p->unmap_alignment_valid && p->unmap_alignment >> 31 == 0;

	out_u8(&o, flag(p->wsnz, 0));
	out_u8(&o, p->max_caw);
	out_be16(&o, p->optimal_granularity);
	out_be32(&o, p->max_transfer);
	out_be32(&o, p->optimal_transfer);
	out_be32(&o, p->max_prefetch);
	out_be32(&o, p->max_unmap_lbas);
	out_be32(&o, p->max_unmap_descriptors);
	out_be32(&o, p->unmap_granularity);
	out_be32(&o, ugavalid ? flag(true, 31) | p->unmap_alignment : 0);
	out_be64(&o, p->max_write_same);
	out_be32(&o, p->max_atomic_transfer);
	out_be32(&o, p->atomic_alignment);
	out_be32(&o, p->atomic_granularity);
	out_be32(&o, p->max_atomic_transfer_with_boundary);
	out_be32(&o, p->max_atomic_boundary);
	return vpd_finish(&o, BLOCK_LIMITS_LENGTH);
}

size_t vpd_build_block_characteristics(
	uint8_t peripheral, const struct vpd_block_characteristics *p, uint8_t *buf, size_t cap)
{
	struct out o = vpd_start(peripheral, VPD_BLOCK_DEVICE_CHARACTERISTICS,
		BLOCK_CHARACTERISTICS_LENGTH, buf, cap);

	assert(p->wabereq <= 3 && p->wacereq <= 3 && p->form_factor <= 15);
	out_be16(&o, p->rotation_rate);
	out_u8(&o, p->product_type);
	out_u8(&o, (unsigned)p->wabereq << 6 | (unsigned)p->wacereq << 4 | p->form_factor);
	out_u8(&o, flag(p->fuab, 1) | flag(p->vbuls, 0));
	return vpd_finish(&o, BLOCK_CHARACTERISTICS_LENGTH);
}

size_t vpd_build_provisioning(
	uint8_t peripheral, const struct vpd_provisioning_params *p, uint8_t *buf, size_t cap)
{
	struct out o = vpd_start(
		peripheral, VPD_LOGICAL_BLOCK_PROVISIONING, PROVISIONING_LENGTH, buf, cap);

	assert(((unsigned)p->type & ~7u) == 0);
	out_u8(&o, p->threshold_exponent);
	out_u8(&o, flag(p->lbpu, 7) | flag(p->lbpws, 6) | flag(p->lbpws10, 5) | flag(p->lbprz, 2) |
			   flag(p->anc_sup, 1));
	out_u8(&o, p->type);
	return vpd_finish(&o, PROVISIONING_LENGTH);
}

size_t vpd_build_referrals(
	uint8_t peripheral, uint32_t segment_size, uint32_t multiplier, uint8_t *buf, size_t cap)
{
	struct out o = vpd_start(peripheral, VPD_REFERRALS, REFERRALS_LENGTH, buf, cap);

	out_fill(&o, 0, 4);
	out_be32(&o, segment_size);
	out_be32(&o, multiplier);
	return vpd_finish(&o, REFERRALS_LENGTH);
}
