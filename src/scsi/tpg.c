/* SPDX-License-Identifier: BSD-3-Clause */
/* tpg.c: target port groups and referrals, to bytes and from them. */
#include "scsi/tpg.h"

#include "scsi/out_priv.h"

enum {
	REFERRAL_SENSE_TYPE = 0x0b,
	REFERRAL_SENSE_HEADER = 4,
	REFERRAL_HEADER = 20,
	REFERRAL_GROUP = 4,
};

uint8_t tpg_sup_bit(unsigned state)
{
	static const uint8_t bits[16] = {
		[TPG_ACTIVE_OPTIMIZED] = TPG_AO_SUP,
		[TPG_ACTIVE_NONOPTIMIZED] = TPG_AN_SUP,
		[TPG_STANDBY] = TPG_S_SUP,
		[TPG_UNAVAILABLE] = TPG_U_SUP,
		[TPG_LBA_DEPENDENT] = TPG_LBD_SUP,
		[TPG_OFFLINE] = TPG_O_SUP,
		[TPG_TRANSITIONING] = TPG_T_SUP,
	};

	return state < sizeof(bits) ? bits[state] : 0;
}

/* ---- REPORT TARGET PORT GROUPS: SPC-4 6.37 --------------------------------------------------- */

/* Table 306. */
static void put_group(struct out *o, const struct tpg_desc *g)
{
	assert(g->nports <= TPG_PORTS_MAX);
	out_u8(o, (g->pref ? 0x80u : 0) | (g->state & 0x0fu));
	out_u8(o, g->supported);
	out_be16(o, g->group);
	out_u8(o, 0);
	out_u8(o, g->status);
	out_u8(o, 0); /* vendor specific */
	out_u8(o, g->nports);
	for (unsigned i = 0; i < g->nports; i++) {
		out_be16(o, 0);
		out_be16(o, g->rtpis[i]);
	}
}

size_t rtpg_build(enum rtpg_format format, uint8_t transition_s, const struct tpg_desc *groups,
	size_t ngroups, uint8_t *buf, size_t cap)
{
	size_t len = format == RTPG_EXTENDED ? 4 : 0;
	struct out o = out_init(buf, cap);

	for (size_t i = 0; i < ngroups; i++)
		len += 8 + 4 * (size_t)groups[i].nports;
	out_be32(&o, (uint32_t)len);
	if (format == RTPG_EXTENDED) {
		out_u8(&o, (unsigned)RTPG_EXTENDED << 4);
		out_u8(&o, transition_s);
		out_be16(&o, 0);
	}
	for (size_t i = 0; i < ngroups; i++)
		put_group(&o, &groups[i]);
	return o.len;
}

/* ---- SET TARGET PORT GROUPS: SPC-4 6.45 ------------------------------------------------------ */

bool stpg_length_valid(uint32_t len, uint32_t max_descriptors)
{
	if (!len)
		return true;
	return len >= STPG_HEADER_BYTES && !((len - STPG_HEADER_BYTES) % STPG_DESCRIPTOR_BYTES) &&
	       (len - STPG_HEADER_BYTES) / STPG_DESCRIPTOR_BYTES <= max_descriptors;
}

uint16_t stpg_state_byte(unsigned i)
{
	return (uint16_t)(STPG_HEADER_BYTES + i * STPG_DESCRIPTOR_BYTES);
}

uint16_t stpg_group_byte(unsigned i)
{
	return (uint16_t)(stpg_state_byte(i) + 2);
}

static bool refuse(struct sense *err, unsigned byte, int bit)
{
	*err = sense_list_field(SENSE_INVALID_FIELD_IN_PARAMETER_LIST, (uint16_t)byte, bit);
	return false;
}

static int high_bit(uint8_t v)
{
	return 31 - __builtin_clz(v);
}

/*
 * States that SET TARGET PORT GROUPS can ask for: table 330 without offline, from which no command
 * through the same port could lead back.
 */
static bool may_be_set(uint8_t state)
{
	return state <= TPG_UNAVAILABLE;
}

bool stpg_parse(
	const uint8_t *list, size_t n, struct stpg_desc *ret, unsigned *ret_n, struct sense *err)
{
	unsigned count = (unsigned)((n - STPG_HEADER_BYTES) / STPG_DESCRIPTOR_BYTES);

	assert(n >= STPG_HEADER_BYTES);
	for (unsigned i = 0; i < STPG_HEADER_BYTES; i++)
		if (list[i])
			return refuse(err, i, high_bit(list[i]));
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *d = list + stpg_state_byte(i);

		if (d[0] & 0xf0)
			return refuse(err, stpg_state_byte(i), high_bit(d[0] & 0xf0));
		if (d[1])
			return refuse(err, stpg_state_byte(i) + 1u, high_bit(d[1]));
		if (!may_be_set(d[0]))
			return refuse(err, stpg_state_byte(i), 3);
		ret[i] = (struct stpg_desc){ .state = d[0], .group = get_be16(d + 2) };
		for (unsigned k = 0; k < i; k++)
			if (ret[k].group == ret[i].group)
				return refuse(err, stpg_group_byte(i), 7);
	}
	*ret_n = count;
	return true;
}

/* ---- referrals: SBC-3 5.22, 4.18.4 ----------------------------------------------------------- */

/* Table 18. */
static void put_referral(struct out *o, const struct referral *r)
{
	assert(r->ngroups <= 255);
	out_fill(o, 0, 3);
	out_u8(o, r->ngroups);
	out_be64(o, r->first);
	out_be64(o, r->last);
	for (unsigned i = 0; i < r->ngroups; i++) {
		out_u8(o, r->groups[i].state & 0x0fu);
		out_u8(o, 0);
		out_be16(o, r->groups[i].group);
	}
}

static size_t referral_bytes(const struct referral *r)
{
	return REFERRAL_HEADER + (size_t)r->ngroups * REFERRAL_GROUP;
}

size_t referrals_build(const struct referral *r, size_t n, uint8_t *buf, size_t cap)
{
	struct out o = out_init(buf, cap);
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += referral_bytes(&r[i]);
	out_be16(&o, 0);
	out_be16(&o, len > UINT16_MAX ? UINT16_MAX : (uint16_t)len);
	for (size_t i = 0; i < n; i++)
		put_referral(&o, &r[i]);
	return o.len;
}

size_t referral_sense_build(const struct referral *r, size_t n, uint8_t *buf, size_t cap)
{
	size_t take = 0, len = REFERRAL_SENSE_HEADER;
	struct out o = out_init(buf, cap);

	assert(cap <= 255);
	while (take < n && len + referral_bytes(&r[take]) <= cap)
		len += referral_bytes(&r[take++]);
	if (!take)
		return 0;
	out_u8(&o, REFERRAL_SENSE_TYPE);
	out_u8(&o, (unsigned)(len - 2));
	out_u8(&o, take < n); /* NOT_ALL_R */
	out_u8(&o, 0);
	for (size_t i = 0; i < take; i++)
		put_referral(&o, &r[i]);
	return o.len;
}
