/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attr.h: attribute rows. One row of a table is one file of the configfs tree, one method of the
 * control socket, one completion of the shell, one entry of the manual.
 *
 * A module exports the table of each kind of object that it has; the tree (node.h) hangs it under a
 * directory. All get and set functions run on the control thread, one at a time.
 */
#ifndef ULIO_TREE_ATTR_H
#define ULIO_TREE_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

struct attr;

/*
 * obj is the object of the directory (node_obj()). get appends the value without a newline; set
 * gets the value with one trailing newline removed. Both return 0 or -errno as configfs would
 * (reference: EINVAL, EPERM, ENOSYS, ENODEV, EBUSY, EOVERFLOW …); set explains in *err, naming the
 * value and the cure.
 */
typedef int attr_get_fn(const struct attr *a, void *obj, struct strbuf *out);
typedef int attr_set_fn(const struct attr *a, void *obj, const char *value, struct errmsg *err);

enum {
	ATTR_SECRET = 1 << 0, /* never logged; the socket shows it only to whoever may read it */
	ATTR_UNSAVED = 1 << 1, /* RW, but no part of the saved configuration */
	ATTR_STAT = 1 << 2, /* a counter or state, for metrics */
	ATTR_OURS = 1 << 3, /* LIO has no such file: the mount does not show it */
	/*
	 * As a file a text ends with a newline, and one without a byte is empty, except for:
	 */
	ATTR_NO_NEWLINE = 1 << 4, /* as LIO: the text as it is */
	ATTR_EMPTY_LINE = 1 << 5, /* as LIO: a text without a byte is an empty line */
};

struct attr {
	const char *name;
	attr_get_fn *get; /* NULL: write only */
	attr_set_fn *set; /* NULL: read only */
	const char *doc;
	unsigned flags;
	/* For the ready-made functions below and for functions that serve several rows. */
	size_t offset; /* of the field in obj */
	uint64_t min, max;
	const char *const *words; /* value words, ends with NULL */
	/*
	 * Asked by tree_set() before set; NULL: always. False: the write is -EINVAL, as configfs
	 * says of what may not change while exported; *err then says why and how.
	 */
	bool (*may_set)(const struct attr *a, void *obj, struct errmsg *err);
};

/* The end of a table. */
#define ATTR_END                                                                                   \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/*
 * Ready-made for fields at a->offset: uint32_t in [min, max] (max 0: UINT32_MAX); bool as 0/1 (y n
 * yes no accepted as configfs does).
 */
int attr_get_u32(const struct attr *a, void *obj, struct strbuf *out);
int attr_set_u32(const struct attr *a, void *obj, const char *value, struct errmsg *err);
int attr_get_bool(const struct attr *a, void *obj, struct strbuf *out);
int attr_set_bool(const struct attr *a, void *obj, const char *value, struct errmsg *err);
/* char array at offset of max bytes including the NUL. */
int attr_get_str(const struct attr *a, void *obj, struct strbuf *out);
int attr_set_str(const struct attr *a, void *obj, const char *value, struct errmsg *err);

/*
 * Parse as configfs does: decimal, 0x hex, 0 octal; refuses what is left over or out
 * of range, naming a->name, the value and the range. 0, -EINVAL, or -ERANGE for numbers that do not
 * even fit the type (32 bits if max does, else 64).
 */
int attr_parse_u64(const struct attr *a, const char *value, uint64_t min, uint64_t max,
	uint64_t *ret, struct errmsg *err);
int attr_parse_s64(const struct attr *a, const char *value, int64_t min, int64_t max, int64_t *ret,
	struct errmsg *err);
/* By the first characters alone: 1 y t on, 0 n f of…. 0 or -EINVAL. */
int attr_parse_bool(const struct attr *a, const char *value, bool *ret, struct errmsg *err);

#define attr_for_each(a, table) for (a = (table); a && a->name; a++)

#endif
