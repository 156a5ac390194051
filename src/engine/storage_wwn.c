/* SPDX-License-Identifier: BSD-3-Clause */
/* storage_wwn.c: wwn/ of a storage object: who it says it is. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/storage_priv.h"

static int get_inquiry(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_str(a, &((struct storage *)obj)->lu->attribs, out);
}

static int get_product(const struct attr *a, void *obj, struct strbuf *out)
{
	char product[17];

	lu_product(((struct storage *)obj)->lu, product);
	strbuf_puts(out, product);
	return 0;
}

/* Printable ASCII of at most a->max bytes, blanks around it taken off (SPC-4 4.3.1). */
static int set_inquiry(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	char *at = (char *)&s->lu->attribs + a->offset;
	size_t n;

	value += strspn(value, " \t\n");
	n = strlen(value);
	while (n && strchr(" \t\n", value[n - 1]))
		n--;
	if (n > a->max)
		return errmsg_set(err, -EOVERFLOW,
			"%s: %zu characters are too many, at most %" PRIu64, a->name, n, a->max);
	for (size_t i = 0; i < n; i++) {
		if (value[i] < 0x20 || value[i] > 0x7e)
			return errmsg_set(
				err, -EINVAL, "%s: printable ASCII alone is possible", a->name);
	}
	memcpy(at, value, n);
	at[n] = '\0';
	return storage_changed(s, err);
}

/* Setting the product that the alias makes is no change. */
static int set_product(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	char product[17];

	lu_product(s->lu, product);
	if (s->lu->attribs.emulate_model_alias && !strcmp(product, value))
		return 0;
	return set_inquiry(a, obj, value, err);
}

static int get_company_id(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%#08x", ((struct storage *)obj)->lu->attribs.company_id);
	return 0;
}

static int set_company_id(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT32_MAX, &v, err);

	if (r)
		return r;
	if (v >= 0x1000000)
		return errmsg_set(
			err, -EOVERFLOW, "company_id: \"%.32s\" has more than 24 bits", value);
	s->lu->attribs.company_id = (uint32_t)v;
	return storage_changed(s, err);
}

static int get_serial(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "T10 VPD Unit Serial Number: %s",
		((struct storage *)obj)->lu->attribs.unit_serial);
	return 0;
}

static int get_nothing(const struct attr *a, void *obj, struct strbuf *out)
{
	return 0;
}

#define INQUIRY(n, field, most, getter, setter, text)                                              \
	{                                                                                          \
		.name = n, .get = getter, .set = setter, .may_set = storage_not_exported,          \
		.offset = offsetof(struct lu_attribs, field), .max = most, .doc = text,            \
		.flags = ATTR_EMPTY_LINE,                                                          \
	}
#define EMPTY(n)                                                                                   \
	{                                                                                          \
		.name = n, .get = get_nothing, .doc = "Empty: of pass-through devices in LIO.",    \
	}

static const struct attr wwn_rows[] = {
	INQUIRY("vendor_id", vendor_id, 8, get_inquiry, set_inquiry, "T10 VENDOR IDENTIFICATION."),
	INQUIRY("product_id", product_id, 16, get_product, set_product, "PRODUCT IDENTIFICATION."),
	INQUIRY("revision", revision, 4, get_inquiry, set_inquiry, "PRODUCT REVISION LEVEL."),
	INQUIRY("company_id", company_id, 0, get_company_id, set_company_id,
		"IEEE company id of the NAA designator."),
	INQUIRY("vpd_unit_serial", unit_serial, 253, get_serial, set_inquiry,
		"UNIT SERIAL NUMBER; the NAA designator follows from it."),
	EMPTY("vpd_protocol_identifier"),
	EMPTY("vpd_assoc_logical_unit"),
	EMPTY("vpd_assoc_target_port"),
	EMPTY("vpd_assoc_scsi_target_device"),
	ATTR_END,
};

const struct node_type storage_wwn_type = {
	.name = "identity",
	.doc = "Who the logical unit says it is.",
	.attrs = wwn_rows,
};
