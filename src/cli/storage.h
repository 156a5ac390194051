/* SPDX-License-Identifier: BSD-3-Clause */
/* storage.h: making storage objects as targetcli's defaults have it, for several verbs. */
#ifndef ULIO_CLI_STORAGE_H
#define ULIO_CLI_STORAGE_H

#include "cli/cli.h"

/* What a storage object is made of. */
struct storage_new {
	const char *hba; /* "fileio", "iblock", "rd_mcp" … */
	const char *name;
	const char *control; /* words for its control */
	const char *udev_path; /* NULL: none */
	const char *serial; /* NULL: a random UUID */
	bool write_cache; /* it has a volatile cache */
};

enum { STORAGE_DIR_CHARS = 640, STORAGE_UUID_CHARS = 37 };

/*
 * Make a storage object in an HBA of its own, and open it; what was made is removed again if that
 * fails. dir gets its directory in the daemon's tree. 0 or CLI_FAILED, said.
 */
int storage_make(struct cli *cli, const struct storage_new *s, char dir[STORAGE_DIR_CHARS]);
/* One path, one storage object: whether none has it yet. 0 or CLI_FAILED, said. */
int storage_not_in_use(struct cli *cli, const char *path);
/* Whether a path can be said in words for control. 0 or CLI_USAGE, said. */
int storage_check_path(struct cli *cli, const char *path);
/*
 * One for an existing file or block device, named as its last component. 0 or status, said.
 */
int storage_make_of_path(struct cli *cli, const char *path, char dir[STORAGE_DIR_CHARS]);
/* Remove a storage object of the daemon's tree with its LUNs. 0 or CLI_FAILED, said. */
int storage_remove(struct cli *cli, const char *dir);

/* A random UUID as a unit serial number. Returns buf. */
const char *storage_new_uuid(char buf[STORAGE_UUID_CHARS]);

/* Remove a LUN, with its mappings, or any directory with what users made in it. */
int tree_remove(struct cli *cli, const char *path);
int tree_mkdir_at(struct cli *cli, const char *dir, const char *name);

#endif
