/* SPDX-License-Identifier: BSD-3-Clause */
/* aptpl_text.c: LIO's format of registrations, written and read. */
#include "engine/pr/aptpl_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/num.h"
#include "base/utf8.h"
#include "engine/pr/state.h"

#define NOTHING "No Registrations or Reservations"
#define START   "PR_REG_START: "
#define END     "PR_REG_END: "
#define APTPL   "aptpl="
#define FABRIC  "iSCSI" /* SPC-4 7.6.1: of the one protocol whose names have this form */

enum {
	NAME_MAX_BYTES = 223, /* RFC 7143 4.2.7.1 */
	SID_CHARS = 12, /* an ISID in hexadecimal */
	PORT_MIDDLE_CHARS = 5, /* ",i,0x" */
};

/* ---- writing --------------------------------------------------------------------------------- */

/* A name that stays one word of one line, in every reader of this format. */
static bool is_name(const char *s)
{
	size_t n = strnlen(s, NAME_MAX_BYTES + 1);

	if (!n || n > NAME_MAX_BYTES || !utf8_valid(s, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c == 0x7f || c == ',' || c == '=')
			return false;
	}
	return true;
}

static bool is_sid(const char *s)
{
	size_t n = 0;

	while (n < SID_CHARS && hex_digit(s[n]) >= 0)
		n++;
	return n == SID_CHARS && !s[n];
}

/* The ISID at the end of the port's name, "" if it has none. False: it has another form. */
static bool sid_of(const struct pr_nexus *nexus, const char **ret)
{
	size_t n = strlen(nexus->initiator);
	const char *rest = nexus->initiator_port + n;

	if (strncmp(nexus->initiator_port, nexus->initiator, n) != 0)
		return false;
	*ret = rest;
	if (!*rest)
		return true;
	*ret += PORT_MIDDLE_CHARS;
	return !strncmp(rest, ",i,0x", PORT_MIDDLE_CHARS) && is_sid(*ret);
}

static int format_one(
	const struct pr_state *s, uint32_t i, bool holder, bool extras, struct strbuf *out)
{
	const struct pr_registration *r = s->r[i];
	const struct pr_nexus *x = &r->nexus;
	const char *sid;

	if (!is_name(x->initiator) || !is_name(x->device) || !sid_of(x, &sid))
		return -EINVAL;
	strbuf_printf(out, START "%" PRIu32 "\ninitiator_fabric=" FABRIC "\ninitiator_node=%s\n", i,
		x->initiator);
	if (*sid)
		strbuf_printf(out, "initiator_sid=%s\n", sid);
	strbuf_printf(out, "sa_res_key=%" PRIu64 "\nres_holder=%d\n", r->key, holder);
	if (holder)
		strbuf_printf(out, "res_type=%02x\nres_scope=%02x\n", s->type, s->scope);
	strbuf_printf(out,
		"res_all_tg_pt=%d\nmapped_lun=%" PRIu32 "\ntarget_fabric=" FABRIC
		"\ntarget_node=%s\ntpgt=%u\nport_rtpi=%u\ntarget_lun=%" PRIu32 "\n",
		r->all_tg_pt, r->lun, x->device, x->tpgt, x->rtpi, r->target_lun);
	if (extras)
		strbuf_printf(out, "registered=%" PRIu64 "\n", r->registered_s);
	strbuf_printf(out, END "%" PRIu32 "\n", i);
	return 0;
}

int aptpl_format(const struct pr_state *s, bool extras, struct strbuf *out)
{
	const struct pr_registration *holder = pr_holder(s);
	int r = 0;

	if (extras)
		strbuf_printf(out, APTPL "%d\n", s->aptpl);
	if (!s->n)
		strbuf_puts(out, NOTHING);
	/* One line says who holds it, also where all do: the type tells that. */
	for (uint32_t i = 0; i < s->n && !r; i++)
		r = format_one(s, i, s->r[i] == holder, extras, out);
	strbuf_putc(out, '\0');
	if (r)
		return r;
	return out->failed ? -ENOMEM : 0;
}

/* ---- fields ---------------------------------------------------------------------------------- */

enum field {
	F_INITIATOR_FABRIC,
	F_INITIATOR_NODE,
	F_INITIATOR_SID,
	F_SA_RES_KEY,
	F_RES_HOLDER,
	F_RES_TYPE,
	F_RES_SCOPE,
	F_RES_ALL_TG_PT,
	F_MAPPED_LUN,
	F_TARGET_FABRIC,
	F_TARGET_NODE,
	F_TPGT,
	F_PORT_RTPI,
	F_TARGET_LUN,
	F_REGISTERED,
	FIELDS
};

enum field_kind { KIND_FABRIC, KIND_NAME, KIND_SID, KIND_NUMBER, KIND_HEX };

static const struct field_row {
	const char *key;
	enum field_kind kind;
	uint64_t min, max;
	bool in_file; /* each registration of a file has it */
} fields[FIELDS] = {
	[F_INITIATOR_FABRIC] = { "initiator_fabric", KIND_FABRIC, .in_file = true },
	[F_INITIATOR_NODE] = { "initiator_node", KIND_NAME, .in_file = true },
	[F_INITIATOR_SID] = { "initiator_sid", KIND_SID },
	[F_SA_RES_KEY] = { "sa_res_key", KIND_NUMBER, 1, UINT64_MAX, true },
	[F_RES_HOLDER] = { "res_holder", KIND_NUMBER, 0, 1, true },
	[F_RES_TYPE] = { "res_type", KIND_HEX, 0, UINT8_MAX },
	[F_RES_SCOPE] = { "res_scope", KIND_HEX, 0, UINT8_MAX },
	[F_RES_ALL_TG_PT] = { "res_all_tg_pt", KIND_NUMBER, 0, 1, true },
	[F_MAPPED_LUN] = { "mapped_lun", KIND_NUMBER, 0, UINT32_MAX, true },
	[F_TARGET_FABRIC] = { "target_fabric", KIND_FABRIC, .in_file = true },
	[F_TARGET_NODE] = { "target_node", KIND_NAME, .in_file = true },
	[F_TPGT] = { "tpgt", KIND_NUMBER, 0, UINT16_MAX, true },
	[F_PORT_RTPI] = { "port_rtpi", KIND_NUMBER, 0, UINT16_MAX, true },
	[F_TARGET_LUN] = { "target_lun", KIND_NUMBER, 0, UINT32_MAX, true },
	[F_REGISTERED] = { "registered", KIND_NUMBER, 0, INT64_MAX },
};

/* What was read of one registration. */
struct block {
	bool has[FIELDS];
	uint64_t number[FIELDS];
	char text[FIELDS][NAME_MAX_BYTES + 1];
};

struct parser {
	struct pr_state *s; /* what is being built */
	struct errmsg *err;
	struct block b;
	unsigned line;
	uint32_t nblocks; /* those left out included */
	unsigned foreign; /* left out: of other fabrics */
	uint32_t holder; /* index of the holder; s->n: none yet */
	uint8_t type, scope; /* of what it holds; 0: no holder yet */
};

static int parse_hex(const char *s, uint64_t *ret)
{
	if (!strncmp(s, "0x", 2))
		s += 2;
	*ret = 0;
	if (!*s || strlen(s) > 2)
		return -EINVAL;
	for (; *s; s++) {
		int digit = hex_digit(*s);

		if (digit < 0)
			return -EINVAL;
		*ret = *ret << 4 | (unsigned)digit;
	}
	return 0;
}

static bool is_text_good(enum field_kind kind, const char *value)
{
	return kind == KIND_SID ? is_sid(value) : is_name(value);
}

static int take_value(struct parser *p, unsigned f, const char *value)
{
	const struct field_row *row = &fields[f];
	int r = 0;

	if (p->b.has[f])
		return errmsg_set(p->err, -EINVAL, "%s is there twice", row->key);
	p->b.has[f] = true;
	if (row->kind == KIND_NUMBER)
		r = num_parse_any(value, row->min, row->max, &p->b.number[f]);
	else if (row->kind == KIND_HEX)
		r = parse_hex(value, &p->b.number[f]);
	else if (!is_text_good(row->kind, value))
		r = -EINVAL;
	else
		/* Names are compared in lower case (RFC 7143 4.2.7.2). */
		for (size_t i = 0; i <= strlen(value); i++)
			p->b.text[f][i] = row->kind == KIND_FABRIC
						  ? value[i]
						  : (char)tolower((unsigned char)value[i]);
	return r ? errmsg_set(p->err, -EINVAL, "%s=%.64s is not possible", row->key, value) : 0;
}

/* "key=value". 0; -ENOENT: no such field; -EINVAL, told. */
static int take_field(struct parser *p, const char *word)
{
	for (unsigned f = 0; f < FIELDS; f++) {
		size_t n = strlen(fields[f].key);

		if (!strncmp(word, fields[f].key, n) && word[n] == '=')
			return take_value(p, f, word + n + 1);
	}
	return -ENOENT;
}

/* ---- registrations --------------------------------------------------------------------------- */

/* Of an initiator that cannot come to us. It is left out as if it had been unregistered. */
static bool is_foreign(const struct block *b)
{
	return (b->has[F_INITIATOR_FABRIC] && strcmp(b->text[F_INITIATOR_FABRIC], FABRIC) != 0) ||
	       (b->has[F_TARGET_FABRIC] && strcmp(b->text[F_TARGET_FABRIC], FABRIC) != 0);
}

static bool take_reservation(struct parser *p)
{
	const struct block *b = &p->b;

	if (!b->number[F_RES_HOLDER])
		return true;
	if (p->type || b->number[F_RES_SCOPE] != RESERVATION_LU_SCOPE ||
		!reservation_type_valid((uint8_t)b->number[F_RES_TYPE]))
		return false;
	/* Of all registrants the others hold it still. */
	if (is_foreign(b) && !reservation_type_all_registrants((uint8_t)b->number[F_RES_TYPE]))
		return true;
	p->holder = p->s->n;
	p->type = (uint8_t)b->number[F_RES_TYPE];
	p->scope = (uint8_t)b->number[F_RES_SCOPE];
	return true;
}

/* A registration is complete: into the state with it. */
static int take_block(struct parser *p)
{
	const struct block *b = &p->b;
	char port[NAME_MAX_BYTES + PORT_MIDDLE_CHARS + SID_CHARS + 1];
	struct pr_registration r = {
		.nexus = { b->text[F_INITIATOR_NODE], port, b->text[F_TARGET_NODE],
			(uint16_t)b->number[F_TPGT], (uint16_t)b->number[F_PORT_RTPI] },
		.key = b->number[F_SA_RES_KEY],
		.all_tg_pt = b->number[F_RES_ALL_TG_PT],
		.lun = (uint32_t)b->number[F_MAPPED_LUN],
		.target_lun = (uint32_t)b->number[F_TARGET_LUN],
		.registered_s = b->number[F_REGISTERED],
	};
	int rc;

	if (!take_reservation(p))
		return errmsg_set(p->err, -EINVAL,
			p->type ? "two registrations hold the reservation"
				: "the reservation has no possible type and scope");
	p->nblocks++;
	if (is_foreign(b)) {
		p->foreign++;
		return 0;
	}
	snprintf(port, sizeof(port), "%s%s%.12s", b->text[F_INITIATOR_NODE],
		b->has[F_INITIATOR_SID] ? ",i,0x" : "", b->text[F_INITIATOR_SID]);
	rc = pr_state_add(p->s, &r);
	if (rc == -EEXIST)
		return errmsg_set(p->err, -EINVAL, "%s is registered twice", port);
	if (rc == -EINVAL)
		return errmsg_set(
			p->err, -EINVAL, "%s is not possible at %s", port, r.nexus.device);
	if (rc == -ENOSPC)
		return errmsg_set(p->err, -E2BIG, "there are more than %u registrations",
			PR_MAX_REGISTRATIONS);
	return rc ? errmsg_set(p->err, rc, "out of memory") : 0;
}

static int parser_init(struct parser *p, struct errmsg *err)
{
	memset(p, 0, sizeof(*p));
	p->err = err;
	p->s = pr_state_new();
	return p->s ? 0 : errmsg_set(err, -ENOMEM, "out of memory");
}

static int parser_end(struct parser *p, int r, struct pr_state **ret)
{
	if (r) {
		pr_state_free(p->s);
		return r;
	}
	if (p->type && p->s->n)
		pr_state_reserve(p->s, p->holder < p->s->n ? p->holder : 0, p->scope, p->type);
	*ret = p->s;
	return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* "PR_REG_START: 3" and "PR_REG_END: 3": the number is that of the registration. */
static bool is_mark(const char *line, const char *mark, uint32_t n)
{
	size_t len = strlen(mark);
	uint64_t v;

	return !strncmp(line, mark, len) && !num_parse_u64(line + len, n, n, &v);
}

static int end_block(struct parser *p)
{
	for (unsigned f = 0; f < FIELDS; f++) {
		if (fields[f].in_file && !p->b.has[f])
			return errmsg_set(p->err, -EINVAL, "%s is missing", fields[f].key);
	}
	if (p->b.number[F_RES_HOLDER] != p->b.has[F_RES_TYPE] ||
		p->b.number[F_RES_HOLDER] != p->b.has[F_RES_SCOPE])
		return errmsg_set(p->err, -EINVAL, "res_type and res_scope belong to res_holder=1");
	return take_block(p);
}

/* One line of a file. in: within a registration. */
static int take_line(struct parser *p, const char *line, bool *in)
{
	int r;

	if (!*in && p->line == 1 && !strncmp(line, APTPL, strlen(APTPL)) &&
		(!strcmp(line + strlen(APTPL), "0") || !strcmp(line + strlen(APTPL), "1"))) {
		p->s->aptpl = line[strlen(APTPL)] == '1';
		return 0;
	}
	if (!*in && is_mark(line, START, p->nblocks)) {
		memset(&p->b, 0, sizeof(p->b));
		*in = true;
		return 0;
	}
	if (*in && is_mark(line, END, p->nblocks)) {
		*in = false;
		return end_block(p);
	}
	r = *in ? take_field(p, line) : -ENOENT;
	return r == -ENOENT ? errmsg_set(p->err, -EINVAL, "\"%.64s\" does not belong here", line)
			    : r;
}

/* The text without what ends it: a NUL, blanks around that. False: there is a NUL in its midst. */
static bool find_end(const char *text, size_t n, size_t *ret)
{
	while (n && (text[n - 1] == '\0' || isspace((unsigned char)text[n - 1])))
		n--;
	*ret = n;
	return !memchr(text, '\0', n);
}

static int parse_lines(struct parser *p, char *text)
{
	bool in = false, nothing = false;
	char *line;
	int r = 0;

	/* A file of LIO is there because its state is kept. */
	p->s->aptpl = true;
	while (!r && (line = strsep(&text, "\n"))) {
		p->line++;
		if (nothing)
			r = errmsg_set(p->err, -EINVAL, "it has no registrations and more");
		else if (!in && !p->nblocks && !strcmp(line, NOTHING))
			nothing = true;
		else
			r = take_line(p, line, &in);
	}
	if (!r && in)
		r = errmsg_set(p->err, -EINVAL, "its end is missing");
	if (!r && !nothing && !p->nblocks)
		r = errmsg_set(p->err, -EINVAL, "nothing is in it");
	return r;
}

int aptpl_parse(const char *text, size_t n, struct pr_state **ret, unsigned *ret_foreign,
	struct errmsg *err)
{
	struct parser *p = malloc(sizeof(*p));
	char *copy = NULL;
	size_t len;
	int r = p ? parser_init(p, err) : errmsg_set(err, -ENOMEM, "out of memory");

	if (r) {
		free(p);
		return r;
	}
	if (!find_end(text, n, &len))
		r = errmsg_set(err, -EINVAL, "it is not text");
	copy = r ? NULL : strndup(text, len);
	if (!r && !copy)
		r = errmsg_set(err, -ENOMEM, "out of memory");
	if (!r)
		r = parse_lines(p, copy);
	if (r == -EINVAL && p->line)
		errmsg_prefix(err, "line %u", p->line);
	*ret_foreign = p->foreign;
	r = parser_end(p, r, ret);
	free(copy);
	free(p);
	return r;
}

/* ---- res_aptpl_metadata ---------------------------------------------------------------------- */

/* What LIO asks of it; the rest has defaults. */
static int check_one(const struct parser *p)
{
	static const enum field needed[] = { F_INITIATOR_NODE, F_TARGET_NODE, F_SA_RES_KEY };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!p->b.has[needed[i]])
			return errmsg_set(p->err, -EINVAL, "%s= is missing", fields[needed[i]].key);
	}
	return 0;
}

int aptpl_parse_one(const char *text, struct pr_state **ret, struct errmsg *err)
{
	struct parser *p = malloc(sizeof(*p));
	char *copy = strdup(text), *rest = copy, *word;
	int r = p && copy ? parser_init(p, err) : errmsg_set(err, -ENOMEM, "out of memory");

	if (r) {
		free(copy);
		free(p);
		return r;
	}
	while (!r && (word = strsep(&rest, ",\n"))) {
		word += strspn(word, " \t\r");
		word[strcspn(word, " \t\r")] = '\0';
		r = take_field(p, word);
		if (r == -ENOENT)
			r = 0;
	}
	if (!r)
		r = check_one(p);
	if (!r)
		r = take_block(p);
	if (!r && p->foreign)
		r = errmsg_set(err, -EINVAL, "the fabric must be " FABRIC);
	if (!r)
		p->s->aptpl = true;
	r = parser_end(p, r, ret);
	free(copy);
	free(p);
	return r;
}
