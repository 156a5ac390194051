/* SPDX-License-Identifier: BSD-3-Clause */
/* isns_pdu_test.c: iSNS messages as bytes (RFC 4171 5.1, 6.1). */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fabric/iscsi/address.h"
#include "fabric/iscsi/isns_pdu.h"

static void test_bytes(void **state)
{
	static const uint8_t want[] = {
		/* version 1, DevAttrReg, 60 bytes, client first last, transaction 7, sequence 0 */
		0, 1, 0, 1, 0, 60, 0x8c, 0, 0, 7, 0, 0,
		/* iSCSI name "iqn", its NUL */
		0, 0, 0, 32, 0, 0, 0, 4, 'i', 'q', 'n', 0,
		/* delimiter */
		0, 0, 0, 0, 0, 0, 0, 0,
		/* registration period */
		0, 0, 0, 6, 0, 0, 0, 4, 0, 0, 1, 0x2c,
		/* entity identifier "e", padded */
		0, 0, 0, 1, 0, 0, 0, 4, 'e', 0, 0, 0,
		/* nothing, which is to be filled in */
		0, 0, 0, 22, 0, 0, 0, 0,
		/* an opaque value of 0 bytes */
		0, 0, 0, 23, 0, 0, 0, 0
	};
	struct strbuf b;

	strbuf_init(&b);
	isns_begin(&b, ISNS_DEV_ATTR_REG, ISNS_FLAG_CLIENT, 7);
	isns_put_text(&b, ISNS_ISCSI_NAME, "iqn");
	isns_put(&b, ISNS_DELIMITER, NULL, 0);
	isns_put_u32(&b, ISNS_REGISTRATION_PERIOD, 300);
	isns_put_text(&b, ISNS_ENTITY_ID, "e");
	isns_put(&b, 22, NULL, 0);
	isns_put(&b, 23, "", 0);
	assert_true(isns_end(&b));
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.s, want, sizeof(want));
	strbuf_done(&b);
}

/* 6.3.1: IPv4 as IPv4-mapped IPv6. */
static void test_address(void **state)
{
	static const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct sockaddr_storage ss;
	struct isns_reader r;
	struct isns_attr a;
	struct strbuf b;

	strbuf_init(&b);
	assert_int_equal(address_parse("10.0.0.1:3260", &ss, NULL), 0);
	isns_put_address(&b, ISNS_PORTAL_ADDRESS, &ss);
	assert_int_equal(address_parse("[2001:db8::1]:3260", &ss, NULL), 0);
	isns_put_address(&b, ISNS_PG_PORTAL_ADDRESS, &ss);
	r = (struct isns_reader){ (uint8_t *)b.s, b.len };
	assert_int_equal(isns_next(&r, &a), 1);
	assert_int_equal(a.tag, ISNS_PORTAL_ADDRESS);
	assert_int_equal(a.n, 16);
	assert_memory_equal(a.value, v4, 16);
	assert_int_equal(isns_next(&r, &a), 1);
	assert_int_equal(a.tag, ISNS_PG_PORTAL_ADDRESS);
	assert_memory_equal(a.value, v6, 16);
	assert_int_equal(isns_next(&r, &a), 0);
	strbuf_done(&b);
}

static void test_too_long(void **state)
{
	static char text[ISNS_PAYLOAD_BYTES_MAX];
	struct strbuf b;

	strbuf_init(&b);
	assert_false(isns_end(&b));
	isns_begin(&b, ISNS_DEV_ATTR_REG, 0, 1);
	assert_true(isns_end(&b));
	isns_put(&b, 22, text, ISNS_PAYLOAD_BYTES_MAX - 16);
	assert_true(isns_end(&b));
	isns_put(&b, 22, NULL, 0);
	assert_true(isns_end(&b));
	isns_put(&b, 22, NULL, 0);
	assert_false(isns_end(&b));
	strbuf_done(&b);
}

/* What is no attribute is said to be none, whatever its length claims. */
static void test_bad_attributes(void **state)
{
	static const struct {
		size_t n;
		uint8_t b[16];
	} bad[] = {
		{ 1, { 0 } },
		{ 7, { 0, 0, 0, 1, 0, 0, 0 } },
		{ 8, { 0, 0, 0, 1, 0, 0, 0, 4 } },
		{ 11, { 0, 0, 0, 1, 0, 0, 0, 4, 'a', 'b', 'c' } },
		{ 11, { 0, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0 } },
		{ 12, { 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 'a', 0, 0, 0 } },
		{ 12, { 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfd, 'a', 0, 0, 0 } },
		{ 12, { 0, 0, 0, 1, 0x80, 0, 0, 0, 'a', 0, 0, 0 } },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* On the heap at its exact size, for the sanitizer to see a read behind it. */
		uint8_t *p = malloc(bad[i].n);
		struct isns_reader r = { p, bad[i].n };
		struct isns_attr a;

		memcpy(p, bad[i].b, bad[i].n);
		assert_int_equal(isns_next(&r, &a), -EPROTO);
		free(p);
	}
}

static void test_values(void **state)
{
	const struct isns_attr word = { 1, (const uint8_t *)"\0\0\1\0", 4 };
	const struct isns_attr half = { 1, (const uint8_t *)"\0\1", 2 };
	const struct isns_attr text = { 1, (const uint8_t *)"name\0x\0", 8 };
	const struct isns_attr open = { 1, (const uint8_t *)"nameless", 8 };
	const struct isns_attr odd = { 1, (const uint8_t *)"na\nme\0\0", 8 };
	const struct isns_attr none = { 1, (const uint8_t *)"", 0 };
	uint32_t v = 7;

	assert_true(isns_u32(&word, &v));
	assert_int_equal(v, 256);
	assert_false(isns_u32(&half, &v));
	assert_string_equal(isns_text(&text), "name");
	assert_null(isns_text(&open));
	assert_null(isns_text(&odd));
	assert_null(isns_text(&none));
	assert_string_equal(isns_status_name(0), "success");
	assert_string_equal(isns_status_name(6), "source unknown");
	assert_string_equal(isns_status_name(4), isns_status_name(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_bad_attributes),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests_name("isns_pdu", tests, NULL, NULL);
}
