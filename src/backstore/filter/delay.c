/* SPDX-License-Identifier: BSD-3-Clause */
/* delay.c: a filter that holds requests for some time before it passes them on. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "backstore/filter/filter.h"
#include "block/params.h"

struct delay {
	struct backstore *self; /* borrowed: this filter's own */
	struct filter_held *held; /* owned */
	_Atomic uint64_t delay_ns;
	_Atomic unsigned op; /* index in FILTER_OPS */
};

static const struct ulio_param_doc delay_params[] = {
	{ .key = "ms",
		.type = ULIO_PARAM_UINT,
		.flags = ULIO_PARAM_REQUIRED | ULIO_PARAM_LIVE,
		.max = 3600000,
		.text = "Milliseconds." },
	{ .key = "op",
		.type = ULIO_PARAM_CHOICE,
		.flags = ULIO_PARAM_LIVE,
		.choices = FILTER_OPS,
		.preset = "any",
		.text = "Which operations." },
	{ NULL },
};

static void delay_over(struct loop_timer *t)
{
	struct filter_hold *h = container_of(t, struct filter_hold, timer);
	struct delay *d = h->filter;

	filter_pass(d->self, &filter_let_go(h)->b, filter_passed);
}

static void delay_submit(void *handle, struct ulio_bio *b)
{
	struct delay *d = handle;
	uint64_t ns = atomic_load_explicit(&d->delay_ns, memory_order_relaxed);
	unsigned op = atomic_load_explicit(&d->op, memory_order_relaxed);
	struct filter_hold *h;

	if (ns == 0 || !filter_op_is(op, b->op)) {
		filter_pass(d->self, b, filter_passed);
		return;
	}
	h = filter_hold(d->held, d, b);
	if (!h)
		return;
	h->timer.fire = delay_over;
	loop_timer_arm(h->bio->loop, &h->timer, ns);
}

static void delay_cancel(void *handle, struct ulio_bio *b, uint64_t id)
{
	struct delay *d = handle;

	filter_cancel(d->held, b);
}

static int delay_set(
	void *handle, const struct ulio_param *params, uint32_t n, char *err, uint64_t err_bytes)
{
	struct delay *d = handle;

	if (param_given(params, n, "ms"))
		atomic_store(&d->delay_ns, param_u64(delay_params, params, n, "ms") * 1000000);
	if (param_given(params, n, "op"))
		atomic_store(&d->op, param_choice(delay_params, params, n, "op"));
	return 0;
}

static int delay_open(struct loops *loops, struct backstore *self,
	const struct ulio_open_args *args, void **ret_handle)
{
	struct delay *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->self = self;
	d->held = filter_held_new(loops);
	if (!d->held) {
		free(d);
		return -ENOMEM;
	}
	*ret_handle = d;
	return delay_set(d, args->params, args->nparams, NULL, 0);
}

static void delay_close(void *handle)
{
	struct delay *d = handle;

	filter_held_free(d->held);
	free(d);
}

static void delay_info(void *handle, struct ulio_backstore_info *info)
{
	filter_info(((struct delay *)handle)->self, info);
}

static int delay_map(
	void *handle, uint64_t off_bytes, uint64_t len_bytes, struct ulio_extent *ret, uint32_t max)
{
	return filter_map(((struct delay *)handle)->self, off_bytes, len_bytes, ret, max);
}

static int delay_resize(void *handle, uint64_t size_bytes, char *err, uint64_t err_bytes)
{
	return filter_resize(((struct delay *)handle)->self, size_bytes, err, err_bytes);
}

const struct backstore_internal_ops backstore_delay = {
	.ops = {
		ULIO_BACKSTORE_HEADER,
		.kind = "delay",
		.text = "Filter: holds requests for some time before it passes them on.",
		.params = delay_params,
		.close = delay_close,
		.info = delay_info,
		.submit = delay_submit,
		.cancel = delay_cancel,
		.map = delay_map,
		.resize = delay_resize,
		.set = delay_set,
	},
	.open = delay_open,
	.filter = true,
};
