/* SPDX-License-Identifier: BSD-3-Clause */
/* storage_priv.h: what the files of storage share. */
#ifndef ULIO_ENGINE_STORAGE_PRIV_H
#define ULIO_ENGINE_STORAGE_PRIV_H

#include "base/list.h"
#include "engine/lu.h"
#include "engine/storage.h"

struct storage;

struct storage_core {
	struct engine *eng;
	struct backstore_registry *reg;
	uint64_t created_ns;
	uint32_t next_hba_id, next_id; /* the last ones given: of an HBA, of a storage object */
	unsigned nhbas;
};

/* A plugin of LIO and the kind of backstore behind it. */
struct storage_kind {
	const char *hba; /* "fileio" */
	const char *backstore; /* "file"; NULL: named by "dev_config" */
	uint32_t hw_max_bytes; /* hw_max_sectors in bytes, 0: 4294967288 sectors, as LIO says */
	int opened_error; /* of "control" once the disk is open */
	/* The settings that the backstore is opened with. */
	int (*settings)(struct storage *s, struct strbuf *spec, struct errmsg *err);
	/* The second part of "info". */
	void (*info)(struct storage *s, const struct lu_conf *conf, struct strbuf *out);
};

struct hba {
	struct storage_core *core;
	const struct storage_kind *kind;
	uint64_t index;
	uint32_t id;
};

/* Of user_N alone, by "control" and attrib/: what LIO's tools read and write (storage_user.c). */
struct storage_user {
	uint32_t hw_block_size, hw_max_sectors; /* 0: not given */
	uint32_t max_data_area_mb, data_pages_per_blk, cmd_ring_size_mb;
	uint32_t cmd_time_out, tmr_notification;
	int32_t qfull_time_out;
	int8_t nl_reply_supported;
};

struct storage {
	struct hba *hba;
	uint32_t id;
	struct lu *lu; /* owned */
	bool enabled; /* its disk was opened */
	bool pending; /* it may be linked without */
	bool depth_set; /* queue_depth was written since */
	bool dirty; /* lu->attribs have changes that the snapshot lacks */
	uint64_t written; /* rows of attrib/ that were set before it was enabled */
	/* By "control"; texts are owned, NULL: not given. */
	char *dev; /* fd_dev_name, udev_path, dev_config */
	uint64_t size_bytes; /* 0: not given */
	bool buffered, async, readonly, exclusive, nullio;
	bool write_back; /* by emulate_write_cache before it is opened: buffered, too */
	struct storage_user user;
	/* Attributes. */
	char *settings, *udev_path, *alias;
};

/* "control" and the opening of disks (storage_open.c). */
const struct storage_kind *storage_kind_find(const char *hba, size_t len);
int storage_control_set(const struct attr *a, void *obj, const char *value, struct errmsg *err);
int storage_open(struct storage *s, struct errmsg *err);
/* Of the disk, or as it will be. */
uint64_t storage_size_bytes(const struct storage *s, const struct lu_conf *conf);
uint32_t storage_hw_max_sectors(const struct storage *s);

/* storage_user.c */
void storage_user_default(struct storage_user *u);
attr_get_fn storage_get_user_number, storage_get_user_qfull, storage_get_user_reply,
	storage_get_user_config, storage_get_user_size;
attr_set_fn storage_set_user_number, storage_set_user_qfull, storage_set_user_reply,
	storage_set_user_config, storage_set_user_size;

/* attrib/, pr/, wwn/ and statistics/ (storage_attrib.c, storage_pr.c and so on). */
extern const struct node_type storage_attrib_type, storage_pr_type, storage_wwn_type,
	storage_stats_type;
/* alua/, core/alua and the attributes alua_lu_gp and lba_map (storage_alua.c). */
extern const struct node_type storage_alua_type, storage_core_alua_type;
attr_get_fn storage_get_lu_gp, storage_get_lba_map;
attr_set_fn storage_set_lu_gp, storage_set_lba_map;
/*
 * Attributes after the disk was opened: its defaults, with what was written before laid over them.
 * Takes the disk in; it is the caller's to close if that fails.
 */
int storage_attach(struct storage *s, struct backstore *bs, struct errmsg *err);
/* lu->attribs changed: publish now if LUNs show it, else when the first one will. 0 or -ENOMEM. */
int storage_changed(struct storage *s, struct errmsg *err);
/* may_set of what is frozen while exported. */
bool storage_not_exported(const struct attr *a, void *obj, struct errmsg *err);

#endif
