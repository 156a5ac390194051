/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node.c: the configuration tree. Default groups are made when they are first looked at: most of
 * them (statistics of each LUN) never are.
 */
#include "tree/node.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tree/limits.h"
#include "tree/node_priv.h"

/* ---- nodes --------------------------------------------------------------------------------- */

static struct node *node_new(struct tree *t, struct node *parent, const char *name)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->tree = t;
	n->parent = parent;
	n->name = name;
	n->def = -1;
	list_init(&n->children);
	list_init(&n->sibling);
	list_init(&n->incoming);
	index_add_id(t, n);
	return n;
}

static void link_free(struct link *l)
{
	list_del(&l->incoming);
	list_del(&l->all);
	free(l->name);
	free(l);
}

static unsigned ndefaults(const struct node_type *type)
{
	unsigned n = 0;

	while (type->defaults && type->defaults[n].name)
		n++;
	return n;
}

/* Free n and all below it; objects and listeners are not told. */
static void node_free(struct node *n)
{
	unsigned ndef = n->defaults ? ndefaults(n->type) : 0;
	struct node *c, *tmp;

	for (unsigned i = 0; i < n->nlinks; i++)
		link_free(n->links[i]);
	free(n->links);
	for (unsigned i = 0; i < ndef; i++) {
		if (n->defaults[i])
			node_free(n->defaults[i]);
	}
	free(n->defaults);
	list_for_each_safe (c, tmp, &n->children, struct node, sibling)
		node_free(c);
	/* Left over only when the whole tree goes: the links' own directories free them. */
	while (list_pop_front(&n->incoming))
		;
	if (n->def < 0 && n->parent) {
		index_del_name(n->tree, n);
		list_del(&n->sibling);
		n->parent->nchildren--;
		free((char *)n->name);
	}
	index_del_id(n->tree, n);
	free(n);
}

/* The i-th default group of dir, made now if it was not. NULL: out of memory. */
static struct node *default_at(struct node *dir, unsigned i)
{
	const struct node_default *d = &dir->type->defaults[i];
	struct node *n;

	if (!dir->defaults)
		dir->defaults = calloc(ndefaults(dir->type), sizeof(*dir->defaults));
	if (!dir->defaults)
		return NULL;
	if (dir->defaults[i])
		return dir->defaults[i];
	n = node_new(dir->tree, dir, d->name);
	if (!n)
		return NULL;
	n->type = d->type;
	n->obj = d->child_obj ? d->child_obj(dir->obj) : dir->obj;
	n->def = (int)i;
	dir->defaults[i] = n;
	return n;
}

int tree_new(const struct node_type *root, void *root_obj, struct tree **ret)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	list_init(&t->links);
	t->root = index_init(t) ? NULL : node_new(t, NULL, "");
	if (!t->root) {
		index_done(t);
		free(t);
		return -ENOMEM;
	}
	pthread_mutex_init(&t->turn, NULL);
	pthread_cond_init(&t->claims_changed, NULL);
	list_init(&t->claims);
	t->root->type = root;
	t->root->obj = root_obj;
	*ret = t;
	return 0;
}

struct tree *tree_free(struct tree *t)
{
	if (!t)
		return NULL;
	node_free(t->root);
	pthread_cond_destroy(&t->claims_changed);
	pthread_mutex_destroy(&t->turn);
	index_done(t);
	free(t->listeners);
	free(t);
	return NULL;
}

struct node *tree_root(struct tree *t)
{
	return t->root;
}

int tree_listen(struct tree *t, tree_listener_fn *fn, void *arg)
{
	struct listener *l = realloc(t->listeners, (t->nlisteners + 1) * sizeof(*l));

	if (!l)
		return -ENOMEM;
	t->listeners = l;
	t->listeners[t->nlisteners++] = (struct listener){ fn, arg };
	return 0;
}

void tree_unlisten(struct tree *t, tree_listener_fn *fn, void *arg)
{
	unsigned to = 0;

	for (unsigned i = 0; i < t->nlisteners; i++) {
		if (t->listeners[i].fn != fn || t->listeners[i].arg != arg)
			t->listeners[to++] = t->listeners[i];
	}
	t->nlisteners = to;
}

static void tell(struct tree *t, enum tree_event ev, struct node *dir, const char *name)
{
	for (unsigned i = 0; i < t->nlisteners; i++)
		t->listeners[i].fn(t->listeners[i].arg, ev, dir, name);
}

/* ---- looking ------------------------------------------------------------------------------- */

static struct node *there(struct node *n)
{
	return n && !n->going ? n : NULL;
}

struct node *node_child(struct node *dir, const char *name)
{
	const struct node_default *d = dir->type->defaults;

	for (unsigned i = 0; d && d[i].name; i++) {
		if (!strcmp(d[i].name, name))
			return default_at(dir, i);
	}
	return there(index_find(dir->tree, dir, name));
}

static struct link *find_link(const struct node *dir, const char *name, unsigned *ret_place)
{
	for (unsigned i = 0; i < dir->nlinks; i++) {
		if (!strcmp(dir->links[i]->name, name)) {
			*ret_place = i;
			return dir->links[i];
		}
	}
	return NULL;
}

struct node *tree_lookup(struct tree *t, const char *path)
{
	struct node *n = t->root;
	char name[TREE_NAME_MAX + 1];

	while (n) {
		struct node *next;
		unsigned place;
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len)
			return n;
		if (len > TREE_NAME_MAX)
			return NULL;
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		next = node_child(n, name);
		if (!next) {
			struct link *l = find_link(n, name, &place);

			next = l ? l->target : NULL;
		}
		n = next;
	}
	return NULL;
}

const struct attr *node_attr(struct node *node, const char *name)
{
	const struct attr *a;

	attr_for_each (a, node->type->attrs) {
		if (!strcmp(a->name, name))
			return a;
	}
	return NULL;
}

void *node_obj(const struct node *node)
{
	return node->obj;
}

const struct node_type *node_type(const struct node *node)
{
	return node->type;
}

uint64_t node_id(const struct node *node)
{
	return node->id;
}

const char *node_name(const struct node *node)
{
	return node->name;
}

struct node *node_parent(const struct node *node)
{
	return node->parent;
}

void node_path(const struct node *node, struct strbuf *out)
{
	if (!node->parent) {
		strbuf_puts(out, "/");
		return;
	}
	if (node->parent->parent)
		node_path(node->parent, out);
	strbuf_putc(out, '/');
	strbuf_puts(out, node->name);
}

bool node_is_default(const struct node *node)
{
	return node->def >= 0;
}

struct node *node_up(struct node *node, const struct node_type *type)
{
	while (node && node->type != type)
		node = node->parent;
	return node;
}

/* The first user-made directory from that place on that is not being removed. */
static struct node *user_made_from(struct node *dir, struct list *at)
{
	struct node *n = NULL;

	for (; at != &dir->children && !n; at = at->next)
		n = there(container_of(at, struct node, sibling));
	return n;
}

static struct node *first_user_made(struct node *dir)
{
	return user_made_from(dir, dir->children.next);
}

struct node *node_first_child(struct node *dir)
{
	if (ndefaults(dir->type))
		return default_at(dir, 0);
	return first_user_made(dir);
}

struct node *node_next_child(struct node *dir, struct node *prev)
{
	assert(prev->parent == dir);
	if (prev->def >= 0) {
		unsigned next = (unsigned)prev->def + 1;

		if (dir->type->defaults[next].name)
			return default_at(dir, next);
		return first_user_made(dir);
	}
	return user_made_from(dir, prev->sibling.next);
}

unsigned node_nchildren(const struct node *dir)
{
	return ndefaults(dir->type) + dir->nchildren;
}

bool node_link_at(struct node *dir, unsigned i, struct node_link *ret)
{
	if (i >= dir->nlinks)
		return false;
	ret->id = dir->links[i]->id;
	ret->name = dir->links[i]->name;
	ret->target = dir->links[i]->target;
	return true;
}

/* Around a module's function, which must not change the tree: with this thread's claim. */
static void call_begin(struct tree *t)
{
	struct tree_claim *c, *own = NULL;

	list_for_each (c, &t->claims, struct tree_claim, link) {
		if (!pthread_equal(c->owner, pthread_self()))
			continue;
		assert(!c->in_module);
		own = c;
	}
	own->in_module = true;
}

static void call_end(struct tree *t)
{
	struct tree_claim *c;

	list_for_each (c, &t->claims, struct tree_claim, link) {
		if (pthread_equal(c->owner, pthread_self()))
			c->in_module = false;
	}
}

/*
 * Before an operation on n: wait until nobody else changes its unit, nor what has the id other (0:
 * nothing). -ENOENT: n went meanwhile.
 */
static int claim(struct tree *t, struct tree_claim *c, struct node *n, uint64_t other,
	const char *name, struct errmsg *err)
{
	uint64_t id = n->id;

	claim_take(t, c, claim_unit(n), other);
	if (tree_node_by_id(t, id))
		return 0;
	tree_unclaim(t, c);
	return errmsg_set(err, -ENOENT, "%s: has just been removed, or its directory has", name);
}

/* ---- operations ---------------------------------------------------------------------------- */

int tree_name_check(const char *name, struct errmsg *err)
{
	const unsigned char *s = (const unsigned char *)name;
	size_t len = strlen(name);

	if (len > TREE_NAME_MAX)
		return errmsg_set(err, -ENAMETOOLONG, "a name of %zu bytes is too long, at most %d",
			len, TREE_NAME_MAX);
	if (!len || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return errmsg_set(err, -EINVAL,
			"\"%s\" is no name: one to %d bytes without '/', not \".\" or \"..\"", name,
			TREE_NAME_MAX);
	while (*s >= 0x20 && *s != 0x7f)
		s++;
	if (*s || !utf8_valid(name, len))
		return errmsg_set(err, -EINVAL, "a name must be UTF-8 without control characters");
	return 0;
}

static int check_name(struct node *dir, const char *name, struct errmsg *err)
{
	unsigned place;
	int r = tree_name_check(name, err);

	if (r)
		return r;
	if (node_child(dir, name) || find_link(dir, name, &place) || node_attr(dir, name))
		return errmsg_set(err, -EEXIST, "%s: there is one already", name);
	return 0;
}

static int make_dir(
	struct tree *t, struct node *dir, const char *name, struct node **ret, struct errmsg *err)
{
	struct node_new made = { 0 };
	struct node *n;
	char *copy;
	int r = check_name(dir, name, err);

	if (r)
		return r;
	if (!dir->type->mkdir)
		return errmsg_set(err, -EPERM,
			"%s: nothing can be made in a directory of this kind (%s)", name,
			dir->type->name);
	copy = strdup(name);
	n = copy ? node_new(t, dir, copy) : NULL;
	if (!n) {
		free(copy);
		return errmsg_set(err, -ENOMEM, "%s: out of memory", name);
	}
	n->going = true; /* it is not there yet */
	call_begin(t);
	r = dir->type->mkdir(dir, name, &made, err);
	call_end(t);
	n->going = false;
	if (r) {
		index_del_id(t, n);
		free(copy);
		free(n);
		return r;
	}
	assert(made.type);
	n->type = made.type;
	n->obj = made.obj;
	list_push_back(&dir->children, &n->sibling);
	dir->nchildren++;
	index_add_name(t, n);
	tell(t, TREE_ADDED, dir, name);
	if (ret)
		*ret = n;
	return 0;
}

int tree_mkdir(
	struct tree *t, struct node *dir, const char *name, struct node **ret, struct errmsg *err)
{
	/* One of that name that is being removed: perhaps it is gone then. */
	const struct node *before = index_find(t, dir, name);
	struct tree_claim c;
	int r = claim(t, &c, dir, before ? before->id : 0, name, err);

	if (r)
		return r;
	r = make_dir(t, dir, name, ret, err);
	tree_unclaim(t, &c);
	return r;
}

/*
 * A link that points to n or to a default group in it, NULL if none. (Default groups that were
 * never looked at can hold nothing and be no target.)
 */
static struct link *incoming_link(struct node *n)
{
	struct link *l = list_first(&n->incoming, struct link, incoming);
	unsigned ndef = n->defaults ? ndefaults(n->type) : 0;

	for (unsigned i = 0; !l && i < ndef; i++) {
		if (n->defaults[i])
			l = incoming_link(n->defaults[i]);
	}
	return l;
}

/* The name of something that users made in n or a default group of it, NULL if there is nothing. */
static const char *user_made_in(struct node *n)
{
	struct node *c = list_first(&n->children, struct node, sibling);
	unsigned ndef = n->defaults ? ndefaults(n->type) : 0;
	const char *name = c ? c->name : n->nlinks ? n->links[0]->name : NULL;

	for (unsigned i = 0; !name && i < ndef; i++) {
		if (n->defaults[i])
			name = user_made_in(n->defaults[i]);
	}
	return name;
}

static int remove_dir(struct tree *t, struct node *node, struct errmsg *err)
{
	struct node *dir = node->parent;
	struct link *l = incoming_link(node);
	const char *inside = user_made_in(node);
	char *name;
	int r;

	if (!dir || node->def >= 0)
		return errmsg_set(err, -EPERM,
			"%s: comes and goes with its parent, it cannot be removed",
			dir ? node->name : "/");
	if (l) {
		struct strbuf by;

		strbuf_init(&by);
		node_path(l->dir, &by);
		r = errmsg_set(err, -EBUSY, "%s: in use by %s/%s, remove that link first",
			node->name, by.s, l->name);
		strbuf_done(&by);
		return r;
	}
	if (inside)
		return errmsg_set(
			err, -ENOTEMPTY, "%s: holds %s, remove that first", node->name, inside);
	if (!dir->type->mkdir || !node->type->rmdir)
		return errmsg_set(err, -EPERM, "%s: cannot be removed", node->name);
	name = strdup(node->name);
	if (!name)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", node->name);
	call_begin(t);
	node->going = true;
	r = node->type->rmdir(node, err);
	node->going = false;
	call_end(t);
	if (!r) {
		node_free(node);
		tell(t, TREE_REMOVED, dir, name);
	}
	free(name);
	return r;
}

int tree_rmdir(struct tree *t, struct node *node, struct errmsg *err)
{
	char name[TREE_NAME_MAX + 1];
	struct tree_claim c;
	int r;

	snprintf(name, sizeof(name), "%s", node->name);
	r = claim(t, &c, node, 0, name, err);
	if (r)
		return r;
	r = remove_dir(t, node, err);
	tree_unclaim(t, &c);
	return r;
}

static int make_link(
	struct tree *t, struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	struct link **links, *l;
	int r = check_name(dir, name, err);

	if (r)
		return r;
	if (!dir->type->link)
		return errmsg_set(err, -EPERM,
			"%s: no links can be made in a directory of this kind (%s)", name,
			dir->type->name);
	l = calloc(1, sizeof(*l));
	links = realloc(dir->links, (dir->nlinks + 1) * sizeof(*links));
	if (links)
		dir->links = links;
	if (l)
		l->name = strdup(name);
	if (!l || !links || !l->name) {
		free(l ? l->name : NULL);
		free(l);
		return errmsg_set(err, -ENOMEM, "%s: out of memory", name);
	}
	call_begin(t);
	r = dir->type->link(dir, name, target, err);
	call_end(t);
	if (r) {
		free(l->name);
		free(l);
		return r;
	}
	l->id = ++t->last_id;
	l->dir = dir;
	l->target = target;
	list_push_back(&t->links, &l->all);
	list_push_back(&target->incoming, &l->incoming);
	dir->links[dir->nlinks++] = l;
	tell(t, TREE_LINKED, dir, l->name);
	return 0;
}

int tree_link(
	struct tree *t, struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	uint64_t id = target->id;
	struct tree_claim c;
	int r = claim(t, &c, dir, claim_unit(target), name, err);

	if (r)
		return r;
	r = tree_node_by_id(t, id)
		    ? make_link(t, dir, name, target, err)
		    : errmsg_set(err, -ENOENT, "%s: its target has just been removed", name);
	tree_unclaim(t, &c);
	return r;
}

static int remove_link(struct tree *t, struct node *dir, const char *name, struct errmsg *err)
{
	unsigned place = 0;
	struct link *l = find_link(dir, name, &place);
	int r;

	if (!l && (node_attr(dir, name) || node_child(dir, name)))
		return errmsg_set(err, -EPERM, "%s: is no link", name);
	if (!l)
		return errmsg_set(err, -ENOENT, "%s: there is no such link", name);
	call_begin(t);
	r = dir->type->unlink ? dir->type->unlink(dir, name, l->target, err) : 0;
	call_end(t);
	if (r)
		return r;
	dir->nlinks--;
	memmove(&dir->links[place], &dir->links[place + 1],
		(dir->nlinks - place) * sizeof(*dir->links));
	tell(t, TREE_UNLINKED, dir, l->name);
	link_free(l);
	return 0;
}

int tree_unlink(struct tree *t, struct node *dir, const char *name, struct errmsg *err)
{
	struct tree_claim c;
	int r = claim(t, &c, dir, 0, name, err);

	if (r)
		return r;
	r = remove_link(t, dir, name, err);
	tree_unclaim(t, &c);
	return r;
}

int tree_get(
	struct tree *t, struct node *node, const char *attr, struct strbuf *out, struct errmsg *err)
{
	const struct attr *a = node_attr(node, attr);
	int r;

	if (!a)
		return errmsg_set(err, -ENOENT, "%s: there is no such attribute", attr);
	if (!a->get)
		return errmsg_set(err, -EACCES, "%s: can only be written", attr);
	r = a->get(a, node->obj, out);
	if (!r && out->failed)
		r = -ENOMEM;
	if (r)
		return errmsg_set(err, r, "%s: %s", attr, err_text(r));
	return 0;
}

static int set_attr(
	struct tree *t, struct node *node, const char *attr, const char *value, struct errmsg *err)
{
	const struct attr *a = node_attr(node, attr);
	char text[TREE_VALUE_MAX + 1];
	size_t len = strlen(value);
	int r;

	if (!a)
		return errmsg_set(err, -ENOENT, "%s: there is no such attribute", attr);
	if (!a->set)
		return errmsg_set(err, -EACCES, "%s: can only be read", attr);
	if (len && value[len - 1] == '\n')
		len--;
	if (len > TREE_VALUE_MAX)
		return errmsg_set(err, -EINVAL, "%s: %zu bytes are too long, at most %d", attr, len,
			TREE_VALUE_MAX);
	memcpy(text, value, len);
	text[len] = '\0';
	call_begin(t);
	r = a->may_set && !a->may_set(a, node->obj, err) ? -EINVAL : 0;
	if (!r)
		r = a->set(a, node->obj, text, err);
	call_end(t);
	/* Whatever its function said, a secret is not told. */
	if (a->flags & ATTR_SECRET && r && err && len && strstr(err->text, text))
		errmsg_set(err, r, "%s: the value is refused (%s)", attr, err_text(r));
	if (a->flags & ATTR_SECRET)
		explicit_bzero(text, len);
	if (r)
		return r;
	tell(t, TREE_ATTR_SET, node, a->name);
	return 0;
}

int tree_set(
	struct tree *t, struct node *node, const char *attr, const char *value, struct errmsg *err)
{
	struct tree_claim c;
	int r = claim(t, &c, node, 0, attr, err);

	if (r)
		return r;
	r = set_attr(t, node, attr, value, err);
	tree_unclaim(t, &c);
	return r;
}

/* ---- clearing ------------------------------------------------------------------------------ */

static bool is_below(const struct node *n, const struct node *top)
{
	while (n && n != top)
		n = n->parent;
	return n;
}

/* Another thread removes it: whether it does is known when its claim ends. */
static bool wait_if_going(struct tree *t, const struct node *n)
{
	struct tree_claim c;

	if (!n->going)
		return false;
	claim_take(t, &c, claim_unit(n), 0);
	tree_unclaim(t, &c);
	return true;
}

/* Remove the directories that users made below what has that id, the youngest first. */
static int clear_dirs(struct tree *t, uint64_t id, struct errmsg *err)
{
	struct node *node;
	int r = 0;

	/* Another thread may have removed it during a step. */
	while (!r && (node = tree_node_by_id(t, id)) && !list_empty(&node->children)) {
		uint64_t child = container_of(node->children.prev, struct node, sibling)->id;

		if (wait_if_going(t, container_of(node->children.prev, struct node, sibling)))
			continue;
		r = clear_dirs(t, child, err);
		node = r ? NULL : tree_node_by_id(t, child);
		if (node)
			r = tree_rmdir(t, node, err);
	}
	for (unsigned i = 0; !r && (node = tree_node_by_id(t, id)); i++) {
		unsigned ndef = node->defaults ? ndefaults(node->type) : 0;

		if (i >= ndef)
			break;
		node = node->defaults[ndef - 1 - i];
		if (node)
			r = clear_dirs(t, node->id, err);
	}
	return r;
}

/* The last link below top whose id is less than that. */
static struct link *last_link_below(struct tree *t, const struct node *top, uint64_t id)
{
	for (struct list *pos = t->links.prev; pos != &t->links; pos = pos->prev) {
		struct link *l = container_of(pos, struct link, all);

		if (l->id < id && is_below(l->dir, top))
			return l;
	}
	return NULL;
}

int tree_clear(struct tree *t, struct node *node, struct errmsg *err)
{
	uint64_t id = node->id, last = UINT64_MAX;
	char name[TREE_NAME_MAX + 1];
	int r = 0;

	while (!r && (node = tree_node_by_id(t, id))) {
		struct link *l = last_link_below(t, node, last);

		if (!l)
			break;
		last = l->id;
		snprintf(name, sizeof(name), "%s", l->name);
		r = tree_unlink(t, l->dir, name, err);
		if (r == -ENOENT)
			r = 0;
	}
	return r ? r : clear_dirs(t, id, err);
}
