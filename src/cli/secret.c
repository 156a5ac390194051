/* SPDX-License-Identifier: BSD-3-Clause */
/* secret.c: secrets come from files or standard input, never from the command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { LINE_MAX_BYTES = 4096 };

int secret_from_file(json_t *params, const char *file_param, const char *param, struct errmsg *err)
{
	const char *path = json_string_value(json_object_get(params, file_param));
	char line[LINE_MAX_BYTES];
	FILE *f;
	int r = 0;

	if (!path)
		return 0;
	f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!f)
		return errmsg_set(err, -errno, "%s: %s", path, err_text(-errno));
	setvbuf(f, NULL, _IONBF, 0); /* stdio keeps no copy of it */
	if (!fgets(line, sizeof(line), f))
		r = errmsg_set(err, -EINVAL, "%s: there is no secret in it", path);
	if (f != stdin)
		fclose(f);
	if (!r) {
		line[strcspn(line, "\r\n")] = '\0';
		if (json_object_set_new(params, param, json_string(line)))
			r = errmsg_set(err, -EINVAL,
				"%s: a secret is UTF-8 text here; the daemon reads other bytes "
				"from a source",
				path);
		json_object_del(params, file_param);
	}
	explicit_bzero(line, sizeof(line));
	return r;
}
