/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * params.h: settings of backstores ("size=10G"): checked against the backstore's table of what
 * there is, and read back by the backstores that come with ulio. All functions: any thread.
 */
#ifndef ULIO_BLOCK_PARAMS_H
#define ULIO_BLOCK_PARAMS_H

#include <ulio/backstore.h>

#include <stdbool.h>

#include "base/err.h"

/*
 * Check settings against the table: known, once each, valid, and all that is required is there.
 *	live	they are for set(): only ULIO_PARAM_LIVE ones, nothing is required
 * 0 or -EINVAL with a sentence that names key, value and what is allowed.
 */
int params_check(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, bool live, struct errmsg *err);

/*
 * Values of one type, as params_check() takes them: 0 or -EINVAL.
 * A size is a whole number with an optional K, M, G, T or P (any case, "B" or "iB" may follow).
 */
int param_parse_size(const char *s, uint64_t *ret);
int param_parse_bool(const char *s, bool *ret);
/* Index in "yes|no|auto". */
int param_parse_choice(const char *choices, const char *s, unsigned *ret);

/*
 * The value of a setting, or its preset, or NULL. And the same parsed; they have been checked, so
 * these cannot fail (0 or false where there is neither value nor preset).
 */
const char *param_str(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, const char *key);
uint64_t param_u64(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, const char *key);
bool param_bool(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, const char *key);
unsigned param_choice(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, const char *key);
/* Was it given? */
bool param_given(const struct ulio_param *params, unsigned nparams, const char *key);

#endif
