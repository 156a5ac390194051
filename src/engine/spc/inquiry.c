/* SPDX-License-Identifier: BSD-3-Clause */
/* inquiry.c: INQUIRY and the vital product data pages (SPC-4 6.6, 7.8; SBC-3 6.6). */
#include "scsi/inquiry.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/alua.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/lu.h"
#include "engine/nexus.h"
#include "engine/port.h"
#include "scsi/designator.h"
#include "scsi/vpd.h"

struct vpd_row {
	uint8_t page;
	size_t (*build)(const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap);
	bool (*present)(const struct lu_conf *c); /* NULL: always */
};

static const struct vpd_row vpd_rows[];

/* Byte 0: SPC-4 6.6.2, and 5.15.2.4.5 for paths by which the device is not connected. */
static uint8_t peripheral(const struct cmd *cmd)
{
	return (alua_connected(cmd) ? PQ_CONNECTED : PQ_NOT_CONNECTED) | PDT_BLOCK;
}

static bool has_page(const struct vpd_row *r, const struct lu_conf *c)
{
	return !r->present || r->present(c);
}

static size_t vpd_supported(
	const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap)
{
	uint8_t pages[16];
	size_t n = 0;

	for (const struct vpd_row *r = vpd_rows; r->build; r++)
		if (has_page(r, c))
			pages[n++] = r->page;
	return vpd_build_supported(peripheral(cmd), pages, n, buf, cap);
}

static size_t vpd_serial(const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap)
{
	return vpd_build_serial(peripheral(cmd), c->a.unit_serial, buf, cap);
}

static size_t vpd_device_id(
	const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap)
{
	const struct port *port = cmd->nexus->port;
	enum protocol_id protocol = (enum protocol_id)port->ops->protocol;
	struct designators d = { .len = 0 };
	uint8_t naa[NAA6_BYTES];
	uint16_t id;

	naa6_from_serial(naa, c->a.company_id, c->a.unit_serial);
	designator_add_naa6(&d, naa);
	designator_add_t10(&d, c->a.vendor_id, c->product, c->a.unit_serial);
	designator_add_relative_port(&d, protocol, port->rtpi);
	if (c->tpgs && alua_group_of_cmd(cmd, &id))
		designator_add_target_port_group(&d, protocol, id);
	if (c->tpgs && alua_lu_group_id(cmd->lu, &id))
		designator_add_lu_group(&d, id);
	designator_add_port_name(&d, protocol, port->name);
	designator_add_device_name(&d, protocol, port->device);
	return vpd_build_device_id(peripheral(cmd), &d, buf, cap);
}

static size_t vpd_extended(const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap)
{
	struct vpd_extended_inquiry p = {
		.headsup = true,
		.ordsup = true,
		.prior_sup = true,
		.v_sup = c->volatile_cache,
		.r_sup = c->referrals,
		.max_sense_len = CMD_SENSE_BYTES,
	};

	return vpd_build_extended_inquiry(peripheral(cmd), &p, buf, cap);
}

static size_t vpd_limits(const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap)
{
	struct vpd_block_limits p = {
		.wsnz = true,
		.max_caw = c->a.emulate_caw ? LU_MAX_CAW_BLOCKS : 0,
		.optimal_granularity = (uint16_t)(1u << c->physical_exponent),
		.max_transfer = lu_conf_max_blocks(c),
		.optimal_transfer = c->a.optimal_sectors < lu_conf_max_blocks(c)
					    ? c->a.optimal_sectors
					    : lu_conf_max_blocks(c),
		.max_write_same = c->a.max_write_same_len,
	};

	if (c->a.emulate_tpu) {
		p.max_unmap_lbas = c->a.max_unmap_lba_count;
		p.max_unmap_descriptors = c->a.max_unmap_block_desc_count;
	}
	if (c->a.emulate_tpu || c->a.emulate_tpws) {
		p.unmap_granularity = c->a.unmap_granularity;
		p.unmap_alignment = c->a.unmap_granularity_alignment;
		p.unmap_alignment_valid = p.unmap_alignment != 0;
	}
	return vpd_build_block_limits(peripheral(cmd), &p, buf, cap);
}

static size_t vpd_characteristics(
	const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap)
{
	struct vpd_block_characteristics p = {
		.rotation_rate = c->a.is_nonrot ? ROTATION_NONE : ROTATION_NOT_REPORTED,
		.fuab = true,
		.vbuls = true,
	};

	return vpd_build_block_characteristics(peripheral(cmd), &p, buf, cap);
}

static size_t vpd_provisioning(
	const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap)
{
	struct vpd_provisioning_params p = {
		.lbpu = c->a.emulate_tpu,
		.lbpws = c->a.emulate_tpws,
		.lbpws10 = c->a.emulate_tpws,
		.lbprz = lu_conf_lbprz(c),
		.type = lu_conf_thin(c) ? PROVISIONING_THIN : PROVISIONING_FULL,
	};

	return vpd_build_provisioning(peripheral(cmd), &p, buf, cap);
}

static size_t vpd_referrals(
	const struct cmd *cmd, const struct lu_conf *c, uint8_t *buf, size_t cap)
{
	uint32_t size, multiplier;

	alua_lba_segments(cmd->lu, &size, &multiplier);
	return vpd_build_referrals(peripheral(cmd), size, multiplier, buf, cap);
}

static bool has_referrals(const struct lu_conf *c)
{
	return c->referrals;
}

static const struct vpd_row vpd_rows[] = {
	{ VPD_SUPPORTED_PAGES, vpd_supported, NULL },
	{ VPD_UNIT_SERIAL_NUMBER, vpd_serial, NULL },
	{ VPD_DEVICE_IDENTIFICATION, vpd_device_id, NULL },
	{ VPD_EXTENDED_INQUIRY_DATA, vpd_extended, NULL },
	{ VPD_BLOCK_LIMITS, vpd_limits, NULL },
	{ VPD_BLOCK_DEVICE_CHARACTERISTICS, vpd_characteristics, NULL },
	{ VPD_LOGICAL_BLOCK_PROVISIONING, vpd_provisioning, NULL },
	{ VPD_REFERRALS, vpd_referrals, has_referrals },
	{ 0, NULL, NULL },
};

static void inquiry_vpd(struct cmd *cmd, uint32_t alloc_len)
{
	uint8_t page = cmd->cdb[2];
	uint8_t buf[VPD_PAGE_MAX];
	size_t len;

	if (!cmd->lu) {
		/*
		 * SPC-4 6.6.2, table 139: nothing is known of what is not there but the list of
		 * pages.
		 */
		if (page != VPD_SUPPORTED_PAGES) {
			cmd_fail_cdb(cmd, 2, 7);
			return;
		}
		len = vpd_build_supported(PQ_NOT_CAPABLE | PDT_UNKNOWN, &page, 1, buf, sizeof(buf));
		cmd_reply(cmd, buf, (uint32_t)len, alloc_len);
		return;
	}
	for (const struct vpd_row *r = vpd_rows; r->build; r++) {
		if (r->page != page || !has_page(r, cmd_conf(cmd)))
			continue;
		len = r->build(cmd, cmd_conf(cmd), buf, sizeof(buf));
		cmd_reply(cmd, buf, (uint32_t)len, alloc_len);
		return;
	}
	cmd_fail_cdb(cmd, 2, 7);
}

void spc_inquiry(struct cmd *cmd)
{
	uint32_t alloc_len = get_be16(cmd->cdb + 3);
	uint8_t buf[INQUIRY_BYTES];
	struct inquiry_params p = {
		.peripheral = PQ_NOT_CAPABLE | PDT_UNKNOWN,
		.cmdque = true,
		.vendor = "LIO-ORG",
		.product = "",
		.revision = "",
		.versions = { VERSION_SAM_5, VERSION_ISCSI, VERSION_SPC_4, VERSION_SBC_3 },
	};

	if (cmd->cdb[1] & 0x01) {
		inquiry_vpd(cmd, alloc_len);
		return;
	}
	if (cmd->cdb[2]) {
		/* SPC-4 6.6.1: PAGE CODE without EVPD */
		cmd_fail_cdb(cmd, 2, 7);
		return;
	}
	if (cmd->lu) {
		const struct lu_conf *c = cmd_conf(cmd);

		p.peripheral = peripheral(cmd);
		p.rmb = c->a.removable;
		p.tpgs = (enum tpgs)c->tpgs;
		p.vendor = c->a.vendor_id;
		p.product = c->product;
		p.revision = c->a.revision;
	}
	cmd_reply(cmd, buf, (uint32_t)inquiry_build(&p, buf, sizeof(buf)), alloc_len);
}
