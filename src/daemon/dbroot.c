/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dbroot.c: where what initiators want to outlive a restart is kept: persistent reservations. What
 * LIO has left at its places is found again, else it is the daemon's own directory.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/daemon.h"

/* Where LIO has its own, by distribution; it is used if it is there and can be written to. */
static const char *const lio_places[] = { "/etc/rtslib-fb-target", "/etc/target", "/var/target" };

static bool is_ours(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode) && !access(path, W_OK | X_OK);
}

/*
 * The places to try, best first, NULL at the end. Who names a directory for the daemon means this
 * one; a captive run is not to find what another one has left.
 */
static void list_places(const struct daemon *d, const char *places[5])
{
	unsigned n = 0;

	if (d->o->state) {
		places[n++] = d->state;
	} else if (d->o->run) {
		places[n++] = d->scratch;
	} else {
		for (size_t i = 0; i < sizeof(lio_places) / sizeof(lio_places[0]); i++) {
			if (is_ours(lio_places[i]))
				places[n++] = lio_places[i];
		}
		places[n++] = d->state;
	}
	places[n] = NULL;
}

int daemon_find_dbroot(struct daemon *d, struct errmsg *err)
{
	const char *places[5];
	struct errmsg why = { 0 };
	int r;

	if (d->o->dbroot && strcmp(d->o->dbroot, "none") != 0) {
		r = engine_set_dbroot(d->eng, d->o->dbroot, err);
		if (r)
			errmsg_prefix(err, "--dbroot %s", d->o->dbroot);
		return r;
	}
	if (d->o->dbroot)
		return 0;
	list_places(d, places);
	for (unsigned i = 0; places[i]; i++) {
		if (!engine_set_dbroot(d->eng, places[i], &why))
			return 0;
		log_msg(LOG_LEVEL_WARN, "daemon", "%s", why.text);
	}
	log_msg(LOG_LEVEL_ERROR, "daemon",
		"persistent reservations will not outlive a restart, and initiators that ask for "
		"it are refused: name a directory with --dbroot");
	return 0;
}
