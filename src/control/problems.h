/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * problems.h: a list of what is wrong with a configuration: where (a JSON path such as
 * "/storage_objects/3/attributes/block_size"), what, and the cure. The list is bounded; what goes
 * beyond is counted.
 */
#ifndef ULIO_CONTROL_PROBLEMS_H
#define ULIO_CONTROL_PROBLEMS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/strbuf.h"

enum problem_level {
	PROBLEM_NOTE, /* worth knowing: nothing is lost by it */
	PROBLEM_SKIPPED, /* this part was or will be left out, the rest works */
	PROBLEM_ERROR, /* the file cannot be used */
};

struct problem {
	enum problem_level level;
	char *path;
	char *text;
};

struct problems {
	struct problem *list;
	unsigned n;
	unsigned counts[PROBLEM_ERROR + 1]; /* by level, with those beyond the list */
};

void problems_init(struct problems *p);
void problems_done(struct problems *p);
void problem_add(struct problems *p, enum problem_level level, const char *path, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
/* "note", "skipped", "error" */
const char *problem_level_name(enum problem_level level);
/* One line each: "error: /path: text"; ends with how many more there are. */
void problems_print(const struct problems *p, struct strbuf *out);
/* [{"level":…,"path":…,"text":…}]. */
json_t *problems_json(const struct problems *p);

#endif
