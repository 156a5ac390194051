/* SPDX-License-Identifier: BSD-3-Clause */
/* problems.c: the list of what is wrong with a configuration. */
#include "control/problems.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/limits.h"
#include "control/rpc.h"

static const char *const level_names[] = {
	[PROBLEM_NOTE] = "note",
	[PROBLEM_SKIPPED] = "skipped",
	[PROBLEM_ERROR] = "error",
};

void problems_init(struct problems *p)
{
	*p = (struct problems){ 0 };
}

void problems_done(struct problems *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		free(p->list[i].path);
		free(p->list[i].text);
	}
	free(p->list);
	problems_init(p);
}

const char *problem_level_name(enum problem_level level)
{
	return level_names[level];
}

/* A place at the end of the list, NULL if it is full. */
static struct problem *new_place(struct problems *p)
{
	struct problem *list;

	if (p->n == SAVECONFIG_PROBLEMS_MAX)
		return NULL;
	if ((p->n & (p->n - 1)) == 0) {
		list = realloc(p->list, (p->n ? 2 * p->n : 1) * sizeof(*list));
		if (!list)
			return NULL;
		p->list = list;
	}
	return &p->list[p->n];
}

void problem_add(
	struct problems *p, enum problem_level level, const char *path, const char *fmt, ...)
{
	struct problem *at = new_place(p);
	struct strbuf text;
	va_list ap;

	p->counts[level]++;
	if (!at)
		return;
	strbuf_init(&text);
	va_start(ap, fmt);
	strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	at->level = level;
	at->path = strdup(path);
	at->text = strbuf_steal(&text);
	if (!at->path || !at->text) {
		free(at->path);
		free(at->text);
		return;
	}
	p->n++;
}

void problems_print(const struct problems *p, struct strbuf *out)
{
	unsigned all = 0;

	for (unsigned i = 0; i < p->n; i++)
		strbuf_printf(out, "%s: %s: %s\n", level_names[p->list[i].level], p->list[i].path,
			p->list[i].text);
	for (unsigned l = 0; l <= PROBLEM_ERROR; l++)
		all += p->counts[l];
	if (all > p->n)
		strbuf_printf(out, "and %u more\n", all - p->n);
}

json_t *problems_json(const struct problems *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->n; i++)
		json_array_append_new(list,
			json_pack("{s:s, s:o, s:o}", "level", level_names[p->list[i].level], "path",
				json_text(p->list[i].path), "text", json_text(p->list[i].text)));
	return list;
}
