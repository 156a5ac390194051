/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prefs.h: what targetcli calls global parameters: how the shell behaves, kept in a file of the
 * user's, $XDG_STATE_HOME/ulio/prefs.
 */
#ifndef ULIO_CLI_PREFS_H
#define ULIO_CLI_PREFS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct prefs {
	bool auto_add_default_portal, auto_add_mapped_luns, auto_cd_after_create, auto_enable_tpgt,
		auto_save_on_exit, export_backstore_name_as_model;
};

/* A preference, for lists and completion; NULL past the end. */
struct pref {
	const char *name, *doc;
	size_t offset; /* of a bool in struct prefs */
	bool preset;
};
const struct pref *pref_at(unsigned i);
bool pref_get(const struct prefs *p, const struct pref *pref);

/* The presets, then what the file says; lines that make no sense are passed over. */
void prefs_load(struct prefs *p);
/* Change one by name ("true", "false", "1" …) and write the file. 0 or -errno with *err. */
int prefs_set(struct prefs *p, const char *name, const char *value, struct errmsg *err);
/* true, yes, on, 1; false, no, off, 0: in either case. 0 or -EINVAL. */
int prefs_parse_bool(const char *text, bool *ret);

/* Path of a file of the user's, "history" or "prefs"; its folder is made. 0 or -errno. */
int prefs_state_path(const char *name, char *buf, size_t cap);

#endif
