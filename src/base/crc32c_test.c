/* SPDX-License-Identifier: BSD-3-Clause */
/* crc32c_test.c: the examples of RFC 3720 B.4, in one piece and in every split. */
#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* RFC 3720 B.4: "An iSCSI - SCSI Read (10) Command PDU" */
static const uint8_t read10_pdu[48] = { 0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00,
	0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 };

static void check(const void *p, size_t n, const char *digest)
{
	uint32_t crc = crc32c(p, n);
	uint8_t wire[4];

	crc32c_put(wire, crc);
	assert_memory_equal(wire, digest, 4);
	assert_int_equal(crc32c_get(wire), crc);
	for (size_t cut = 0; cut <= n; cut++) {
		uint32_t st = crc32c_update(crc32c_init(), p, cut);

		st = crc32c_update(st, (const uint8_t *)p + cut, n - cut);
		assert_int_equal(crc32c_final(st), crc);
	}
}

static void rfc3720_examples(void **state)
{
	uint8_t b[32];

	memset(b, 0, sizeof(b));
	check(b, sizeof(b), "\xaa\x36\x91\x8a");
	memset(b, 0xff, sizeof(b));
	check(b, sizeof(b), "\x43\xab\xa8\x62");
	for (uint8_t i = 0; i < 32; i++)
		b[i] = i;
	check(b, sizeof(b), "\x4e\x79\xdd\x46");
	for (uint8_t i = 0; i < 32; i++)
		b[i] = 31 - i;
	check(b, sizeof(b), "\x5c\xdb\x3f\x11");
	check(read10_pdu, sizeof(read10_pdu), "\x56\x3a\x96\xd9");
}

static void nothing_is_zero(void **state)
{
	assert_int_equal(crc32c("", 0), 0);
}

static void scattered(void **state)
{
	uint8_t b[64];
	struct iovec iov[] = {
		{ b, 5 },
		{ b + 5, 0 },
		{ b + 5, 40 },
		{ b + 45, 19 },
	};

	for (uint8_t i = 0; i < 64; i++)
		b[i] = (uint8_t)(i * 37);
	for (size_t off = 0; off <= 64; off++) {
		for (size_t len = 0; len <= 64 - off; len++) {
			uint32_t st = crc32c_iov(crc32c_init(), iov, 4, off, len);

			assert_int_equal(crc32c_final(st), crc32c(b + off, len));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3720_examples),
		cmocka_unit_test(nothing_is_zero),
		cmocka_unit_test(scattered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
