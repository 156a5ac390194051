/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua_lba.c: logical block dependent access (SPC-4 5.15.2.4.7, SBC-3 4.25): which user data
 * segments are reached through which target port group. The map is an immutable snapshot.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/strbuf.h"
#include "engine/alua_priv.h"
#include "engine/bars.h"
#include "engine/engine_priv.h"
#include "engine/optable.h"

struct row {
	uint64_t first, last;
	struct referral_port_group *groups; /* map->ngroups of them */
};

struct alua_lba_map {
	uint32_t segment_size, multiplier; /* in blocks; 0: each row is one segment */
	unsigned nrows, ngroups;
	struct row *rows;
};

/* The letters of LIO's lba_map. */
static const char letters[] = {
	[TPG_ACTIVE_OPTIMIZED] = 'O',
	[TPG_ACTIVE_NONOPTIMIZED] = 'A',
	[TPG_STANDBY] = 'S',
	[TPG_UNAVAILABLE] = 'U',
};

static struct alua_lba_map *map_free(struct alua_lba_map *m)
{
	for (unsigned i = 0; m && i < m->nrows; i++)
		free(m->rows[i].groups);
	if (m)
		free(m->rows);
	free(m);
	return NULL;
}

void alua_lba_done(struct lu_alua *alua)
{
	map_free(atomic_load(&alua->map));
}

/* ---- text ------------------------------------------------------------------------------------ */

/* "<group id>:<letter>" */
static bool parse_group(char *word, struct referral_port_group *ret)
{
	char *colon = strchr(word, ':');
	uint64_t id;
	unsigned s = 0;

	if (!colon || strlen(colon) != 2)
		return false;
	*colon = '\0';
	while (s < sizeof(letters) && letters[s] != colon[1])
		s++;
	if (s == sizeof(letters) || num_parse_any(word, 0, UINT16_MAX, &id))
		return false;
	*ret = (struct referral_port_group){ .state = (uint8_t)s, .group = (uint16_t)id };
	return true;
}

/* "<first> <last> <group>…" into the next row. */
static int parse_row(struct alua_lba_map *m, char *line)
{
	struct referral_port_group groups[ALUA_MAX_GROUPS];
	struct row *r = &m->rows[m->nrows];
	char *save = NULL, *first = strtok_r(line, " ", &save), *last = strtok_r(NULL, " ", &save);
	unsigned n = 0;

	if (!first || !last || num_parse_any(first, 0, UINT64_MAX, &r->first) ||
		num_parse_any(last, r->first, UINT64_MAX, &r->last))
		return -EINVAL;
	for (char *w = strtok_r(NULL, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (n == ALUA_MAX_GROUPS || !parse_group(w, &groups[n++]))
			return -EINVAL;
	/* As LIO: each row tells of the same number of groups. */
	if (!n || (m->nrows && n != m->ngroups))
		return -EINVAL;
	r->groups = malloc(n * sizeof(groups[0]));
	if (!r->groups)
		return -ENOMEM;
	memcpy(r->groups, groups, n * sizeof(groups[0]));
	m->ngroups = n;
	m->nrows++;
	return 0;
}

static int parse_head(struct alua_lba_map *m, char *line)
{
	char *save = NULL, *size = strtok_r(line, " ", &save), *mult = strtok_r(NULL, " ", &save);
	uint64_t s, k;

	if (!size || !mult || strtok_r(NULL, " ", &save) ||
		num_parse_any(size, 0, UINT32_MAX, &s) || num_parse_any(mult, 0, UINT32_MAX, &k))
		return -EINVAL;
	m->segment_size = (uint32_t)s;
	m->multiplier = (uint32_t)k;
	return 0;
}

/* The map of a text that is written to; NULL in *ret: of an empty one. */
static int map_parse(char *text, struct alua_lba_map **ret)
{
	struct alua_lba_map *m;
	char *save = NULL, *line = strtok_r(text, "\n", &save);
	int r;

	*ret = NULL;
	if (!line)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->rows = calloc(ALUA_MAX_LBA_ROWS, sizeof(*m->rows));
	r = m->rows ? parse_head(m, line) : -ENOMEM;
	while (!r && (line = strtok_r(NULL, "\n", &save)))
		r = m->nrows < ALUA_MAX_LBA_ROWS ? parse_row(m, line) : -EINVAL;
	if (!r && !m->nrows)
		r = -EINVAL;
	if (r)
		map_free(m);
	else
		*ret = m;
	return r;
}

int alua_lba_set(struct lu *lu, const char *text, struct errmsg *err)
{
	char *copy = strdup(text);
	struct alua_lba_map *now, *old;
	int r = copy ? map_parse(copy, &now) : -ENOMEM;

	free(copy);
	if (r)
		return errmsg_set(err, r, "lba_map: %s",
			r == -ENOMEM ? "out of memory"
				     : "lines are meant: \"<segment size> <multiplier>\", then "
				       "\"<first> <last> <group id>:<O|A|S|U> …\", each with as "
				       "many groups");
	old = atomic_exchange(&lu->alua->map, now);
	/* Publishes R_SUP, and waits until no loop looks at the old map. */
	r = lu_refresh(lu);
	if (r) {
		/* Without the barrier of lu_refresh() nobody knows who looks at it. */
		loops_barrier(lu->eng->loops, NULL, NULL);
		errmsg_set(err, r, "lba_map: out of memory");
	} else if (now || old) {
		/* SPC-4 6.6.1: R_SUP and the Referrals VPD page are others now. */
		ua_add_all(lu, SENSE_INQUIRY_DATA_HAS_CHANGED, NULL);
	}
	map_free(old);
	return r;
}

void alua_lba_get(struct lu *lu, struct strbuf *out)
{
	const struct alua_lba_map *m = atomic_load(&lu->alua->map);

	if (!m)
		return;
	strbuf_printf(out, "%u %u\n", m->segment_size, m->multiplier);
	for (unsigned i = 0; i < m->nrows; i++) {
		strbuf_printf(out, "%" PRIu64 " %" PRIu64, m->rows[i].first, m->rows[i].last);
		for (unsigned k = 0; k < m->ngroups; k++)
			strbuf_printf(out, " %u:%c", m->rows[i].groups[k].group,
				letters[m->rows[i].groups[k].state]);
		strbuf_putc(out, '\n');
	}
}

/* ---- looking up ------------------------------------------------------------------------------ */

/* SBC-3 4.25.2: segment_size blocks, of each segment_size * multiplier from `first` on. */
static bool row_has(const struct alua_lba_map *m, const struct row *r, uint64_t lba)
{
	uint64_t period = (uint64_t)m->segment_size * m->multiplier;

	if (lba < r->first || lba > r->last)
		return false;
	return !period || (lba - r->first) % period < m->segment_size;
}

/* The row that has lba, NULL if none does, and how many blocks from there on are in its segment. */
static const struct row *row_find(const struct alua_lba_map *m, uint64_t lba, uint64_t *ret_left)
{
	uint64_t period = (uint64_t)m->segment_size * m->multiplier;

	for (unsigned i = 0; i < m->nrows; i++) {
		const struct row *r = &m->rows[i];

		if (!row_has(m, r, lba))
			continue;
		*ret_left = r->last - lba;
		if (period && m->segment_size - (lba - r->first) % period - 1 < *ret_left)
			*ret_left = m->segment_size - (lba - r->first) % period - 1;
		/* r->last may be the largest number there is. */
		*ret_left += *ret_left != UINT64_MAX;
		return r;
	}
	return NULL;
}

static uint8_t state_in(const struct alua_lba_map *m, const struct row *r, uint16_t group)
{
	for (unsigned k = 0; k < m->ngroups; k++)
		if (r->groups[k].group == group)
			return r->groups[k].state;
	return TPG_UNAVAILABLE;
}

/*
 * The first block of cmd that its group does not reach: its row (NULL: in no segment) and the state
 * there. False: it reaches all.
 */
static bool find_barred(const struct cmd *cmd, const struct alua_lba_map *m, uint16_t group,
	const struct row **ret_row, uint8_t *ret_state)
{
	uint64_t lba = cmd->lba, end = cmd->lba + cmd->nblocks, left;

	while (lba < end) {
		*ret_row = row_find(m, lba, &left);
		*ret_state = *ret_row ? state_in(m, *ret_row, group) : TPG_UNAVAILABLE;
		if (*ret_state != TPG_ACTIVE_OPTIMIZED && *ret_state != TPG_ACTIVE_NONOPTIMIZED)
			return true;
		if (left >= end - lba)
			break;
		lba += left;
	}
	return false;
}

static bool barred(const struct cmd *cmd, const struct alua_lba_map **ret_map,
	const struct row **ret_row, uint8_t *ret_state)
{
	const struct alua_group *g = atomic_load(&cmd->itl->pl->alua_group);

	*ret_map = atomic_load_explicit(&cmd->lu->alua->map, memory_order_acquire);
	return *ret_map && g && cmd->nblocks &&
	       find_barred(cmd, *ret_map, g->id, ret_row, ret_state);
}

bool alua_lba_reaches(const struct cmd *cmd)
{
	const struct alua_lba_map *m;
	const struct row *r;
	uint8_t state;

	return !barred(cmd, &m, &r, &state);
}

static bool reached_elsewhere(const struct alua_lba_map *m, const struct row *r)
{
	for (unsigned k = 0; r && k < m->ngroups; k++)
		if (r->groups[k].state <= TPG_ACTIVE_NONOPTIMIZED)
			return true;
	return false;
}

static struct referral referral_of(const struct alua_lba_map *m, const struct row *r)
{
	return (struct referral){ r->first, r->last, m->ngroups, r->groups };
}

/* SBC-3 4.25.3: where sense data have descriptors, they tell the way. */
bool alua_lba_pass(struct cmd *cmd)
{
	const struct alua_lba_map *m;
	const struct row *row;
	uint8_t state, buf[SENSE_EXTRA_MAX];
	struct sense s;

	if (!barred(cmd, &m, &row, &state))
		return true;
	s = sense_plain(state == TPG_STANDBY ? SENSE_ALUA_STANDBY : SENSE_ALUA_UNAVAILABLE);
	if (cmd_conf(cmd)->d_sense && reached_elsewhere(m, row)) {
		struct referral way = referral_of(m, row);

		s = sense_plain(SENSE_INSPECT_REFERRALS);
		s.extra_len = (uint8_t)referral_sense_build(&way, 1, buf, sizeof(buf));
		s.extra = buf;
		/* NOT_ALL_R: there is more than this one segment. */
		if (s.extra_len && m->nrows > 1)
			buf[2] = 1;
	}
	cmd_fail_sense(cmd, &s);
	return false;
}

/* ---- reports --------------------------------------------------------------------------------- */

bool alua_lba_segments(const struct lu *lu, uint32_t *ret_size, uint32_t *ret_multiplier)
{
	const struct alua_lba_map *m =
		atomic_load_explicit(&((struct lu *)lu)->alua->map, memory_order_acquire);

	*ret_size = m ? m->segment_size : 0;
	*ret_multiplier = m ? m->multiplier : 0;
	return m;
}

unsigned alua_lba_referrals(
	const struct lu *lu, uint64_t lba, bool one, struct referral *ret, unsigned cap)
{
	const struct alua_lba_map *m =
		atomic_load_explicit(&((struct lu *)lu)->alua->map, memory_order_acquire);
	unsigned n = 0;

	for (unsigned i = 0; m && i < m->nrows && n < cap && !(one && n); i++) {
		const struct row *r = &m->rows[i];

		if (one ? row_has(m, r, lba) : r->last >= lba)
			ret[n++] = referral_of(m, r);
	}
	return n;
}
