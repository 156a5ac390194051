/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveconfig.c: loading and saving. A generation is a file of its own in a ring of
 * SAVECONFIG_GENERATIONS: a line of JSON (number, checksums), one with the extras, one with the
 * configuration. The checksum of the saveconfig.json that it stands for tells whether others have
 * changed that since.
 */
#include "control/saveconfig.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fsutil.h"
#include "base/log.h"
#include "control/limits.h"
#include "control/rpc.h"
#include "control/saveconfig_priv.h"
#include "control/savedump.h"
#include "control/saveschema.h"

enum { SLOT_HEADER_BYTES = 512, SLOT_FORMAT = 1 };

struct slot {
	bool there;
	uint64_t generation;
	uint64_t saved_s; /* since the epoch */
	uint32_t file_crc; /* of the saveconfig.json */
	uint64_t file_bytes;
	uint32_t body_crc; /* of what follows the header line */
};

struct saveconfig {
	struct loops *loops;
	struct tree *tree;
	char *file, *dir; /* dir: "<file>.ulio" */
	struct saveapply_hooks hooks;
	struct slot slots[SAVECONFIG_GENERATIONS];
	uint64_t generation; /* newest */
	uint32_t loaded_crc; /* of the file as it was read or written last */
	uint64_t loaded_bytes;
	unsigned lost; /* parts that the last load left out */
	bool loading;
	bool changed; /* since the last load or save */
	char source[64]; /* "file", "generation 7", "nothing" */
};

static void on_change(void *arg, enum tree_event ev, struct node *dir, const char *name)
{
	struct saveconfig *s = arg;

	s->changed = true;
}

int saveconfig_new(struct loops *loops, struct tree *tree, const char *file,
	const struct saveapply_hooks *hooks, struct saveconfig **ret)
{
	struct saveconfig *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->loops = loops;
	s->tree = tree;
	if (hooks)
		s->hooks = *hooks;
	s->file = file ? strdup(file) : NULL;
	if (!file || asprintf(&s->dir, "%s.ulio", file) < 0)
		s->dir = NULL;
	snprintf(s->source, sizeof(s->source), "nothing");
	if ((file && (!s->file || !s->dir)) || tree_listen(tree, on_change, s)) {
		saveconfig_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

struct saveconfig *saveconfig_free(struct saveconfig *s)
{
	if (!s)
		return NULL;
	tree_unlisten(s->tree, on_change, s);
	free(s->file);
	free(s->dir);
	free(s);
	return NULL;
}

/* ---- generations ----------------------------------------------------------------------------- */

static void slot_path(const struct saveconfig *s, unsigned i, struct strbuf *out)
{
	strbuf_reset(out);
	strbuf_printf(out, "%s/generation-%u", s->dir, i);
}

static void slot_name(const struct slot *slot, char *out, size_t cap)
{
	time_t at = (time_t)slot->saved_s;
	struct tm tm;
	char when[32];

	gmtime_r(&at, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(out, cap, "generation %" PRIu64 " of %s", slot->generation, when);
}

/* Parse the header line at text (NUL-terminated): its length with the newline, 0 if it is none. */
static size_t parse_header(const char *text, struct slot *ret)
{
	const char *end = strchr(text, '\n');
	json_int_t format, generation, saved, file_crc, bytes, body_crc;
	json_t *j = end ? json_loadb(text, (size_t)(end - text), 0, NULL) : NULL;
	int bad = json_unpack(j, "{s:I, s:I, s:I, s:I, s:I, s:I}", "format", &format, "generation",
		&generation, "saved", &saved, "file_crc32c", &file_crc, "file_bytes", &bytes,
		"body_crc32c", &body_crc);

	json_decref(j);
	if (!j || bad || format != SLOT_FORMAT || generation < 1)
		return 0;
	*ret = (struct slot){ true, (uint64_t)generation, (uint64_t)saved, (uint32_t)file_crc,
		(uint64_t)bytes, (uint32_t)body_crc };
	return (size_t)(end - text) + 1;
}

/* Read the headers of all generations. */
static void scan_slots(struct saveconfig *s)
{
	char text[SLOT_HEADER_BYTES + 1];
	struct strbuf path;

	strbuf_init(&path);
	s->generation = 0;
	for (unsigned i = 0; i < SAVECONFIG_GENERATIONS; i++) {
		int fd;
		int64_t n;

		slot_path(s, i, &path);
		s->slots[i] = (struct slot){ 0 };
		fd = loops_open(s->loops, path.s, O_RDONLY | O_CLOEXEC, 0);
		if (fd < 0)
			continue;
		n = loops_pread(s->loops, fd, text, SLOT_HEADER_BYTES, 0);
		loops_close(s->loops, fd);
		text[n > 0 ? n : 0] = '\0';
		if (!parse_header(text, &s->slots[i]))
			s->slots[i].there = false;
		if (s->slots[i].there && s->slots[i].generation > s->generation)
			s->generation = s->slots[i].generation;
	}
	strbuf_done(&path);
}

/* The generation that stands for a file of these bytes, -1 if none does. */
static int find_slot(const struct saveconfig *s, uint32_t crc, uint64_t bytes)
{
	int best = -1;

	for (int i = 0; i < SAVECONFIG_GENERATIONS; i++) {
		const struct slot *slot = &s->slots[i];

		if (slot->there && slot->file_crc == crc && slot->file_bytes == bytes &&
			(best < 0 || slot->generation > s->slots[best].generation))
			best = i;
	}
	return best;
}

/* The newest below a generation number, -1 if there is none. */
static int newest_below(const struct saveconfig *s, uint64_t below)
{
	int best = -1;

	for (int i = 0; i < SAVECONFIG_GENERATIONS; i++) {
		const struct slot *slot = &s->slots[i];

		if (slot->there && slot->generation < below &&
			(best < 0 || slot->generation > s->slots[best].generation))
			best = i;
	}
	return best;
}

/*
 * Read a generation: its extras, and its configuration too if ret_config is not NULL. False: it is
 * damaged.
 */
static bool read_slot(struct saveconfig *s, int i, json_t **ret_extras, json_t **ret_config)
{
	struct strbuf path;
	struct slot slot;
	size_t n = 0, head = 0, line;
	char *text = NULL;
	json_t *extras = NULL, *config = NULL;
	bool good;

	strbuf_init(&path);
	slot_path(s, (unsigned)i, &path);
	if (!loops_read_file(s->loops, path.s, SAVECONFIG_BYTES_MAX, &text, &n))
		head = parse_header(text, &slot);
	good = head && crc32c(text + head, n - head) == slot.body_crc;
	line = good ? strcspn(text + head, "\n") : 0;
	if (good)
		extras = json_loadb(text + head, line, 0, NULL);
	good = json_is_object(extras) && head + line < n;
	if (good && ret_config) {
		config = json_loads(text + head + line + 1, 0, NULL);
		good = json_is_object(config);
	}
	if (good) {
		*ret_extras = json_incref(extras);
		if (ret_config)
			*ret_config = json_incref(config);
	}
	json_decref(extras);
	json_decref(config);
	if (text)
		explicit_bzero(text, n);
	free(text);
	strbuf_done(&path);
	return good;
}

/* The caller has the whole tree claimed, or is alone: what it saves stays what it is. */
static int write_aside(
	struct saveconfig *s, const char *path, const char *text, size_t n, mode_t mode)
{
	bool stepped = loops_step_aside(s->loops);
	int r = loops_write_file(s->loops, path, text, n, mode);

	loops_step_back(s->loops, stepped);
	return r;
}

static int write_slot(struct saveconfig *s, const json_t *config, const json_t *extras,
	const char *file_text, size_t file_bytes)
{
	unsigned i = (unsigned)(s->generation % SAVECONFIG_GENERATIONS);
	char *extras_text = json_dumps(extras, JSON_COMPACT | JSON_SORT_KEYS);
	char *config_text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
	struct slot slot = { true, s->generation + 1, clock_wall_ns() / NS_PER_S,
		crc32c(file_text, file_bytes), file_bytes, 0 };
	struct strbuf path, body, text;
	int r = -ENOMEM;

	strbuf_init(&path);
	strbuf_init(&body);
	strbuf_init(&text);
	if (extras_text && config_text) {
		strbuf_printf(&body, "%s\n%s", extras_text, config_text);
		slot.body_crc = crc32c(body.s, body.len);
		strbuf_printf(&text,
			"{\"format\":%d,\"generation\":%" PRIu64 ",\"saved\":%" PRIu64
			",\"file_crc32c\":%" PRIu32 ",\"file_bytes\":%" PRIu64
			",\"body_crc32c\":%" PRIu32 "}\n",
			SLOT_FORMAT, slot.generation, slot.saved_s, slot.file_crc, slot.file_bytes,
			slot.body_crc);
		strbuf_write(&text, body.s, body.len);
		slot_path(s, i, &path);
	}
	if (text.len && !body.failed && !text.failed && !path.failed) {
		loops_mkdir(s->loops, s->dir, 0700);
		loops_fsync_dir_of(s->loops, s->dir);
		r = write_aside(s, path.s, text.s, text.len, 0600);
	}
	if (!r) {
		s->slots[i] = slot;
		s->generation++;
	}
	free(extras_text);
	free(config_text);
	strbuf_done(&path);
	savedump_forget(&body);
	savedump_forget(&text);
	return r;
}

/* ---- loading --------------------------------------------------------------------------------- */

/* Parse and check; NULL: problems say why. */
static json_t *parse_good(const char *text, size_t n, struct problems *p)
{
	json_t *j = saveschema_parse(text, n, p);

	if (j)
		saveschema_check(j, p);
	if (!p->counts[PROBLEM_ERROR])
		return j;
	json_decref(j);
	return NULL;
}

/* The newest generation that is good, with its number put into source. False: there is none. */
static bool fall_back(
	struct saveconfig *s, struct problems *p, json_t **ret_extras, json_t **ret_config)
{
	uint64_t below = UINT64_MAX;
	int i;

	while ((i = newest_below(s, below)) >= 0) {
		struct problems own;

		below = s->slots[i].generation;
		if (!read_slot(s, i, ret_extras, ret_config))
			continue;
		problems_init(&own);
		saveschema_check(*ret_config, &own);
		if (!own.counts[PROBLEM_ERROR]) {
			problems_done(p);
			*p = own;
			slot_name(&s->slots[i], s->source, sizeof(s->source));
			return true;
		}
		problems_done(&own);
		json_decref(*ret_extras);
		json_decref(*ret_config);
	}
	return false;
}

static void say_fall_back(struct saveconfig *s, const struct problems *why, int error)
{
	const char *text = error ? err_text(error) : why->n ? why->list[0].text : "";
	const char *path = !error && why->n ? why->list[0].path : "";

	log_msg(LOG_LEVEL_ERROR, "config",
		"%s cannot be used (%s%s%s): an older configuration is in force instead, see below",
		s->file, path, *path ? ": " : "", text);
}

/* Extras that go with a file of these bytes: of its generation, else of the newest. */
static json_t *extras_of(struct saveconfig *s, uint32_t crc, uint64_t bytes)
{
	int i = find_slot(s, crc, bytes);
	json_t *extras = NULL;

	if (i < 0) {
		i = newest_below(s, UINT64_MAX);
		if (i >= 0)
			log_msg(LOG_LEVEL_INFO, "config",
				"%s was changed by another program since ulio saved it; it is "
				"valid "
				"and taken",
				s->file);
	}
	if (i >= 0)
		read_slot(s, i, &extras, NULL);
	return extras;
}

/* Find a configuration that can be used: 0 with *ret_config and *ret_extras. */
static int choose(struct saveconfig *s, bool reload, struct problems *p, json_t **ret_config,
	json_t **ret_extras, struct errmsg *err)
{
	char *text = NULL;
	size_t n = 0;
	json_t *config = NULL, *extras = NULL;
	int r = loops_read_file(s->loops, s->file, SAVECONFIG_BYTES_MAX, &text, &n);

	scan_slots(s);
	if (!r)
		config = parse_good(text, n, p);
	if (config) {
		s->loaded_crc = crc32c(text, n);
		s->loaded_bytes = n;
		extras = extras_of(s, s->loaded_crc, s->loaded_bytes);
		snprintf(s->source, sizeof(s->source), "file");
	} else if (s->generation && !reload) {
		say_fall_back(s, p, r);
		if (fall_back(s, p, &extras, &config))
			log_msg(LOG_LEVEL_ERROR, "config",
				"%s: in force: %s; mend or remove the file, or save to replace it",
				s->file, s->source);
	}
	free(text);
	if (!config && r)
		return errmsg_set(err, r, "%s: %s", s->file, err_text(r));
	if (!config)
		return errmsg_set(err, -EINVAL, "%s: %s: %s", s->file, p->n ? p->list[0].path : "",
			p->n ? p->list[0].text : "cannot be used");
	*ret_config = config;
	*ret_extras = extras;
	return 0;
}

static int no_file(struct errmsg *err)
{
	return errmsg_set(err, -EINVAL,
		"there is no file to save to or load from: start the daemon with --config FILE");
}

int saveconfig_load(struct saveconfig *s, bool reload, struct problems *p, struct errmsg *err)
{
	json_t *config, *extras;
	int r = s->file ? choose(s, reload, p, &config, &extras, err) : no_file(err);

	if (r)
		return r;
	s->loading = true;
	r = saveapply(
		s->tree, config, extras, reload ? SAVEAPPLY_REMOVE_OTHERS : 0, &s->hooks, p, NULL);
	s->loading = false;
	s->changed = false;
	s->lost = p->counts[PROBLEM_SKIPPED];
	json_decref(config);
	json_decref(extras);
	malloc_trim(0); /* JSON takes many times what is made of it */
	return r ? errmsg_set(err, r, "%s: %s", s->file, err_text(r)) : 0;
}

int saveconfig_check(const char *file, struct problems *p, json_t **ret_config)
{
	char *text = NULL;
	size_t n = 0;
	json_t *j;
	int r = file_read(file, SAVECONFIG_BYTES_MAX, &text, &n);

	if (r) {
		problem_add(p, PROBLEM_ERROR, file, "%s", err_text(r));
		return r;
	}
	j = parse_good(text, n, p);
	free(text);
	if (!j)
		return -EINVAL;
	if (ret_config)
		*ret_config = j;
	else
		json_decref(j);
	return 0;
}

/* ---- saving ---------------------------------------------------------------------------------- */

/* A file that others changed and that was never loaded is kept before it is replaced. */
static int keep_foreign(struct saveconfig *s)
{
	struct strbuf path;
	char *text = NULL;
	size_t n = 0;
	uint32_t crc;
	int r;

	if (loops_read_file(s->loops, s->file, SAVECONFIG_BYTES_MAX, &text, &n))
		return 0; /* none is there */
	crc = crc32c(text, n);
	r = 0;
	if ((crc != s->loaded_crc || n != s->loaded_bytes || strcmp(s->source, "file") != 0) &&
		find_slot(s, crc, n) < 0) {
		strbuf_init(&path);
		strbuf_printf(&path, "%s/overwritten.json", s->dir);
		loops_mkdir(s->loops, s->dir, 0700);
		r = write_aside(s, path.s, text, n, 0600);
		if (!r)
			log_msg(LOG_LEVEL_WARN, "config",
				"%s was changed by another program: its content is kept as %s",
				s->file, path.s);
		strbuf_done(&path);
	}
	free(text);
	return r;
}

/* As rtslib writes it: sorted keys, two spaces, one newline at the end. */
static char *file_text(const json_t *config)
{
	char *dump = json_dumps(config, JSON_SORT_KEYS | JSON_INDENT(2));
	struct strbuf b;

	if (!dump)
		return NULL;
	strbuf_init(&b);
	strbuf_puts(&b, dump);
	strbuf_putc(&b, '\n');
	free(dump);
	return strbuf_steal(&b);
}

/* The running configuration, if it can be loaded again. path is for messages. */
static int dump_good(struct saveconfig *s, const char *path, json_t **ret_config,
	json_t **ret_extras, struct errmsg *err)
{
	json_t *config = NULL, *extras = NULL;
	struct problems p;
	int r = savedump(s->tree, &config, &extras);

	if (r)
		return errmsg_set(err, r, "%s: %s", path, err_text(r));
	problems_init(&p);
	saveschema_check(config, &p);
	for (unsigned i = 0; i < p.n && !r; i++) {
		if (p.list[i].level == PROBLEM_ERROR)
			r = errmsg_set(err, -EINVAL,
				"%s: what runs could not be loaded again, so it is not saved: %s: "
				"%s",
				path, p.list[i].path, p.list[i].text);
	}
	problems_done(&p);
	if (r) {
		json_decref(config);
		json_decref(extras);
		return r;
	}
	*ret_config = config;
	*ret_extras = extras;
	return 0;
}

int saveconfig_save(struct saveconfig *s, bool force, struct errmsg *err)
{
	json_t *config, *extras;
	char *text;
	int r;

	if (!s->file)
		return no_file(err);
	if (s->loading)
		return errmsg_set(err, -EBUSY, "%s: is being loaded", s->file);
	if (s->lost && !force)
		return errmsg_set(err, -EBUSY,
			"%s: loading it left out %u parts, which saving now would lose; mend and "
			"reload it, or save with force",
			s->file, s->lost);
	r = dump_good(s, s->file, &config, &extras, err);
	if (r)
		return r;
	text = file_text(config);
	scan_slots(s);
	r = text ? keep_foreign(s) : -ENOMEM;
	if (!r)
		r = write_slot(s, config, extras, text, strlen(text));
	if (!r)
		r = write_aside(s, s->file, text, strlen(text), 0600);
	if (!r) {
		s->loaded_crc = crc32c(text, strlen(text));
		s->loaded_bytes = strlen(text);
		s->lost = 0;
		s->changed = false;
		snprintf(s->source, sizeof(s->source), "file");
		log_msg(LOG_LEVEL_INFO, "config", "saved to %s, generation %" PRIu64, s->file,
			s->generation);
	}
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	json_decref(config);
	json_decref(extras);
	malloc_trim(0);
	return r ? errmsg_set(err, r, "%s: cannot be written: %s", s->file, err_text(r)) : 0;
}

int saveconfig_save_to(struct saveconfig *s, const char *path, struct errmsg *err)
{
	json_t *config, *extras;
	char *text;
	int r;

	if (path[0] != '/')
		return errmsg_set(err, -EINVAL, "file %s: an absolute path is meant", path);
	if (s->loading)
		return errmsg_set(err, -EBUSY, "%s: a configuration is being loaded", path);
	r = dump_good(s, path, &config, &extras, err);
	if (r)
		return r;
	text = file_text(config);
	r = text ? write_aside(s, path, text, strlen(text), 0600) : -ENOMEM;
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	json_decref(config);
	json_decref(extras);
	return r ? errmsg_set(err, r, "%s: cannot be written: %s", path, err_text(r)) : 0;
}

bool saveconfig_is_changed(const struct saveconfig *s)
{
	return s->changed;
}

/* ---- for saveplan.c -------------------------------------------------------------------------- */

struct tree *saveconfig_tree(struct saveconfig *s)
{
	return s->tree;
}

const char *saveconfig_file(const struct saveconfig *s)
{
	return s->file;
}

const struct saveapply_hooks *saveconfig_hooks(const struct saveconfig *s)
{
	return &s->hooks;
}

bool saveconfig_set_loading(struct saveconfig *s, bool loading)
{
	bool was = s->loading;

	s->loading = loading;
	return was;
}

/* ---- methods --------------------------------------------------------------------------------- */

json_t *saveconfig_status(struct saveconfig *s)
{
	return json_pack("{s:o, s:I, s:s, s:b, s:i}", "file",
		s->file ? json_text(s->file) : json_null(), "generation", (json_int_t)s->generation,
		"source", s->source, "changed", s->changed, "left_out", (int)s->lost);
}

static int method_save(void *arg, struct control_call *call)
{
	struct saveconfig *s = arg;
	const char *file = call_string(call, "file");
	int r = file ? saveconfig_save_to(s, file, &call->err)
		     : saveconfig_save(s, call_bool(call, "force", false), &call->err);

	if (!r)
		call->result = saveconfig_status(s);
	if (!r && file)
		json_object_set_new(call->result, "file", json_text(file));
	return r;
}

static int method_reload(void *arg, struct control_call *call)
{
	struct saveconfig *s = arg;
	struct problems p;
	int r;

	problems_init(&p);
	r = saveconfig_load(s, true, &p, &call->err);
	if (!r)
		call->result = json_pack("{s:o, s:o}", "status", saveconfig_status(s), "problems",
			problems_json(&p));
	problems_done(&p);
	return r;
}

static int method_status(void *arg, struct control_call *call)
{
	call->result = saveconfig_status(arg);
	return 0;
}

static const struct control_method methods[] = {
	{ .name = "save",
		.doc = "Write the running configuration to its file.",
		.fn = method_save,
		.changes = true,
		.params = { { "force", PARAM_BOOL, false,
				    "also if what could not be loaded is lost by it" },
			{ "file", PARAM_STRING, false,
				"to this file instead, an absolute path; without what LIO's format "
				"has no place for" } } },
	{ .name = "reload",
		.doc = "Bring the running configuration to that of the file; what both have is not "
		       "touched.",
		.fn = method_reload,
		.changes = true },
	{ .name = "config.status",
		.doc = "The file, its generation, and whether the running configuration differs.",
		.fn = method_status },
	{ .name = NULL },
};

int saveconfig_add_methods(struct saveconfig *s, struct control *c)
{
	int r = control_add_methods(c, methods, s);

	if (!r)
		r = control_add_methods(c, saveplan_methods, s);
	if (!r)
		r = control_add_methods(c, saverestore_methods, s);
	return r ? r : control_add_methods(c, saveimport_methods, s);
}
