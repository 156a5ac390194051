/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spec.c: "delay:ms=5|file:/path,size=10G": backstores as people write them. The last part is the
 * disk, the parts before it are filters, the outermost first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/backstore_priv.h"
#include "block/limits.h"

struct spec_part {
	char *kind;
	unsigned nparams;
	struct ulio_param params[BACKSTORE_PARAMS_MAX];
};

struct spec {
	char *text; /* the copy into which all others point */
	unsigned nparts;
	struct spec_part parts[BACKSTORE_STACK_MAX];
};

/*
 * Cut the text at the first of stop characters that no backslash precedes, and take the backslashes
 * out. *ret_end: the character that stopped it. Returns what follows.
 */
static char *cut(char *s, const char *stop, char *ret_end)
{
	char *out = s;

	while (*s && !strchr(stop, *s)) {
		if (*s == '\\' && s[1])
			s++;
		*out++ = *s++;
	}
	*ret_end = *s;
	if (*s)
		s++;
	*out = '\0';
	return s;
}

static bool doc_has(const struct ulio_param_doc *docs, const char *key, size_t n)
{
	for (; docs && docs->key; docs++)
		if (strncmp(docs->key, key, n) == 0 && docs->key[n] == '\0')
			return true;
	return false;
}

/* "key=value", or the main value where it comes first and does not begin with a known key. */
static int part_add(struct spec_part *part, const struct ulio_param_doc *docs, char *piece,
	bool first, struct errmsg *err)
{
	struct ulio_param *p = &part->params[part->nparams];
	char *eq = strchr(piece, '=');

	if (part->nparams == BACKSTORE_PARAMS_MAX)
		return errmsg_set(err, -EINVAL, "%.32s: more than %d settings", part->kind,
			BACKSTORE_PARAMS_MAX);
	if (first && !(eq && doc_has(docs, piece, (size_t)(eq - piece)))) {
		if (!docs || !docs->key)
			return errmsg_set(err, -EINVAL, "%s: takes no settings", part->kind);
		p->key = docs->key;
		p->value = piece;
	} else if (eq) {
		*eq = '\0';
		p->key = piece;
		p->value = eq + 1;
	} else {
		return errmsg_set(
			err, -EINVAL, "%s: \"%.64s\": must be key=value", part->kind, piece);
	}
	part->nparams++;
	return 0;
}

/* One part, up to the bar. *s moves behind it; *ret_more: something follows. */
static int part_parse(struct backstore_registry *reg, struct spec_part *part, char **s,
	bool *ret_more, struct errmsg *err)
{
	const struct backstore_kind *kind;
	char end;
	int r;

	part->kind = *s;
	*s = cut(*s, ":|", &end);
	kind = registry_find(reg, part->kind);
	if (!kind)
		return errmsg_set(err, -ENOENT,
			"\"%.64s\": no such kind of backstore; the form is kind:value,key=value",
			part->kind);
	for (bool first = true; end == ':' || end == ','; first = false) {
		char *piece = *s;

		*s = cut(*s, ",|", &end);
		if (first && !*piece && end != ',')
			break;
		r = part_add(part, kind->ops.params, piece, first, err);
		if (r < 0)
			return r;
	}
	*ret_more = end == '|';
	return 0;
}

static int spec_parse(
	struct backstore_registry *reg, struct spec *spec, const char *text, struct errmsg *err)
{
	bool more = true;
	char *s;
	int r;

	if (strlen(text) > BACKSTORE_SPEC_MAX)
		return errmsg_set(err, -EINVAL, "longer than %d bytes", BACKSTORE_SPEC_MAX);
	s = spec->text = strdup(text);
	if (!s)
		return errmsg_set(err, -ENOMEM, "out of memory");
	while (more) {
		if (spec->nparts == BACKSTORE_STACK_MAX)
			return errmsg_set(err, -EINVAL, "more than %d backstores upon each other",
				BACKSTORE_STACK_MAX);
		r = part_parse(reg, &spec->parts[spec->nparts], &s, &more, err);
		if (r < 0)
			return r;
		spec->nparts++;
	}
	return 0;
}

int backstore_open_spec(struct backstore_registry *reg, const char *name, const char *text,
	struct backstore **ret, struct errmsg *err)
{
	struct spec *spec = calloc(1, sizeof(*spec));
	struct backstore *bs = NULL, *above;
	struct errmsg ours;
	int r;

	if (!err)
		err = &ours;
	if (!spec)
		return errmsg_set(err, -ENOMEM, "out of memory");
	r = spec_parse(reg, spec, text, err);
	for (unsigned i = spec->nparts; r == 0 && i-- > 0;) {
		const struct spec_part *part = &spec->parts[i];

		r = backstore_open(
			reg, part->kind, name, part->params, part->nparams, bs, &above, err);
		if (r == 0)
			bs = above;
	}
	/* Nobody had a request in it. */
	if (r < 0)
		backstore_destroy(bs);
	else
		*ret = bs;
	free(spec->text);
	free(spec);
	return r;
}
