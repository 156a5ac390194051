/* SPDX-License-Identifier: BSD-3-Clause */
/* name_test.c: node names of RFC 7143 4.2.7, its own examples first. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fabric/iscsi/name.h"

static void good(const char *in, const char *want)
{
	char out[NODE_NAME_BYTES_MAX + 1];
	const char *why;

	assert_int_equal(node_name_normalize(in, out, &why), 0);
	assert_null(why);
	assert_string_equal(out, want);
}

static void bad(const char *in)
{
	char out[NODE_NAME_BYTES_MAX + 1] = "before";
	const char *why = NULL;

	assert_int_equal(node_name_normalize(in, out, &why), -EINVAL);
	assert_non_null(why);
	assert_string_equal(out, "before");
	assert_int_equal(node_name_normalize(in, out, NULL), -EINVAL);
}

static void test_good(void **state)
{
	good("iqn.2001-04.com.example:storage.tape1.sys1.xyz",
		"iqn.2001-04.com.example:storage.tape1.sys1.xyz");
	good("iqn.2001-04.com.example", "iqn.2001-04.com.example");
	good("eui.02004567A425678D", "eui.02004567a425678d");
	good("naa.52004567BA64678D", "naa.52004567ba64678d");
	good("naa.62004567BA64678D0123456789ABCDEF", "naa.62004567ba64678d0123456789abcdef");
	good("IQN.2008-11.org.Linux-KVM:My_Guest", "iqn.2008-11.org.linux-kvm:my_guest");
	good("iqn.2001-04.com.example:\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		"iqn.2001-04.com.example:\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void test_bad(void **state)
{
	bad("");
	bad("iqn");
	bad("iqn.");
	bad("iqn.2001-04.");
	bad("iqn.2001-04");
	bad("iqn.2001-13.com.example");
	bad("iqn.2001-00.com.example");
	bad("iqn.20a1-04.com.example");
	bad("iqn.com.example:x");
	bad("foo.2001-04.com.example");
	bad("eui.02004567A425678");
	bad("eui.02004567A425678D0");
	bad("eui.02004567A425678G");
	bad("naa.52004567BA64678D0");
	bad("iqn.2001-04.com.example:a b");
	bad("iqn.2001-04.com.example:a,b");
	bad("iqn.2001-04.com.example:a=b");
	bad("iqn.2001-04.com.example:a\x7f");
	bad("iqn.2001-04.com.example:a\n");
	bad("iqn.2001-04.com.example:\xc3"); /* cut short */
	bad("iqn.2001-04.com.example:\xc0\xaf"); /* overlong */
	bad("iqn.2001-04.com.example:\xe0\x80\x80"); /* overlong */
	bad("iqn.2001-04.com.example:\xed\xa0\x80"); /* surrogate */
	bad("iqn.2001-04.com.example:\xf4\x90\x80\x80");
}

static void test_length(void **state)
{
	char name[NODE_NAME_BYTES_MAX + 2], out[NODE_NAME_BYTES_MAX + 1];

	memset(name, 'a', sizeof(name));
	memcpy(name, "iqn.2001-04.", 12);
	name[NODE_NAME_BYTES_MAX] = '\0';
	good(name, name);
	name[NODE_NAME_BYTES_MAX] = 'a';
	name[NODE_NAME_BYTES_MAX + 1] = '\0';
	bad(name);
	/* In place. */
	strcpy(out, "EUI.02004567A425678D");
	assert_int_equal(node_name_normalize(out, out, NULL), 0);
	assert_string_equal(out, "eui.02004567a425678d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
