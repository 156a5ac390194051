/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveschema.h: what a saveconfig.json may contain, as tables: keys, types, ranges, and the
 * references between its parts. man/saveconfig.5 describes the same.
 */
#ifndef ULIO_CONTROL_SAVESCHEMA_H
#define ULIO_CONTROL_SAVESCHEMA_H

#include <jansson.h>

#include "base/strbuf.h"
#include "control/problems.h"

/*
 * Check the structure of a configuration: PROBLEM_ERROR for what makes it unusable (wrong types,
 * missing keys, references into nowhere, the same object twice), PROBLEM_SKIPPED for parts that
 * this daemon does not serve, PROBLEM_NOTE for keys that it does not know. Values of attributes are
 * judged when they are applied. Pure function.
 */
void saveschema_check(const json_t *config, struct problems *p);

/*
 * Parse text of n bytes. NULL: *line and the problem "line L column C" say where it is no JSON.
 */
json_t *saveschema_parse(const char *text, size_t n, struct problems *p);

/*
 * How configfs calls the backstores of a plugin ("fileio" -> "fileio", "block" -> "iblock" …),
 * NULL: unknown.
 */
const char *saveschema_hba(const char *plugin);
/* The other way, of an HBA's name up to its index ("rd_mcp"), NULL: unknown. */
const char *saveschema_plugin(const char *hba);

/* Append the name of a portal's directory: "10.0.0.1:3260", "10.0.0.1:3260@NETNS". */
void saveschema_portal_name(const json_t *portal, struct strbuf *out);

#endif
