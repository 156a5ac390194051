/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin_bad.c: plugins that must be refused: built several times, with BAD_* choosing what is
 * wrong.
 */
#include <stddef.h>
#include <ulio/backstore.h>

static int bad_open(const struct ulio_open_args *args, void **ret_handle)
{
	*ret_handle = NULL;
	return 0;
}

static void bad_close(void *handle)
{
}

__attribute__((unused)) static void bad_info(void *handle, struct ulio_backstore_info *info)
{
}

static void bad_submit(void *handle, struct ulio_bio *bio)
{
}

__attribute__((unused)) static const struct {
	struct ulio_backstore_ops ops;
	void (*later)(void *handle);
} bad = {
	.ops = {
#ifdef BAD_ABI
		.abi = ULIO_BACKSTORE_ABI + 1,
#else
		.abi = ULIO_BACKSTORE_ABI,
#endif
#if defined(BAD_SHORT)
		.size = offsetof(struct ulio_backstore_ops, submit),
#elif defined(BAD_LATER)
		.size = sizeof(bad),
#else
		.size = sizeof(struct ulio_backstore_ops),
#endif
		.kind = "bad",
		.open = bad_open,
		.close = bad_close,
#ifdef BAD_LACKS
		.info = NULL,
#else
		.info = bad_info,
#endif
		.submit = bad_submit,
	},
	.later = bad_close,
};

#ifdef BAD_ENTRY
const struct ulio_backstore_ops *another_name(uint32_t host_abi);
const struct ulio_backstore_ops *another_name(uint32_t host_abi)
{
	return &bad.ops;
}
#else
const struct ulio_backstore_ops *ulio_backstore_init(uint32_t host_abi)
{
#ifdef BAD_REFUSES
	return NULL;
#else
	return &bad.ops;
#endif
}
#endif
