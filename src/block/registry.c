/* SPDX-License-Identifier: BSD-3-Clause */
/* registry.c: the kinds of backstores of a process, and plugins; see backstore.h. */
#include <assert.h>
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "block/backstore_priv.h"
#include "block/limits.h"
#include "loop/pool.h"

struct backstore_registry {
	struct loops *loops; /* borrowed */
	unsigned nkinds;
	struct backstore_kind *kinds[BACKSTORE_KINDS_MAX]; /* owned */
	void *plugins[BACKSTORE_KINDS_MAX]; /* dlopen() handles, beside kinds */
	unsigned nloops;
	struct zero_run *zero_runs; /* one per loop */
	_Atomic unsigned refs; /* the maker's, and one per backstore and orphan */
	_Atomic unsigned norphans;
	struct loop_event settled; /* signalled when the last orphan is gone */
};

struct backstore_registry *backstore_registry_new(struct loops *loops)
{
	struct backstore_registry *reg = calloc(1, sizeof(*reg));

	if (!reg)
		return NULL;
	reg->loops = loops;
	reg->nloops = loops_count(loops);
	atomic_init(&reg->refs, 1);
	loop_event_init(&reg->settled, loops);
	reg->zero_runs =
		aligned_alloc(alignof(struct zero_run), reg->nloops * sizeof(*reg->zero_runs));
	if (!reg->zero_runs) {
		free(reg);
		return NULL;
	}
	memset(reg->zero_runs, 0, reg->nloops * sizeof(*reg->zero_runs));
	return reg;
}

void registry_ref(struct backstore_registry *reg)
{
	atomic_fetch_add_explicit(&reg->refs, 1, memory_order_relaxed);
}

void registry_unref(struct backstore_registry *reg)
{
	if (atomic_fetch_sub_explicit(&reg->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < reg->nloops; i++) {
		struct iovec iov = { (void *)reg->zero_runs[i].pages, reg->zero_runs[i].bytes };

		if (iov.iov_base)
			pages_unref(reg->loops, &iov, 1);
	}
	for (unsigned i = 0; i < reg->nkinds; i++) {
		free(reg->kinds[i]);
		if (reg->plugins[i])
			dlclose(reg->plugins[i]);
	}
	free(reg->zero_runs);
	free(reg);
}

struct backstore_registry *backstore_registry_free(struct backstore_registry *reg)
{
	if (reg)
		registry_unref(reg);
	return NULL;
}

void registry_orphan_add(struct backstore_registry *reg)
{
	registry_ref(reg);
	atomic_fetch_add(&reg->norphans, 1);
}

void registry_orphan_gone(struct backstore_registry *reg)
{
	if (atomic_fetch_sub(&reg->norphans, 1) == 1)
		loop_event_signal(&reg->settled);
	registry_unref(reg);
}

int backstore_registry_settle(struct backstore_registry *reg, uint64_t timeout_ns)
{
	atomic_store(&reg->settled.set, false);
	if (atomic_load(&reg->norphans) == 0)
		return 0;
	return loop_event_wait(&reg->settled, timeout_ns);
}

struct loops *registry_loops(const struct backstore_registry *reg)
{
	return reg->loops;
}

struct zero_run *registry_zero_run(struct backstore_registry *reg, unsigned loop_index)
{
	assert(loop_index < reg->nloops);
	return &reg->zero_runs[loop_index];
}

/* ---- registering ---------------------------------------------------------------------------- */

static bool kind_name_ok(const char *s)
{
	size_t n = 0;

	if (!s)
		return false;
	for (; s[n]; n++)
		if (n >= BACKSTORE_KIND_MAX ||
			(!isalnum((unsigned char)s[n]) && s[n] != '-' && s[n] != '_'))
			return false;
	return n > 0;
}

/*
 * Copy what a maker of some version gave: a shorter struct is filled up with zeroes; of a longer
 * one, made for a later version, what is beyond ours must be unused.
 */
static int ops_take(
	struct ulio_backstore_ops *dst, const struct ulio_backstore_ops *src, struct errmsg *err)
{
	const size_t least = offsetof(struct ulio_backstore_ops, cancel);
	const uint8_t *beyond = (const uint8_t *)src + sizeof(*dst);

	if (src->abi != ULIO_BACKSTORE_ABI)
		return errmsg_set(err, -EINVAL, "made for plugin ABI %u, this is %u", src->abi,
			ULIO_BACKSTORE_ABI);
	if (src->size < least || src->size > 16 * sizeof(*dst))
		return errmsg_set(err, -EINVAL,
			"its ops have a size of %u bytes, at least %zu needed", src->size, least);
	for (size_t i = 0; i + sizeof(*dst) < src->size; i++)
		if (beyond[i])
			return errmsg_set(
				err, -EINVAL, "uses callbacks of a later version of this program");
	memset(dst, 0, sizeof(*dst));
	memcpy(dst, src, src->size < sizeof(*dst) ? src->size : sizeof(*dst));
	dst->size = sizeof(*dst);
	if (!kind_name_ok(dst->kind))
		return errmsg_set(err, -EINVAL, "its kind has a bad name");
	if (!dst->close || !dst->info || !dst->submit)
		return errmsg_set(err, -EINVAL, "%s: lacks close, info or submit", dst->kind);
	return 0;
}

static int registry_add(struct backstore_registry *reg, const struct ulio_backstore_ops *ops,
	struct backstore_kind **ret, struct errmsg *err)
{
	struct backstore_kind *k;
	int r;

	if (reg->nkinds == BACKSTORE_KINDS_MAX)
		return errmsg_set(
			err, -ENOSPC, "more than %d kinds of backstores", BACKSTORE_KINDS_MAX);
	k = calloc(1, sizeof(*k));
	if (!k)
		return errmsg_set(err, -ENOMEM, "out of memory");
	r = ops_take(&k->ops, ops, err);
	if (r == 0 && registry_find(reg, k->ops.kind))
		r = errmsg_set(
			err, -EEXIST, "%s: there is a backstore of that kind already", k->ops.kind);
	if (r < 0) {
		free(k);
		return r;
	}
	reg->plugins[reg->nkinds] = NULL;
	reg->kinds[reg->nkinds++] = k;
	*ret = k;
	return 0;
}

int backstore_register(
	struct backstore_registry *reg, const struct ulio_backstore_ops *ops, struct errmsg *err)
{
	struct backstore_kind *k;

	if (ops->size > offsetof(struct ulio_backstore_ops, open) && !ops->open)
		return errmsg_set(err, -EINVAL, "lacks open");
	return registry_add(reg, ops, &k, err);
}

int backstore_register_internal(
	struct backstore_registry *reg, const struct backstore_internal_ops *ops)
{
	struct backstore_kind *k;
	struct errmsg err;
	int r = registry_add(reg, &ops->ops, &k, &err);

	if (r < 0)
		return r;
	k->open = ops->open;
	k->internal = true;
	k->filter = ops->filter;
	k->prefetch = ops->prefetch;
	return 0;
}

static int plugin_open(const char *path, void **ret_dl, struct errmsg *err)
{
	/* Not of the daemon's search path: what is loaded must be what was named. */
	if (!strchr(path, '/'))
		return errmsg_set(err, -EINVAL, "plugin %s: must be a path with a /", path);
	*ret_dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!*ret_dl)
		return errmsg_set(err, -ELIBBAD, "plugin %s: %s", path, dlerror());
	return 0;
}

int backstore_load_plugin(struct backstore_registry *reg, const char *path, struct errmsg *err)
{
	const struct ulio_backstore_ops *(*init)(uint32_t);
	const struct ulio_backstore_ops *ops;
	void *dl;
	int r = plugin_open(path, &dl, err);

	if (r < 0)
		return r;
	*(void **)&init = dlsym(dl, "ulio_backstore_init");
	if (!init) {
		r = errmsg_set(err, -ELIBBAD, "plugin %s: has no ulio_backstore_init", path);
		goto fail;
	}
	ops = init(ULIO_BACKSTORE_ABI);
	if (!ops) {
		r = errmsg_set(
			err, -EINVAL, "plugin %s: refuses plugin ABI %u", path, ULIO_BACKSTORE_ABI);
		goto fail;
	}
	r = backstore_register(reg, ops, err);
	if (r < 0) {
		errmsg_prefix(err, "plugin %s", path);
		goto fail;
	}
	reg->plugins[reg->nkinds - 1] = dl;
	return 0;
fail:
	dlclose(dl);
	return r;
}

/* ---- finding -------------------------------------------------------------------------------- */

const struct backstore_kind *registry_find(struct backstore_registry *reg, const char *kind)
{
	for (unsigned i = 0; i < reg->nkinds; i++)
		if (strcmp(reg->kinds[i]->ops.kind, kind) == 0)
			return reg->kinds[i];
	return NULL;
}

const struct ulio_backstore_ops *backstore_kind(struct backstore_registry *reg, const char *kind)
{
	const struct backstore_kind *k = registry_find(reg, kind);

	return k ? &k->ops : NULL;
}

const struct ulio_backstore_ops *backstore_kind_at(struct backstore_registry *reg, unsigned i)
{
	return i < reg->nkinds ? &reg->kinds[i]->ops : NULL;
}

bool backstore_kind_is_filter(struct backstore_registry *reg, const char *kind)
{
	const struct backstore_kind *k = registry_find(reg, kind);

	return k && k->filter;
}
