/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tmpdisk.c: an example of a backstore plugin: a disk in ordinary memory. Build and use it:
 *
 *	cc -shared -fPIC -o tmpdisk.so tmpdisk.c
 *	uliod --plugin ./tmpdisk.so --disk tmpdisk:64M
 *
 * The interface is <ulio/backstore.h>; ulio-backstore(3) explains it. A plugin whose operations
 * take time would start them here and call ulio_bio_answer() from wherever it learns of their end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <ulio/backstore.h>

struct tmpdisk {
	uint64_t bytes;
	char data[];
};

/* The size has been checked against the table below. */
static int tmpdisk_open(const struct ulio_open_args *args, void **ret_handle)
{
	static const char units[] = "KMGT";
	char *unit;
	uint64_t bytes = strtoull(args->params[0].value, &unit, 10);
	const char *u = *unit ? strchr(units, *unit & ~0x20) : NULL;
	struct tmpdisk *d;

	bytes <<= u ? 10 * (u - units + 1) : 0;
	d = calloc(1, sizeof(*d) + bytes);
	if (!d)
		return -ENOMEM;
	d->bytes = bytes;
	*ret_handle = d;
	return 0;
}

static void tmpdisk_info(void *handle, struct ulio_backstore_info *info)
{
	info->size_bytes = ((struct tmpdisk *)handle)->bytes;
	info->block_bytes = 512;
}

static void tmpdisk_submit(void *handle, struct ulio_bio *bio)
{
	char *at = ((struct tmpdisk *)handle)->data + bio->off_bytes;
	int64_t moved = 0;

	for (uint32_t i = 0; i < bio->niov; i++) {
		if (bio->op == ULIO_OP_READ)
			memcpy(bio->iov[i].iov_base, at + moved, bio->iov[i].iov_len);
		else
			memcpy(at + moved, bio->iov[i].iov_base, bio->iov[i].iov_len);
		moved += (int64_t)bio->iov[i].iov_len;
	}
	ulio_bio_answer(bio, bio->id, moved);
}

static const struct ulio_param_doc tmpdisk_params[] = {
	{ .key = "size",
		.type = ULIO_PARAM_SIZE,
		.flags = ULIO_PARAM_REQUIRED,
		.min = 512,
		.max = 1 << 30,
		.text = "Size of the disk in bytes." },
	{ NULL },
};

static const struct ulio_backstore_ops tmpdisk = {
	ULIO_BACKSTORE_HEADER,
	.kind = "tmpdisk",
	.text = "Example: a disk in ordinary memory.",
	.params = tmpdisk_params,
	.open = tmpdisk_open,
	.close = free,
	.info = tmpdisk_info,
	.submit = tmpdisk_submit,
};

ULIO_BACKSTORE_PLUGIN(tmpdisk)
