/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_auth.c: CHAP names and secrets as LIO's auth/ files. */
#include <errno.h>
#include <string.h>

#include "fabric/iscsi/rows_priv.h"

/* Which of the four: a bit of struct chap_auth's cleared. */
static unsigned field_bit(const struct attr *a)
{
	static const size_t offsets[] = { offsetof(struct chap_auth, userid),
		offsetof(struct chap_auth, password), offsetof(struct chap_auth, userid_mutual),
		offsetof(struct chap_auth, password_mutual) };
	unsigned i = 0;

	while (offsets[i] != a->offset)
		i++;
	return 1u << i;
}

int auth_get(const struct attr *a, const struct chap_auth *auth, struct strbuf *out)
{
	strbuf_puts(out, auth->cleared & field_bit(a) ? "NULL" : (const char *)auth + a->offset);
	return 0;
}

int auth_set(const struct attr *a, struct chap_auth *auth, struct engine *eng, const char *value,
	struct errmsg *err)
{
	bool clear = !strncmp(value, "NULL", 4);
	size_t n = strlen(value);

	if (n >= a->max)
		return errmsg_set(err, -EINVAL, "%s: %zu bytes are too long, at most %zu", a->name,
			n, (size_t)a->max - 1);
	engine_lock(eng);
	explicit_bzero((char *)auth + a->offset, a->max);
	auth->cleared &= ~field_bit(a);
	if (clear)
		auth->cleared |= field_bit(a);
	else
		memcpy((char *)auth + a->offset, value, n);
	engine_unlock(eng);
	return 0;
}

int auth_get_mutual(const struct chap_auth *auth, struct strbuf *out)
{
	strbuf_putc(out, auth->userid_mutual[0] && auth->password_mutual[0] ? '1' : '0');
	return 0;
}
