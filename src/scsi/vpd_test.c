/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vpd_test.c: VPD pages byte by byte (SPC-4 7.8, SBC-3 6.6).
 */
#include "scsi/test_priv.h"

#include "scsi/vpd.h"

static void test_supported(void **state)
{
	static const uint8_t pages[] = { 0x00, 0x80, 0x83, 0x86, 0xb0, 0xb1, 0xb2 };
	uint8_t buf[64];
	size_t n = vpd_build_supported(0, pages, sizeof(pages), buf, sizeof(buf));

	expect_bytes(buf, n, 0x00, 0x00, 0, 7, 0x00, 0x80, 0x83, 0x86, 0xb0, 0xb1, 0xb2);
	expect_truncation(buf, n, vpd_build_supported(0, pages, sizeof(pages), cut, cap));
}

static void test_serial(void **state)
{
	char text[300];
	uint8_t buf[VPD_PAGE_MAX];
	size_t n = vpd_build_serial(0x05, "SN-\t1", buf, sizeof(buf));

	expect_bytes(buf, n, 0x05, 0x80, 0, 5, 'S', 'N', '-', '_', '1');
	n = vpd_build_serial(0, "", buf, sizeof(buf));
	expect_bytes(buf, n, 0x00, 0x80, 0, 4, ' ', ' ', ' ', ' ');
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	n = vpd_build_serial(0, text, buf, sizeof(buf));
	assert_int_equal(n, 4 + VPD_SERIAL_MAX);
	assert_int_equal(buf[2] << 8 | buf[3], VPD_SERIAL_MAX);
	expect_truncation(buf, n, vpd_build_serial(0, text, cut, cap));
}

static void test_device_id(void **state)
{
	struct designators d = { 0 };
	uint8_t buf[VPD_PAGE_MAX];
	size_t n;

	n = vpd_build_device_id(0, &d, buf, sizeof(buf));
	expect_bytes(buf, n, 0x00, 0x83, 0, 0);
	designator_add_lu_group(&d, 0x0506);
	n = vpd_build_device_id(0, &d, buf, sizeof(buf));
	expect_bytes(buf, n, 0x00, 0x83, 0, 8, 0x01, 0x06, 0, 4, 0, 0, 5, 6);
	expect_truncation(buf, n, vpd_build_device_id(0, &d, cut, cap));

	/* A PAGE LENGTH of more than one byte. */
	d.len = DESIGNATORS_MAX;
	n = vpd_build_device_id(0, &d, buf, sizeof(buf));
	assert_int_equal(n, VPD_PAGE_MAX);
	assert_int_equal(buf[2] << 8 | buf[3], DESIGNATORS_MAX);
}

static void test_extended_inquiry(void **state)
{
	struct vpd_extended_inquiry p = { .headsup = true, .ordsup = true, .v_sup = true };
	uint8_t buf[64], want[64] = { 0x00, 0x86, 0, 0x3c, 0, 0x07, 0x01, 0x01 };
	size_t n = vpd_build_extended_inquiry(0, &p, buf, sizeof(buf));

	assert_int_equal(n, 64);
	assert_memory_equal(buf, want, sizeof(want));
	p = (struct vpd_extended_inquiry){ .spt = SPT_TYPES_1_2_3,
		.grd_chk = true,
		.ref_chk = true,
		.uask_sup = true,
		.prior_sup = true,
		.wu_sup = true,
		.nv_sup = true,
		.p_i_i_sup = true,
		.r_sup = true,
		.self_test_minutes = 0x0102,
		.hra_sup = true,
		.max_sense_len = 252 };
	vpd_build_extended_inquiry(0, &p, buf, sizeof(buf));
	assert_memory_equal(buf + 4, "\x3d\x29\x0a\x11\x10\x00\x01\x02\x40\xfc\x00", 11);
	p = (struct vpd_extended_inquiry){ .app_chk = true,
		.group_sup = true,
		.crd_sup = true,
		.cbcs = true,
		.poa_sup = true,
		.vsa_sup = true };
	vpd_build_extended_inquiry(0, &p, buf, sizeof(buf));
	assert_memory_equal(buf + 4, "\x02\x11\x04\x01\x01\x00\x00\x00\xa0\x00\x00", 11);
	expect_truncation(buf, n, vpd_build_extended_inquiry(0, &p, cut, cap));
}

static void test_block_limits(void **state)
{
	static const struct vpd_block_limits p = {
		.wsnz = true,
		.max_caw = 0xff,
		.optimal_granularity = 0x0102,
		.max_transfer = 0x11121314,
		.optimal_transfer = 0x21222324,
		.max_prefetch = 0x31323334,
		.max_unmap_lbas = 0x41424344,
		.max_unmap_descriptors = 0x51525354,
		.unmap_granularity = 0x61626364,
		.unmap_alignment_valid = true,
		.unmap_alignment = 0x71727374,
		.max_write_same = 0x8182838485868788,
		.max_atomic_transfer = 0x91929394,
		.atomic_alignment = 0xa1a2a3a4,
		.atomic_granularity = 0xb1b2b3b4,
		.max_atomic_transfer_with_boundary = 0xc1c2c3c4,
		.max_atomic_boundary = 0xd1d2d3d4,
	};
	uint8_t buf[64];
	size_t n = vpd_build_block_limits(0, &p, buf, sizeof(buf));

	expect_bytes(buf, n, 0x00, 0xb0, 0, 0x3c, 0x01, 0xff, 0x01, 0x02, 0x11, 0x12, 0x13, 0x14,
		0x21, 0x22, 0x23, 0x24, 0x31, 0x32, 0x33, 0x34, 0x41, 0x42, 0x43, 0x44, 0x51, 0x52,
		0x53, 0x54, 0x61, 0x62, 0x63, 0x64, 0xf1, 0x72, 0x73, 0x74, 0x81, 0x82, 0x83, 0x84,
		0x85, 0x86, 0x87, 0x88, 0x91, 0x92, 0x93, 0x94, 0xa1, 0xa2, 0xa3, 0xa4, 0xb1, 0xb2,
		0xb3, 0xb4, 0xc1, 0xc2, 0xc3, 0xc4, 0xd1, 0xd2, 0xd3, 0xd4);
	expect_truncation(buf, n, vpd_build_block_limits(0, &p, cut, cap));
}

/* UGAVALID = 0 without an alignment, and with one that 31 bits cannot tell. */
static void test_block_limits_alignment(void **state)
{
	struct vpd_block_limits p = { .unmap_alignment = 8 };
	uint8_t buf[64];

	vpd_build_block_limits(0, &p, buf, sizeof(buf));
	assert_memory_equal(buf + 32, "\0\0\0\0", 4);
	p.unmap_alignment_valid = true;
	vpd_build_block_limits(0, &p, buf, sizeof(buf));
	assert_memory_equal(buf + 32, "\x80\0\0\x08", 4);
	p.unmap_alignment = 0x80000008;
	vpd_build_block_limits(0, &p, buf, sizeof(buf));
	assert_memory_equal(buf + 32, "\0\0\0\0", 4);
}

static void test_block_characteristics(void **state)
{
	static const struct vpd_block_characteristics p = { .rotation_rate = 0x1c20,
		.product_type = 4,
		.wabereq = 2,
		.wacereq = 1,
		.form_factor = 3,
		.fuab = true,
		.vbuls = true };
	uint8_t buf[64], want[64] = { 0x00, 0xb1, 0, 0x3c, 0x1c, 0x20, 4, 0x93, 0x03 };
	size_t n = vpd_build_block_characteristics(0, &p, buf, sizeof(buf));

	assert_int_equal(n, 64);
	assert_memory_equal(buf, want, sizeof(want));
	expect_truncation(buf, n, vpd_build_block_characteristics(0, &p, cut, cap));
}

static void test_provisioning(void **state)
{
	struct vpd_provisioning_params p = { .threshold_exponent = 0x0b,
		.lbpu = true,
		.lbpws10 = true,
		.anc_sup = true,
		.type = PROVISIONING_THIN };
	uint8_t buf[8];
	size_t n = vpd_build_provisioning(0, &p, buf, sizeof(buf));

	expect_bytes(buf, n, 0x00, 0xb2, 0, 4, 0x0b, 0xa2, 0x02, 0);
	p = (struct vpd_provisioning_params){
		.lbpws = true, .lbprz = true, .type = PROVISIONING_RESOURCE
	};
	n = vpd_build_provisioning(0, &p, buf, sizeof(buf));
	expect_bytes(buf, n, 0x00, 0xb2, 0, 4, 0x00, 0x44, 0x01, 0);
	expect_truncation(buf, n, vpd_build_provisioning(0, &p, cut, cap));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_supported),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_device_id),
		cmocka_unit_test(test_extended_inquiry),
		cmocka_unit_test(test_block_limits),
		cmocka_unit_test(test_block_limits_alignment),
		cmocka_unit_test(test_block_characteristics),
		cmocka_unit_test(test_provisioning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
