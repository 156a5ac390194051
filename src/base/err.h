/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * err.h: error messages for the administrator, and names of errno values.
 *
 * Functions return 0 or -errno; those whose failure an administrator has to mend also fill a
 * struct errmsg. Its text names the value that was refused and the cure:
 *
 *	if (bytes != 512 && bytes != 4096)
 *		return errmsg_set(e, -EINVAL, "block_size %u: must be 512 or 4096", bytes);
 *
 * All functions may be called from any thread; a struct errmsg belongs to its caller.
 */
#ifndef ULIO_BASE_ERR_H
#define ULIO_BASE_ERR_H

enum { ERRMSG_TEXT_MAX = 512 };

struct errmsg {
	int code; /* -errno, 0 while there is no error */
	char text[ERRMSG_TEXT_MAX];
};

/* Make it say "no error". */
void errmsg_init(struct errmsg *e);

/*
 * errmsg_set(e, neg_errno, fmt, ...): set code and text (cut if too long, then it ends in "...").
 * The arguments may point into e->text. e may be NULL: then nothing is stored.
 * Returns neg_errno, which is below 0.
 */
#define errmsg_set(e, neg_errno, ...)                                                              \
	({                                                                                         \
		int errmsg_rc_ = (neg_errno);                                                      \
                                                                                                   \
		errmsg_store(e, errmsg_rc_, __VA_ARGS__);                                          \
		errmsg_rc_; /* here, so that static analysis sees what is returned */              \
	})

/* What errmsg_set() calls. */
void errmsg_store(struct errmsg *e, int neg_errno, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Put "<formatted text>: " before the text: callers add where they are
 * ("/storage_objects/3: block_size 7: must be ..."). e may be NULL.
 * Returns e->code, or 0 if e is NULL.
 */
int errmsg_prefix(struct errmsg *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "ENOENT" and "No such file or directory"; unknown numbers give "E???" and "Unknown error". */
const char *err_name(int neg_errno);
const char *err_text(int neg_errno);

#endif
