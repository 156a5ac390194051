/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin_v1.c: a plugin as it was written for the first release: built against the frozen header
 * in v1/. It uses every callback, answers from a thread of its own, and holds 1 MiB.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <ulio/backstore.h>

enum { BYTES = 1 << 20, QUEUE = 64 };

struct v1 {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int stop;
	unsigned n;
	struct {
		struct ulio_bio *bio;
		uint64_t id;
	} queue[QUEUE];
	const struct ulio_host *host;
	uint64_t bytes;
	int deaf;
	char data[BYTES];
};

static int64_t v1_do(struct v1 *d, struct ulio_bio *b)
{
	char *at = d->data + b->off_bytes;
	int64_t n = 0;

	if (b->op == ULIO_OP_DISCARD || b->op == ULIO_OP_ZERO)
		memset(at, 0, b->len_bytes);
	for (uint32_t i = 0; b->op <= ULIO_OP_WRITE && i < b->niov; i++) {
		if (b->op == ULIO_OP_READ)
			memcpy(b->iov[i].iov_base, at + n, b->iov[i].iov_len);
		else
			memcpy(at + n, b->iov[i].iov_base, b->iov[i].iov_len);
		n += (int64_t)b->iov[i].iov_len;
	}
	return n;
}

static void *v1_thread(void *arg)
{
	struct v1 *d = arg;

	pthread_mutex_lock(&d->lock);
	while (!d->stop) {
		struct ulio_bio *bio;
		uint64_t id;

		if (!d->n || d->deaf) {
			pthread_cond_wait(&d->wake, &d->lock);
			continue;
		}
		d->n--;
		bio = d->queue[d->n].bio;
		id = d->queue[d->n].id;
		ulio_bio_answer(bio, id, v1_do(d, bio));
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static int v1_set(
	void *handle, const struct ulio_param *p, uint32_t n, char *err, uint64_t err_bytes)
{
	struct v1 *d = handle;

	pthread_mutex_lock(&d->lock);
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(p[i].key, "deaf") == 0)
			d->deaf = p[i].value[0] == 'y';
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

static int v1_open(const struct ulio_open_args *args, void **ret_handle)
{
	struct v1 *d;

	for (uint32_t i = 0; i < args->nparams; i++) {
		if (strcmp(args->params[i].key, "refuse") == 0) {
			strncpy(args->err, "refused as asked", args->err_bytes);
			return -EPERM;
		}
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->bytes = BYTES;
	d->host = args->host;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->wake, NULL);
	v1_set(d, args->params, args->nparams, NULL, 0);
	if (pthread_create(&d->thread, NULL, v1_thread, d)) {
		free(d);
		return -EAGAIN;
	}
	d->host->log(3, args->name, "open");
	*ret_handle = d;
	return 0;
}

static void v1_close(void *handle)
{
	struct v1 *d = handle;

	pthread_mutex_lock(&d->lock);
	d->stop = 1;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	free(d);
}

static void v1_info(void *handle, struct ulio_backstore_info *info)
{
	*info = (struct ulio_backstore_info){
		.size = sizeof(*info),
		.flags = ULIO_INFO_VOLATILE_CACHE | ULIO_INFO_DISCARD | ULIO_INFO_DISCARD_ZEROES |
			 ULIO_INFO_ZERO | ULIO_INFO_MAP,
		.size_bytes = ((struct v1 *)handle)->bytes,
		.block_bytes = 512,
	};
}

static void v1_submit(void *handle, struct ulio_bio *bio)
{
	struct v1 *d = handle;
	int full;

	pthread_mutex_lock(&d->lock);
	full = d->n == QUEUE;
	if (!full) {
		d->queue[d->n].bio = bio;
		d->queue[d->n].id = bio->id;
		d->n++;
	}
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
	if (full)
		ulio_bio_answer(bio, bio->id, -EAGAIN);
}

static void v1_cancel(void *handle, struct ulio_bio *bio, uint64_t id)
{
	struct v1 *d = handle;
	int found = 0;

	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < d->n && !found; i++) {
		if (d->queue[i].bio == bio && d->queue[i].id == id) {
			d->queue[i] = d->queue[--d->n];
			found = 1;
		}
	}
	pthread_mutex_unlock(&d->lock);
	if (found)
		ulio_bio_answer(bio, id, -ECANCELED);
}

static int v1_map(void *handle, uint64_t off, uint64_t len, struct ulio_extent *ret, uint32_t max)
{
	*ret = (struct ulio_extent){ .off_bytes = off, .len_bytes = len, .kind = ULIO_EXTENT_DATA };
	return 1;
}

static int v1_resize(void *handle, uint64_t bytes, char *err, uint64_t err_bytes)
{
	struct v1 *d = handle;

	if (bytes > BYTES) {
		strncpy(err, "1 MiB is all there is", err_bytes);
		return -EFBIG;
	}
	if (bytes)
		d->bytes = bytes;
	return 0;
}

static const struct ulio_param_doc v1_params[] = {
	{ .key = "deaf",
		.type = ULIO_PARAM_BOOL,
		.flags = ULIO_PARAM_LIVE,
		.preset = "no",
		.text = "Answer nothing." },
	{ .key = "refuse", .type = ULIO_PARAM_BOOL, .text = "Do not open." },
	{ NULL },
};

static const struct ulio_backstore_ops v1_ops = {
	ULIO_BACKSTORE_HEADER,
	.kind = "v1",
	.text = "The first plugin.",
	.params = v1_params,
	.open = v1_open,
	.close = v1_close,
	.info = v1_info,
	.submit = v1_submit,
	.cancel = v1_cancel,
	.map = v1_map,
	.resize = v1_resize,
	.set = v1_set,
};

ULIO_BACKSTORE_PLUGIN(v1_ops)
