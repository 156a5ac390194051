/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.h: the named limits of the tree. */
#ifndef ULIO_TREE_LIMITS_H
#define ULIO_TREE_LIMITS_H

enum {
	TREE_NAME_MAX = 255, /* bytes of an entry's name: NAME_MAX of every Linux file system */
	TREE_VALUE_MAX = 4095, /* bytes of a value written: a page less the NUL, as in configfs */
	TREE_PATH_MAX = 4096, /* bytes of a path, PATH_MAX */
};

#endif
