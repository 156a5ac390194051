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
	uint32_t next_id; /* of an HBA */
	unsigned nhbas;
};

/* A plugin of LIO and the kind of backstore behind it. */
struct storage_kind {
	const char *hba; /* "fileio" */
	const char *backstore; /* "file"; NULL: named by "dev_config" */
	uint32_t hw_max_bytes; /* hw_max_sectors in bytes, 0: 4294967288 sectors, as LIO says */
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

struct storage {
	struct hba *hba;
	struct lu *lu; /* owned */
	bool enabled; /* its disk was opened */
	bool pending; /* it may be linked without */
	bool dirty; /* lu->attribs have changes that the snapshot lacks */
	uint64_t written; /* rows of attrib/ that were set before it was enabled */
	/* By "control"; texts are owned, NULL: not given. */
	char *dev; /* fd_dev_name, udev_path, dev_config */
	uint64_t size_bytes; /* 0: not given */
	bool buffered, async, readonly, exclusive, nullio;
	/* Attributes. */
	char *settings, *udev_path, *alias;
};

/* "control" and the opening of disks (storage_open.c). */
const struct storage_kind *storage_kind_find(const char *hba, size_t len);
int storage_control_set(const struct attr *a, void *obj, const char *value, struct errmsg *err);
int storage_open(struct storage *s, struct errmsg *err);

/* attrib/, pr/, wwn/ and statistics/ (storage_attrib.c, storage_pr.c, storage_wwn.c). */
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
