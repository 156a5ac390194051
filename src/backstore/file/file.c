/* SPDX-License-Identifier: BSD-3-Clause */
/* file.c: see file.h. Opening: open.c, probe.c. Requests: io.c, bounce.c, flush.c. */
#include "backstore/file/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backstore/file/file_priv.h"
#include "block/params.h"

static void file_free(struct file *f)
{
	if (f->fd >= 0)
		loops_close(f->loops, f->fd);
	file_slots_done(f);
	pthread_mutex_destroy(&f->flush_lock);
	free(f->name);
	free(f->path);
	free(f);
}

static struct file *file_new(struct loops *loops, const struct ulio_open_args *args)
{
	struct file *f = calloc(1, sizeof(*f));
	unsigned n = loops_count(loops);

	if (!f)
		return NULL;
	f->loops = loops;
	f->fd = -1;
	f->host = loops_kind(loops) != LOOP_SIM;
	pthread_mutex_init(&f->flush_lock, NULL);
	list_init(&f->flush_waiting);
	list_init(&f->flush_batch);
	f->name = strdup(args->name);
	f->path = strdup(param_str(file_params, args->params, args->nparams, "path"));
	f->slots = aligned_alloc(alignof(struct file_slot), n * sizeof(*f->slots));
	if (!f->name || !f->path || !f->slots) {
		free(f->slots);
		f->slots = NULL;
		file_free(f);
		return NULL;
	}
	memset(f->slots, 0, n * sizeof(*f->slots));
	for (unsigned i = 0; i < n; i++)
		list_init(&f->slots[i].stock);
	return f;
}

static int file_open(struct loops *loops, struct backstore *self, const struct ulio_open_args *args,
	void **ret_handle)
{
	struct file *f = file_new(loops, args);
	int r;

	if (!f)
		return -ENOMEM;
	r = file_open_path(f, args);
	if (r < 0) {
		file_free(f);
		return r;
	}
	*ret_handle = f;
	return 0;
}

static void file_close(void *handle)
{
	file_free(handle);
}

static void file_info(void *handle, struct ulio_backstore_info *info)
{
	const struct file *f = handle;

	if (f->readonly)
		info->flags |= ULIO_INFO_READONLY;
	else if (!f->sync)
		info->flags |= ULIO_INFO_VOLATILE_CACHE;
	/* What was discarded reads as zeroes in a regular file; in a device, who knows. */
	if (f->device && f->can_discard)
		info->flags |= ULIO_INFO_DISCARD;
	if (!f->device && f->can_punch)
		info->flags |= ULIO_INFO_DISCARD | ULIO_INFO_DISCARD_ZEROES | ULIO_INFO_THIN;
	if (!f->readonly)
		info->flags |= ULIO_INFO_ZERO;
	if (f->can_punch)
		info->flags |= ULIO_INFO_ZERO_UNMAPS;
	if (f->can_map)
		info->flags |= ULIO_INFO_MAP;
	if (f->rotational)
		info->flags |= ULIO_INFO_ROTATIONAL;
	info->size_bytes = f->size_bytes;
	info->block_bytes = f->block_bytes;
	info->physical_bytes = f->physical_bytes;
	info->optimal_bytes = f->optimal_bytes;
	info->discard_bytes = f->discard_bytes;
}

/*
 * One extent from at on, not beyond end. 0 or -errno. What is behind the end of a file that was
 * cut off meanwhile counts as data: a READ of it fails, it does not read as zeroes.
 */
static int map_one(struct file *f, uint64_t at, uint64_t end, struct ulio_extent *ret)
{
	int64_t data = loops_lseek(f->loops, f->fd, (int64_t)at, SEEK_DATA);
	int64_t stop = (int64_t)end;
	uint32_t kind = ULIO_EXTENT_HOLE;
	uint64_t size;

	if (data == -ENXIO) {
		int r = file_get_size(f, &size);

		if (r < 0)
			return r;
		if (size > at)
			stop = (int64_t)size;
		else
			kind = ULIO_EXTENT_DATA;
	} else if (data < 0) {
		return (int)data;
	} else if (data > (int64_t)at) {
		stop = data;
	} else {
		kind = ULIO_EXTENT_DATA;
		stop = loops_lseek(f->loops, f->fd, (int64_t)at, SEEK_HOLE);
		if (stop < 0)
			return (int)stop;
	}
	if (stop > (int64_t)end || stop <= (int64_t)at)
		stop = (int64_t)end;
	*ret = (struct ulio_extent){
		.off_bytes = at, .len_bytes = (uint64_t)stop - at, .kind = kind
	};
	return 0;
}

static int file_map(
	void *handle, uint64_t off_bytes, uint64_t len_bytes, struct ulio_extent *ret, uint32_t max)
{
	struct file *f = handle;
	uint64_t at = off_bytes, end = off_bytes + len_bytes;
	uint32_t n;

	if (!f->can_map)
		return -EOPNOTSUPP;
	for (n = 0; n < max && at < end; n++) {
		int r = map_one(f, at, end, &ret[n]);

		if (r < 0)
			return r;
		at += ret[n].len_bytes;
	}
	return (int)n;
}

static int file_resize(void *handle, uint64_t size_bytes, char *err, uint64_t err_bytes)
{
	struct file *f = handle;
	uint64_t now_bytes;
	int r = file_get_size(f, &now_bytes);

	if (r < 0)
		return r;
	if (size_bytes == 0 || size_bytes == now_bytes) {
		if (now_bytes == 0) {
			snprintf(err, err_bytes, "%s is empty", f->path);
			return -EINVAL;
		}
		f->size_bytes = now_bytes;
		return 0;
	}
	if (f->device) {
		snprintf(err, err_bytes, "%s has %llu bytes; the size of a device is its own",
			f->path, (unsigned long long)now_bytes);
		return -EINVAL;
	}
	if (f->readonly)
		return -EROFS;
	r = loops_ftruncate(f->loops, f->fd, size_bytes);
	if (r == 0)
		r = file_flush_blocking(f);
	if (r == 0)
		f->size_bytes = size_bytes;
	return r;
}

const struct backstore_internal_ops backstore_file = {
	.ops = {
		ULIO_BACKSTORE_HEADER,
		.kind = "file",
		.text = "A regular file or a block device.",
		.params = file_params,
		.close = file_close,
		.info = file_info,
		.submit = file_submit,
		.cancel = file_cancel,
		.map = file_map,
		.resize = file_resize,
	},
	.open = file_open,
};
