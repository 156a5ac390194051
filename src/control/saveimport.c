/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveimport.c: the configuration of a kernel's LIO, read from its configfs or a copy of that. The
 * directories are taken over into a tree of our kind, whose attributes are the texts of the files;
 * what is to be saved of it is then told by savedump.c, as of our own. Nothing there is changed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/saveconfig_priv.h"
#include "control/savedump.h"
#include "control/saveschema.h"
#include "tree/limits.h"

#define CONFIGFS "/sys/kernel/config/target"

/* A directory there. What lies in it makes its kind. */
struct mirror {
	struct node_type type;
	struct list link; /* in import.all */
	struct import *im;
	struct attr *attrs; /* the value of each is its doc */
	struct node_default *defaults; /* of mirrors */
	size_t nattrs, ndefaults;
	char *path;
};

struct import {
	struct tree *t;
	char root[PATH_MAX];
	struct list all;
	int error; /* the first one */
	char failed[PATH_MAX]; /* where */
};

static const struct mirror *mirror_of(const struct node *n)
{
	return container_of(node_type(n), struct mirror, type);
}

static void fail(struct import *im, int error, const char *path)
{
	if (im->error)
		return;
	im->error = error;
	snprintf(im->failed, sizeof(im->failed), "%s", path);
}

/* ---- one directory --------------------------------------------------------------------------- */

/*
 * Directories that come with their parent, and whether anything in them is saved. All others were
 * made by somebody; in an HBA a storage object may have any name.
 */
static const struct {
	const char *name;
	bool saved;
} groups[] = {
	{ "acls", true },
	{ "action", false },
	{ "alua", true },
	{ "attrib", true },
	{ "auth", true },
	{ "core", true },
	{ "discovery_auth", true },
	{ "fabric_statistics", false },
	{ "lun", true },
	{ "np", true },
	{ "param", true },
	{ "pr", false },
	{ "statistics", false },
	{ "wwn", true },
};

enum entry { ENTRY_MADE, ENTRY_DEFAULT, ENTRY_SKIP };

static enum entry kind_of(const struct mirror *m, const char *name)
{
	const char *below = m->path + strlen(m->im->root);

	if (!*below && strcmp(name, "core") != 0)
		return strcmp(name, "iscsi") ? ENTRY_SKIP : ENTRY_MADE;
	if (!strncmp(below, "/core/", 6) && !strchr(below + 6, '/'))
		return ENTRY_MADE;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (!strcmp(groups[i].name, name))
			return groups[i].saved ? ENTRY_DEFAULT : ENTRY_SKIP;
	}
	return ENTRY_MADE;
}

static int get_text(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, a->doc);
	return 0;
}

static int set_nothing(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return errmsg_set(err, -EROFS, "%s: is LIO's", a->name);
}

static int link_any(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	return 0;
}

/* A file: one page at most, as configfs gives it. */
static char *read_text(int dir, const char *name)
{
	char buf[TREE_VALUE_MAX + 2];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	char *text;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return NULL; /* some cannot be read, or not now */
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	text = strdup(buf);
	explicit_bzero(buf, sizeof(buf));
	return text;
}

/* Room for one more and the end. False: out of memory. */
static bool grow(void *array, size_t n, size_t size)
{
	void **at = array;
	char *more = realloc(*at, (n + 2) * size);

	if (!more)
		return false;
	memset(more + n * size, 0, 2 * size);
	*at = more;
	return true;
}

static void add_file(struct mirror *m, int dir, const char *name, mode_t mode)
{
	struct attr *a;
	char *text;

	if (!(mode & 0222) && strcmp(name, "info") != 0 && strcmp(name, "members") != 0)
		return; /* only what can be set is saved, and what that needs */
	text = read_text(dir, name);
	if (!grow(&m->attrs, m->nattrs, sizeof(*m->attrs))) {
		free(text);
		fail(m->im, -ENOMEM, m->path);
		return;
	}
	a = &m->attrs[m->nattrs++];
	*a = (struct attr){ .name = strdup(name),
		.get = text ? get_text : NULL,
		.set = mode & 0222 ? set_nothing : NULL,
		.doc = text };
	if (!a->name)
		fail(m->im, -ENOMEM, m->path);
}

static struct mirror *mirror_new(struct import *im, const char *path, const char *name);

static void add_group(struct mirror *m, const char *name)
{
	struct mirror *sub;

	if (!grow(&m->defaults, m->ndefaults, sizeof(*m->defaults))) {
		fail(m->im, -ENOMEM, m->path);
		return;
	}
	sub = mirror_new(m->im, m->path, name);
	if (!sub)
		return;
	m->defaults[m->ndefaults++] =
		(struct node_default){ strrchr(sub->path, '/') + 1, &sub->type, NULL };
}

static int not_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* Each entry of the directory, in the order of names and their numbers. */
static void each_entry(struct import *im, const char *path,
	void (*fn)(void *arg, int dir, const char *name, mode_t mode), void *arg)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list = NULL;
	int n = dir < 0 ? -1 : scandirat(dir, ".", &list, not_dots, versionsort);

	if (n < 0)
		fail(im, -errno, path);
	for (int i = 0; i < n; i++) {
		struct stat st;

		if (!fstatat(dir, list[i]->d_name, &st, AT_SYMLINK_NOFOLLOW))
			fn(arg, dir, list[i]->d_name, st.st_mode);
		free(list[i]);
	}
	free(list);
	if (dir >= 0)
		close(dir);
}

static void take_entry(void *arg, int dir, const char *name, mode_t mode)
{
	struct mirror *m = arg;

	if (S_ISREG(mode))
		add_file(m, dir, name, mode);
	else if (S_ISDIR(mode) && kind_of(m, name) == ENTRY_DEFAULT)
		add_group(m, name);
}

static int mirror_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	const struct mirror *m = mirror_of(dir);
	struct mirror *sub = mirror_new(m->im, m->path, name);

	if (!sub)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", name);
	*ret = (struct node_new){ &sub->type, NULL };
	return 0;
}

static struct mirror *mirror_new(struct import *im, const char *path, const char *name)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (!m || asprintf(&m->path, "%s%s%s", path, *name ? "/" : "", name) < 0) {
		free(m);
		fail(im, -ENOMEM, path);
		return NULL;
	}
	m->im = im;
	list_push_back(&im->all, &m->link);
	each_entry(im, m->path, take_entry, m);
	m->type = (struct node_type){ .name = "directory",
		.attrs = m->attrs,
		.defaults = m->defaults,
		.mkdir = mirror_mkdir,
		.link = link_any };
	return m;
}

static void mirror_free(struct mirror *m)
{
	for (size_t i = 0; i < m->nattrs; i++) {
		char *text = (char *)m->attrs[i].doc;

		if (text)
			explicit_bzero(text, strlen(text));
		free(text);
		free((char *)m->attrs[i].name);
	}
	free(m->attrs);
	free(m->defaults);
	free(m->path);
	free(m);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void each_below(struct import *im, struct node *n,
	void (*fn)(void *arg, int dir, const char *name, mode_t mode))
{
	each_entry(im, mirror_of(n)->path, fn, n);
	for (struct node *c = node_first_child(n); c && !im->error; c = node_next_child(n, c))
		each_below(im, c, fn);
}

static void make_dir(void *arg, int dir, const char *name, mode_t mode)
{
	struct node *n = arg;
	const struct mirror *m = mirror_of(n);

	if (S_ISDIR(mode) && kind_of(m, name) == ENTRY_MADE)
		tree_mkdir(m->im->t, n, name, NULL, NULL);
}

/* A link, to what it leads to there. */
static void make_link(void *arg, int dir, const char *name, mode_t mode)
{
	struct node *n = arg, *target;
	struct import *im = mirror_of(n)->im;
	size_t root = strlen(im->root);
	char path[PATH_MAX + TREE_NAME_MAX + 2], to[PATH_MAX];

	if (!S_ISLNK(mode))
		return;
	snprintf(path, sizeof(path), "%s/%s", mirror_of(n)->path, name);
	if (!realpath(path, to) || strncmp(to, im->root, root) != 0 || to[root] != '/')
		return;
	target = tree_lookup(im->t, to + root);
	if (target)
		tree_link(im->t, n, name, target, NULL);
}

int saveimport(const char *root, json_t **ret_config, struct errmsg *err)
{
	struct import im = { 0 };
	struct mirror *top, *m, *tmp;
	json_t *extras = NULL;
	int r = 0;

	list_init(&im.all);
	if (!realpath(root, im.root))
		return errmsg_set(err, -errno, "%s: %s", root, err_text(-errno));
	top = mirror_new(&im, im.root, "");
	if (!im.error && !top->ndefaults)
		r = errmsg_set(err, -EINVAL,
			"%s: has no \"core\": the directory of LIO is meant, " CONFIGFS, root);
	if (!r && !im.error)
		r = tree_new(&top->type, NULL, &im.t);
	if (im.t) {
		each_below(&im, tree_root(im.t), make_dir);
		each_below(&im, tree_root(im.t), make_link);
	}
	if (!r && im.error)
		r = errmsg_set(err, im.error, "%s: %s", im.failed, err_text(im.error));
	if (!r)
		r = savedump(im.t, ret_config, &extras);
	json_decref(extras);
	tree_free(im.t);
	list_for_each_safe (m, tmp, &im.all, struct mirror, link)
		mirror_free(m);
	return r;
}

/* ---- the method ------------------------------------------------------------------------------ */

static int import_apply(
	struct saveconfig *s, struct control_call *call, const json_t *config, struct problems *p)
{
	int r;

	if (saveconfig_set_loading(s, true))
		return call_fail(call, -EBUSY, "another configuration is being carried out");
	r = saveapply(saveconfig_tree(s), config, NULL, SAVEAPPLY_KEEP_EXTRAS, saveconfig_hooks(s),
		p, NULL);
	saveconfig_set_loading(s, false);
	return r;
}

static int method_migrate(void *arg, struct control_call *call)
{
	struct saveconfig *s = arg;
	const struct saveapply_hooks *hooks = saveconfig_hooks(s);
	const char *root = call_string(call, "root") ?: CONFIGFS;
	json_t *config = NULL;
	struct problems p;
	int r;

	if (root[0] != '/')
		return call_fail(call, -EINVAL, "root %s: an absolute path is meant", root);
	r = saveimport(root, &config, &call->err);
	if (r)
		return r;
	problems_init(&p);
	saveschema_check(config, &p);
	if (!p.counts[PROBLEM_ERROR] && call_bool(call, "apply", false))
		r = import_apply(s, call, config, &p);
	else if (!p.counts[PROBLEM_ERROR] && hooks->rehearse)
		r = hooks->rehearse(hooks->arg, config, NULL, &p, &call->err);
	if (!r)
		call->result =
			json_pack("{s:O, s:o}", "config", config, "problems", problems_json(&p));
	problems_done(&p);
	json_decref(config);
	return r;
}

const struct control_method saveimport_methods[] = {
	{ .name = "migrate",
		.doc = "The configuration of the kernel's LIO, with its secrets, and what of it "
		       "could not be taken over.",
		.fn = method_migrate,
		.changes = true,
		.params = { { "root", PARAM_STRING, false,
				    "LIO's directory or a copy of it; absent: " CONFIGFS },
			{ "apply", PARAM_BOOL, false,
				"add it to what runs; LIO must have let go of its disks and "
				"addresses" } } },
	{ .name = NULL },
};
