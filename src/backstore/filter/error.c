/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c: a filter that makes a disk fail, by a rule that can be changed while it is in use: which
 * operations, where, how often, and how. Requests that it holds go on to the disk when the rule is
 * changed, as if the disk had come back.
 */
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backstore/filter/filter.h"
#include "base/iov.h"
#include "block/params.h"
#include "loop/pool.h"

enum error_mode { MODE_FAIL, MODE_LATE, MODE_SHORT, MODE_DROP, MODE_STUCK, MODE_OFF };

static const int errnos[] = { EIO, ENOSPC, ENOMEM, EAGAIN, EBUSY, EROFS, ENODEV, ENXIO, EILSEQ,
	ETIMEDOUT, EREMOTEIO, EINVAL, EPERM };
#define ERRNO_NAMES                                                                                \
	"EIO|ENOSPC|ENOMEM|EAGAIN|EBUSY|EROFS|ENODEV|ENXIO|EILSEQ|ETIMEDOUT|EREMOTEIO|EINVAL|"     \
	"EPERM"

/* Immutable once published, but for the count. */
struct error_rule {
	enum error_mode mode;
	unsigned op; /* index in FILTER_OPS */
	int res; /* -errno */
	uint64_t off_bytes, len_bytes; /* len 0: to the end */
	uint64_t after, count; /* count 0: for ever */
	alignas(64) _Atomic uint64_t seen; /* requests that fit */
};

struct error {
	struct backstore *self; /* borrowed: this filter's own */
	struct loops *loops; /* borrowed */
	_Atomic(struct error_rule *) rule; /* owned; reclaimed after a barrier */
	struct filter_held *held; /* owned */
};

static const struct ulio_param_doc error_params[] = {
	{ .key = "op",
		.type = ULIO_PARAM_CHOICE,
		.flags = ULIO_PARAM_LIVE,
		.choices = FILTER_OPS,
		.preset = "any",
		.text = "Which operations." },
	{ .key = "mode",
		.type = ULIO_PARAM_CHOICE,
		.flags = ULIO_PARAM_LIVE,
		.choices = "fail|late|short|drop|stuck|off",
		.preset = "fail",
		.text = "fail: not carried out; late: carried out, then failed; short: half of it "
			"is carried out; drop: no answer unless cancelled; stuck: no answer until "
			"the rule is changed; off: all is well." },
	{ .key = "errno",
		.type = ULIO_PARAM_CHOICE,
		.flags = ULIO_PARAM_LIVE,
		.choices = ERRNO_NAMES,
		.preset = "EIO",
		.text = "Which error (fail, late)." },
	{ .key = "offset",
		.type = ULIO_PARAM_SIZE,
		.flags = ULIO_PARAM_LIVE,
		.preset = "0",
		.text = "First byte of the bad place; a FLUSH is everywhere." },
	{ .key = "len",
		.type = ULIO_PARAM_SIZE,
		.flags = ULIO_PARAM_LIVE,
		.preset = "0",
		.text = "Its length in bytes, 0: to the end of the disk." },
	{ .key = "after",
		.type = ULIO_PARAM_UINT,
		.flags = ULIO_PARAM_LIVE,
		.preset = "0",
		.text = "So many requests that fit are spared first." },
	{ .key = "count",
		.type = ULIO_PARAM_UINT,
		.flags = ULIO_PARAM_LIVE,
		.preset = "0",
		.text = "So many are hit then, 0: all." },
	{ NULL },
};

/* ---- the rule ------------------------------------------------------------------------------- */

/* From settings; what is not given is as in old, or has its preset if that is NULL. */
static struct error_rule *rule_new(
	const struct error_rule *old, const struct ulio_param *p, unsigned n)
{
	struct error_rule *rule = aligned_alloc(alignof(struct error_rule), sizeof(*rule));

	if (!rule)
		return NULL;
	memset(rule, 0, sizeof(*rule));
	if (old)
		*rule = (struct error_rule){ .mode = old->mode,
			.op = old->op,
			.res = old->res,
			.off_bytes = old->off_bytes,
			.len_bytes = old->len_bytes,
			.after = old->after,
			.count = old->count };
	if (!old || param_given(p, n, "op"))
		rule->op = param_choice(error_params, p, n, "op");
	if (!old || param_given(p, n, "mode"))
		rule->mode = (enum error_mode)param_choice(error_params, p, n, "mode");
	if (!old || param_given(p, n, "errno"))
		rule->res = -errnos[param_choice(error_params, p, n, "errno")];
	if (!old || param_given(p, n, "offset"))
		rule->off_bytes = param_u64(error_params, p, n, "offset");
	if (!old || param_given(p, n, "len"))
		rule->len_bytes = param_u64(error_params, p, n, "len");
	if (!old || param_given(p, n, "after"))
		rule->after = param_u64(error_params, p, n, "after");
	if (!old || param_given(p, n, "count"))
		rule->count = param_u64(error_params, p, n, "count");
	return rule;
}

static bool rule_fits(const struct error_rule *rule, const struct ulio_bio *b)
{
	if (rule->mode == MODE_OFF || !filter_op_is(rule->op, b->op))
		return false;
	if (b->op == ULIO_OP_FLUSH)
		return true;
	if (b->off_bytes + b->len_bytes <= rule->off_bytes)
		return false;
	return rule->len_bytes == 0 || b->off_bytes < rule->off_bytes ||
	       b->off_bytes - rule->off_bytes < rule->len_bytes;
}

static bool rule_hits(struct error_rule *rule, const struct ulio_bio *b)
{
	uint64_t seen;

	if (!rule_fits(rule, b))
		return false;
	if (!rule->after && !rule->count)
		return true;
	seen = atomic_fetch_add_explicit(&rule->seen, 1, memory_order_relaxed);
	return seen >= rule->after && (!rule->count || seen - rule->after < rule->count);
}

/* ---- what it does --------------------------------------------------------------------------- */

typedef void hit_fn(struct error *e, const struct error_rule *rule, struct ulio_bio *b);

static void hit_fail(struct error *e, const struct error_rule *rule, struct ulio_bio *b)
{
	ulio_bio_answer(b, b->id, rule->res);
}

/* What was lent to a request that fails all the same. */
static void give_back(struct bio *lower)
{
	if (lower->b.result == 0 && (lower->b.flags & ULIO_BIO_LEND))
		pages_unref(loop_set(lower->loop), lower->b.iov, lower->b.niov);
}

static void late_done(struct bio *lower)
{
	const struct bio *upper = lower->owner;

	give_back(lower);
	filter_answer(lower, upper->b.result);
}

static void hit_late(struct error *e, const struct error_rule *rule, struct ulio_bio *b)
{
	/* Nobody else uses it before the answer. */
	b->result = rule->res;
	filter_pass(e->self, b, late_done);
}

static void short_done(struct bio *lower)
{
	struct bio *upper = lower->owner;
	int64_t res = lower->b.result < 0 ? lower->b.result : (int64_t)lower->b.len_bytes;

	give_back(lower);
	if (lower->b.iov != upper->b.iov)
		free(lower->b.iov);
	upper->b.backstore_data = NULL;
	bio_free(lower);
	ulio_bio_answer(&upper->b, upper->b.id, res);
}

/* A lower bio for the first half of a READ or WRITE. NULL: no memory, or there is no half. */
static struct bio *half_new(struct backstore *below, struct bio *upper)
{
	const struct ulio_bio *b = &upper->b;
	bool lend = b->flags & ULIO_BIO_LEND;
	struct ulio_backstore_info info;
	struct iovec *iov = b->iov;
	ssize_t niov = 0;
	uint64_t half = b->len_bytes / 2;
	struct bio *lower;

	backstore_info(below, &info);
	half -= half % info.block_bytes;
	if (!half)
		return NULL;
	if (!lend) {
		iov = calloc(b->niov, sizeof(*iov));
		niov = iov ? iov_slice(iov, b->niov, b->iov, b->niov, 0, half) : -ENOMEM;
	}
	lower = niov < 0 ? NULL : bio_new(below, upper->loop);
	if (!lower) {
		if (!lend)
			free(iov);
		return NULL;
	}
	bio_init_rw(lower, (enum ulio_bio_op)b->op, b->flags, b->off_bytes, half, iov,
		(uint32_t)niov, b->iov_cap);
	return lower;
}

static void hit_short(struct error *e, const struct error_rule *rule, struct ulio_bio *b)
{
	struct backstore *below = backstore_below(e->self);
	struct bio *upper = bio_of(b), *lower;

	if (b->op > ULIO_OP_WRITE) {
		hit_fail(e, rule, b);
		return;
	}
	lower = half_new(below, upper);
	if (!lower) {
		ulio_bio_answer(b, b->id, 0);
		return;
	}
	lower->done = short_done;
	lower->owner = upper;
	b->backstore_data = lower;
	backstore_submit(below, upper->loop, lower);
}

static void hit_drop(struct error *e, const struct error_rule *rule, struct ulio_bio *b)
{
	filter_hold(e->held, e, b);
}

static void hit_stuck(struct error *e, const struct error_rule *rule, struct ulio_bio *b)
{
	struct filter_hold *h = filter_hold(e->held, e, b);

	if (h)
		h->deaf = true;
}

static hit_fn *const hits[] = {
	[MODE_FAIL] = hit_fail,
	[MODE_LATE] = hit_late,
	[MODE_SHORT] = hit_short,
	[MODE_DROP] = hit_drop,
	[MODE_STUCK] = hit_stuck,
};

static void error_submit(void *handle, struct ulio_bio *b)
{
	struct error *e = handle;
	struct error_rule *rule = atomic_load_explicit(&e->rule, memory_order_acquire);

	if (rule_hits(rule, b))
		hits[rule->mode](e, rule, b);
	else
		filter_pass(e->self, b, filter_passed);
}

static void error_cancel(void *handle, struct ulio_bio *b, uint64_t id)
{
	struct error *e = handle;

	filter_cancel(e->held, b);
}

/* ---- control -------------------------------------------------------------------------------- */

static void error_release(struct loop *loop, void *arg)
{
	struct error *e = arg;
	struct filter_hold *h;

	while ((h = filter_hold_first(e->held, loop)))
		filter_pass(e->self, &filter_let_go(h)->b, filter_passed);
}

/* Counting begins anew, and what is held goes on. */
static int error_set(
	void *handle, const struct ulio_param *params, uint32_t n, char *err, uint64_t err_bytes)
{
	struct error *e = handle;
	struct error_rule *rule = rule_new(atomic_load(&e->rule), params, n);

	if (!rule)
		return -ENOMEM;
	rule = atomic_exchange(&e->rule, rule);
	loops_barrier(e->loops, error_release, e);
	free(rule);
	return 0;
}

static int error_open(struct loops *loops, struct backstore *self,
	const struct ulio_open_args *args, void **ret_handle)
{
	struct error *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->self = self;
	e->loops = loops;
	e->held = filter_held_new(loops);
	atomic_init(&e->rule, rule_new(NULL, args->params, args->nparams));
	if (!e->held || !atomic_load(&e->rule)) {
		filter_held_free(e->held);
		free(atomic_load(&e->rule));
		free(e);
		return -ENOMEM;
	}
	*ret_handle = e;
	return 0;
}

static void error_close(void *handle)
{
	struct error *e = handle;

	filter_held_free(e->held);
	free(atomic_load(&e->rule));
	free(e);
}

static void error_info(void *handle, struct ulio_backstore_info *info)
{
	filter_info(((struct error *)handle)->self, info);
}

static int error_map(
	void *handle, uint64_t off_bytes, uint64_t len_bytes, struct ulio_extent *ret, uint32_t max)
{
	return filter_map(((struct error *)handle)->self, off_bytes, len_bytes, ret, max);
}

static int error_resize(void *handle, uint64_t size_bytes, char *err, uint64_t err_bytes)
{
	return filter_resize(((struct error *)handle)->self, size_bytes, err, err_bytes);
}

const struct backstore_internal_ops backstore_error = {
	.ops = {
		ULIO_BACKSTORE_HEADER,
		.kind = "error",
		.text = "Filter: makes a disk fail, by a rule that can be changed.",
		.params = error_params,
		.close = error_close,
		.info = error_info,
		.submit = error_submit,
		.cancel = error_cancel,
		.map = error_map,
		.resize = error_resize,
		.set = error_set,
	},
	.open = error_open,
	.filter = true,
};
