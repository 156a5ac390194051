/* SPDX-License-Identifier: BSD-3-Clause */
/* address_test.c: addresses as text (RFC 7143 13.8, RFC 4007 11). */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fabric/iscsi/address.h"

static void round_trip(const char *in, const char *out, int family, uint16_t port)
{
	struct sockaddr_storage ss;
	char text[ADDRESS_TEXT_BYTES];

	assert_int_equal(address_parse(in, &ss, NULL), 0);
	assert_int_equal(address_family(&ss), family);
	assert_int_equal(address_port(&ss), port);
	address_format(&ss, port, text, sizeof(text));
	assert_string_equal(text, out);
}

static void test_good(void **state)
{
	round_trip("10.0.0.1:3260", "10.0.0.1:3260", AF_INET, 3260);
	round_trip("0.0.0.0:1", "0.0.0.0:1", AF_INET, 1);
	round_trip("[2001:db8:0:0::1]:65535", "[2001:db8::1]:65535", AF_INET6, 65535);
	round_trip("[::]:3260", "[::]:3260", AF_INET6, 3260);
	round_trip("[::ffff:10.0.0.1]:3260", "10.0.0.1:3260", AF_INET, 3260);
	round_trip("[fe80::1%lo]:3260", "[fe80::1]:3260", AF_INET6, 3260);
	round_trip("[fe80::1%7]:3260", "[fe80::1]:3260", AF_INET6, 3260);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "is no address" },
		{ ":3260", "is no address" },
		{ "10.0.0.1", "is no address" },
		{ "10.0.0.1:", "is no address" },
		{ "10.0.0.1:0", "is no address" },
		{ "10.0.0.1:65536", "is no address" },
		{ "10.0.0.1:3260x", "is no address" },
		{ "10.0.0:3260", "is no address" },
		{ "localhost:3260", "is no address" },
		{ "::1:3260", "is no address" },
		{ "[::1:3260", "is no address" },
		{ "[10.0.0.1]:3260", "is no address" },
		{ "[]:3260", "is no address" },
		{ "[fe80::1]:3260", "say on which interface" },
		{ "[fe80::1%]:3260", "no such network interface" },
		{ "[fe80::1%nosuch0]:3260", "no such network interface" },
		{ "[2001:db8::1%lo]:3260", "link-local addresses" },
		{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:3260",
			"is no address" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sockaddr_storage ss;
		struct errmsg err = { 0 };

		assert_int_equal(address_parse(bad[i].text, &ss, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i].says));
	}
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage ss;

	assert_int_equal(address_parse(text, &ss, NULL), 0);
	return ss;
}

static bool equal(const char *a, const char *b)
{
	struct sockaddr_storage x = address(a), y = address(b);

	assert_int_equal(address_equal(&x, &y), address_equal(&y, &x));
	assert_int_equal(address_equal(&x, &y), address_compare(&x, &y) == 0);
	assert_int_equal(address_compare(&x, &y) < 0, address_compare(&y, &x) > 0);
	return address_equal(&x, &y);
}

static void test_compare(void **state)
{
	struct sockaddr_storage ss;

	assert_true(equal("10.0.0.1:1", "10.0.0.1:1"));
	assert_false(equal("10.0.0.1:1", "10.0.0.1:2"));
	assert_false(equal("10.0.0.1:1", "10.0.0.2:1"));
	assert_true(equal("[::1]:1", "[0:0::1]:1"));
	assert_false(equal("[::1]:1", "[::2]:1"));
	assert_false(equal("[::]:1", "0.0.0.0:1"));
	assert_false(equal("[fe80::1%7]:1", "[fe80::1%8]:1"));
	ss = address("0.0.0.0:1");
	assert_true(address_is_any(&ss) && !address_is_link_local(&ss));
	ss = address("[::]:1");
	assert_true(address_is_any(&ss) && !address_is_link_local(&ss));
	ss = address("[fe80::1%7]:1");
	assert_true(!address_is_any(&ss) && address_is_link_local(&ss));
	ss = address("127.0.0.1:1");
	assert_true(!address_is_any(&ss) && !address_is_link_local(&ss));
}

static void test_endpoint(void **state)
{
	char longest[ENDPOINT_TEXT_BYTES + 1];

	assert_true(address_is_endpoint("10.0.0.1:3260"));
	assert_true(address_is_endpoint("[2001:db8::1]:3260"));
	assert_true(address_is_endpoint("storage.example.com:3260"));
	assert_false(address_is_endpoint(""));
	assert_false(address_is_endpoint("storage"));
	assert_false(address_is_endpoint(":3260"));
	assert_false(address_is_endpoint("a:0"));
	assert_false(address_is_endpoint("a b:3260"));
	assert_false(address_is_endpoint("a,1:3260"));
	assert_false(address_is_endpoint("a\n:3260"));
	assert_false(address_is_endpoint("2001:db8::1:3260"));
	assert_false(address_is_endpoint("[2001:db8::1:3260"));
	memset(longest, 'a', sizeof(longest));
	strcpy(longest + ENDPOINT_TEXT_BYTES - 1 - 5, ":3260");
	assert_true(address_is_endpoint(longest));
	memcpy(longest + ENDPOINT_TEXT_BYTES - 5, ":3260", 6);
	assert_false(address_is_endpoint(longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_endpoint),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
