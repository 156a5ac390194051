/* SPDX-License-Identifier: BSD-3-Clause */
/* prefs.c: the preferences as a table, and their file of "name=value" lines. */
#include "cli/prefs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fsutil.h"
#include "base/strbuf.h"

#define PREF(field, value, text)                                                                   \
	{                                                                                          \
#field, text, offsetof(struct prefs, field), value                                 \
	}

static const struct pref table[] = {
	PREF(auto_add_default_portal, true,
		"New portal groups listen on all addresses, port 3260."),
	PREF(auto_add_mapped_luns, true,
		"New LUNs are mapped for all ACLs, new ACLs get all LUNs."),
	PREF(auto_cd_after_create, false, "The shell goes to what was created."),
	PREF(auto_enable_tpgt, true, "New portal groups are enabled."),
	PREF(auto_save_on_exit, true, "A shell that has changed something saves when it is left."),
	PREF(export_backstore_name_as_model, true,
		"New storage objects tell their name as PRODUCT IDENTIFICATION."),
};

enum { NPREFS = sizeof(table) / sizeof(table[0]), PATH_CHARS = 512, LINE_CHARS = 256 };

const struct pref *pref_at(unsigned i)
{
	return i < NPREFS ? &table[i] : NULL;
}

static bool *field_of(struct prefs *p, const struct pref *pref)
{
	return (bool *)((char *)p + pref->offset);
}

bool pref_get(const struct prefs *p, const struct pref *pref)
{
	return *field_of((struct prefs *)p, pref);
}

static const struct pref *find(const char *name, size_t n)
{
	for (unsigned i = 0; i < NPREFS; i++) {
		if (strlen(table[i].name) == n && !memcmp(table[i].name, name, n))
			return &table[i];
	}
	return NULL;
}

int prefs_parse_bool(const char *text, bool *ret)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(text, words[i])) {
			*ret = i % 2;
			return 0;
		}
	}
	return -EINVAL;
}

int prefs_state_path(const char *name, char *buf, size_t cap)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && *state == '/')
		n = snprintf(buf, cap, "%s", state);
	else if (home && *home)
		n = snprintf(buf, cap, "%s/.local/state", home);
	else
		return -ENOENT;
	if (n < 0 || (size_t)n + strlen(name) + sizeof("/ulio/") > cap)
		return -ENAMETOOLONG;
	/* Each folder on the way; what is there stays as it is. */
	for (char *p = buf + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(buf, 0755);
		*p = '/';
	}
	mkdir(buf, 0755);
	snprintf(buf + n, cap - (size_t)n, "/ulio");
	if (mkdir(buf, 0700) && errno != EEXIST)
		return -errno;
	snprintf(buf + n, cap - (size_t)n, "/ulio/%s", name);
	return 0;
}

void prefs_load(struct prefs *p)
{
	char path[PATH_CHARS], line[LINE_CHARS];
	FILE *f;

	for (unsigned i = 0; i < NPREFS; i++)
		*field_of(p, &table[i]) = table[i].preset;
	if (prefs_state_path("prefs", path, sizeof(path)) || !(f = fopen(path, "re")))
		return;
	while (fgets(line, sizeof(line), f)) {
		char *eq = strchr(line, '=');
		const struct pref *pref = eq ? find(line, (size_t)(eq - line)) : NULL;

		line[strcspn(line, "\n")] = '\0';
		if (pref)
			prefs_parse_bool(eq + 1, field_of(p, pref));
	}
	fclose(f);
}

static int save(const struct prefs *p, struct errmsg *err)
{
	char path[PATH_CHARS];
	int r = prefs_state_path("prefs", path, sizeof(path));
	struct strbuf text;

	if (r)
		return errmsg_set(err, r, "the preferences cannot be kept: %s", err_text(r));
	strbuf_init(&text);
	for (unsigned i = 0; i < NPREFS; i++)
		strbuf_printf(
			&text, "%s=%s\n", table[i].name, pref_get(p, &table[i]) ? "true" : "false");
	r = file_write_atomic(path, text.s, text.len, 0600);
	strbuf_done(&text);
	return r ? errmsg_set(err, r, "%s: %s", path, err_text(r)) : 0;
}

int prefs_set(struct prefs *p, const char *name, const char *value, struct errmsg *err)
{
	const struct pref *pref = find(name, strlen(name));
	bool b;

	if (!pref)
		return errmsg_set(err, -ENOENT,
			"%s: there is no such global parameter; \"get global\" lists them", name);
	if (prefs_parse_bool(value, &b))
		return errmsg_set(err, -EINVAL, "%s=%s: true or false is meant", name, value);
	*field_of(p, pref) = b;
	return save(p, err);
}
