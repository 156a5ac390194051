/* SPDX-License-Identifier: BSD-3-Clause */
/* lioutils_tcm.c: tcm_node: HBAs, storage objects, their ALUA groups. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/lioutils.h"
#include "cli/storage.h"

#define DEV   "/core/$1"
#define GROUP DEV "/alua/$2"
#define LU_GP "/core/alua/lu_gps/$1"

enum { PATH_CHARS = VIEW_PATH_CHARS, WORDS_CHARS = 4500 };

/* ---- storage objects ------------------------------------------------------------------------- */

/* What "control" needs of the words of lio-utils for each plugin; a path is udev_path, too. */
static int control_of(struct cli *cli, const char *dev, const char *params, char buf[WORDS_CHARS],
	const char **ret_path)
{
	*ret_path = NULL;
	if (!strncmp(dev, "iblock_", 7) || !strncmp(dev, "pscsi_", 6)) {
		*ret_path = params[0] == '/' ? params : NULL;
		snprintf(buf, WORDS_CHARS, "%s%.4000s", *ret_path ? "udev_path=" : "", params);
	} else if (!strncmp(dev, "rd_mcp_", 7) || !strncmp(dev, "rd_dr_", 6)) {
		snprintf(buf, WORDS_CHARS, "rd_pages=%.4000s", params);
	} else if (!strncmp(dev, "fileio_", 7)) {
		snprintf(buf, WORDS_CHARS, "%.4000s", params);
	} else {
		return cli_fail(cli, CLI_USAGE,
			"%s: HBA/DEV is meant, with an HBA such as fileio_0, iblock_0, rd_mcp_0",
			dev);
	}
	return strchr(dev, '/') ? 0 : cli_fail(cli, CLI_USAGE, "%s: HBA/DEV is meant", dev);
}

static int fill(struct cli *cli, const char *path, const char *control, const char *udev_path)
{
	int status = cli_set(cli, path, "control", control);

	if (!status && udev_path)
		status = cli_set(cli, path, "udev_path", udev_path);
	return status ? status : cli_set(cli, path, "enable", "1");
}

static int make(struct cli *cli, const char *dev, const char *params, bool serial)
{
	char path[PATH_CHARS], wwn[PATH_CHARS + 8], control[WORDS_CHARS], uuid[STORAGE_UUID_CHARS];
	const char *udev_path;
	struct errmsg err;
	int status = control_of(cli, dev, params, control, &udev_path);

	if (status)
		return status;
	snprintf(path, sizeof(path), "/core/%.600s", dev);
	snprintf(wwn, sizeof(wwn), "%s/wwn", path);
	status = lioutils_mkdir(cli, path);
	if (status)
		return status;
	status = fill(cli, path, control, udev_path);
	if (!status && serial)
		status = cli_set(cli, wwn, "vpd_unit_serial", storage_new_uuid(uuid));
	if (status)
		json_decref(cli_call(cli, "rmdir", json_pack("{s:s}", "path", path), &err));
	return status;
}

static int create(struct cli *cli, char **args)
{
	return make(cli, args[0], args[1], true);
}

static int establish(struct cli *cli, char **args)
{
	return make(cli, args[0], args[1], false);
}

static int create_file(struct cli *cli, char **args)
{
	char params[WORDS_CHARS];

	snprintf(params, sizeof(params), "fd_dev_name=%.4000s,fd_dev_size=%.32s", args[1], args[2]);
	return make(cli, args[0], params, true);
}

/* By its place on the bus: channel, target, LUN. */
static int create_scsi(struct cli *cli, char **args)
{
	char params[256];
	unsigned c, t, l;
	int end = 0;

	if (sscanf(args[1], "%u:%u:%u%n", &c, &t, &l, &end) != 3 || args[1][end])
		return cli_fail(cli, CLI_USAGE, "%s: C:T:L is meant, three numbers", args[1]);
	snprintf(params, sizeof(params), "scsi_channel_id=%u,scsi_target_id=%u,scsi_lun_id=%u", c,
		t, l);
	return make(cli, args[0], params, true);
}

static int del_hba(struct cli *cli, char **args)
{
	char path[PATH_CHARS];

	snprintf(path, sizeof(path), "/core/%.250s", args[0]);
	return tree_remove(cli, path);
}

static int unload(struct cli *cli, char **args)
{
	json_t *d = cli_ask(cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", "/core", "depth", 0, "names", ""));
	json_t *groups = NULL, *v;
	const char *name;
	char path[PATH_CHARS];
	int status = d ? 0 : CLI_FAILED;

	json_object_foreach (json_object_get(d, "dirs"), name, v) {
		snprintf(path, sizeof(path), "/core/%.250s", name);
		if (!status && strcmp(name, "alua") != 0)
			status = tree_remove(cli, path);
	}
	if (!status) {
		groups = cli_ask(cli, "dump",
			json_pack("{s:s, s:i, s:s}", "path", "/core/alua/lu_gps", "depth", 0,
				"names", ""));
		status = groups ? 0 : CLI_FAILED;
	}
	json_object_foreach (json_object_get(groups, "dirs"), name, v) {
		snprintf(path, sizeof(path), "/core/alua/lu_gps/%.250s", name);
		if (!status && strcmp(name, "default_lu_gp") != 0)
			status = tree_remove(cli, path);
	}
	json_decref(groups);
	json_decref(d);
	return status;
}

static int confirm_unload(struct cli *cli, char **args)
{
	return cli_confirm(cli, "all storage objects will be removed");
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* Make a directory and give it a number; nothing stays if that fails. */
static int make_group(
	struct cli *cli, const char *fmt, char **args, const char *attr, const char *id)
{
	struct strbuf path;
	struct errmsg err;
	int status;

	strbuf_init(&path);
	lioutils_expand(&path, fmt, args);
	status = cli_do(cli, "mkdir", json_pack("{s:s}", "path", path.s));
	if (!status) {
		status = cli_set(cli, path.s, attr, id);
		if (status)
			json_decref(
				cli_call(cli, "rmdir", json_pack("{s:s}", "path", path.s), &err));
	}
	strbuf_done(&path);
	return status;
}

static int add_lu_group(struct cli *cli, char **args)
{
	return make_group(cli, LU_GP, args, "lu_gp_id", "0");
}

static int add_group(struct cli *cli, char **args)
{
	return make_group(cli, GROUP, args, "tg_pt_gp_id", "0");
}

/* With its number, and the state that was kept for it. */
static int add_group_with_md(struct cli *cli, char **args)
{
	struct strbuf path;
	int status = 0;

	if (strcmp(args[1], "default_tg_pt_gp") != 0)
		status = make_group(cli, GROUP, args, "tg_pt_gp_id", args[2]);
	strbuf_init(&path);
	lioutils_expand(&path, GROUP, args);
	if (!status)
		status = cli_set(cli, path.s, "alua_write_metadata", "1");
	strbuf_done(&path);
	return status;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static int list_hbas(struct cli *cli, char **args)
{
	json_t *d = lioutils_dump(cli, "/core", 2), *hba, *dev;
	const char *name, *key;

	json_object_foreach (json_object_get(d, "dirs"), name, hba) {
		if (!strcmp(name, "alua"))
			continue;
		cli_say(cli, "%s", name);
		cli_say(cli, "    %s", lioutils_attr(hba, "hba_info"));
		json_object_foreach (json_object_get(hba, "dirs"), key, dev) {
			const char *path = lioutils_attr(dev, "udev_path");

			cli_say(cli, "    %s", key);
			cli_say(cli, "        %s", lioutils_attr(dev, "info"));
			cli_say(cli, "        udev_path: %s", *path ? path : "none");
		}
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

static int list_lu_groups(struct cli *cli, char **args)
{
	json_t *d = lioutils_dump(cli, "/core/alua/lu_gps", 1), *g;
	const char *name;

	json_object_foreach (json_object_get(d, "dirs"), name, g) {
		const char *members = lioutils_attr(g, "members");

		cli_say(cli, "%s, id %s", name, lioutils_attr(g, "lu_gp_id"));
		cli_say(cli, "%s", *members ? members : "    no members");
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

static void list_group(struct cli *cli, const char *name, const json_t *g)
{
	static const char *const attrs[] = { "tg_pt_gp_id", "alua_access_type", "alua_access_state",
		"alua_access_status", "preferred", "nonop_delay_msecs", "trans_delay_msecs",
		"members" };

	cli_say(cli, "%s", name);
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
		cli_say(cli, "    %s: %s", attrs[i], lioutils_attr(g, attrs[i]));
}

static int list_one_group(struct cli *cli, char **args)
{
	char path[PATH_CHARS];
	json_t *g;

	snprintf(path, sizeof(path), "/core/%.600s/alua/%.250s", args[0], args[1]);
	g = lioutils_dump(cli, path, 0);
	if (g)
		list_group(cli, args[1], g);
	json_decref(g);
	return g ? 0 : CLI_FAILED;
}

static int list_groups(struct cli *cli, char **args)
{
	char path[PATH_CHARS];
	const char *name;
	json_t *d, *g;

	snprintf(path, sizeof(path), "/core/%.600s/alua", args[0]);
	d = lioutils_dump(cli, path, 1);
	json_object_foreach (json_object_get(d, "dirs"), name, g)
		list_group(cli, name, g);
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

/* The texts of a directory that has whole lines. */
static int print_texts(struct cli *cli, const char *dev, const char *sub)
{
	char path[PATH_CHARS];
	const char *name;
	json_t *d, *v;

	snprintf(path, sizeof(path), "/core/%.600s/%s", dev, sub);
	d = lioutils_dump(cli, path, 0);
	json_object_foreach (json_object_get(d, "attrs"), name, v) {
		if (json_string_length(v))
			cli_say(cli, "%s", json_string_value(v));
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

static int show_pr(struct cli *cli, char **args)
{
	return print_texts(cli, args[0], "pr");
}

static int show_wwn(struct cli *cli, char **args)
{
	return print_texts(cli, args[0], "wwn");
}

/* The file of registrations, as the daemon keeps it. */
static int show_aptpl(struct cli *cli, char **args)
{
	char path[PATH_CHARS + 512], line[512];
	json_t *root = lioutils_dump(cli, "/", 0), *wwn;
	const char *serial;
	FILE *f;

	if (!root)
		return CLI_FAILED;
	snprintf(path, sizeof(path), "/core/%.600s/wwn", args[0]);
	wwn = lioutils_dump(cli, path, 0);
	serial = strchr(lioutils_attr(wwn, "vpd_unit_serial"), ':');
	snprintf(path, sizeof(path), "%.900s/pr/aptpl_%.260s", lioutils_attr(root, "dbroot"),
		serial ? serial + 1 + strspn(serial + 1, " ") : "");
	json_decref(root);
	if (!wwn)
		return CLI_FAILED;
	json_decref(wwn);
	f = fopen(path, "re");
	if (!f)
		return cli_fail(cli, CLI_FAILED, "%s: %s", path, err_text(-errno));
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		cli_say(cli, "%s", line);
	}
	fclose(f);
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define AT_DEV   "HBA/DEV"
#define AT_GROUP AT_DEV " TG_PT_GP_NAME"

static const struct lioutils_option options[] = {
	{ "--addlungp", NULL, 1, "LU_GP_NAME", "Make a logical unit group.", LIOUTILS_RUN,
		.run = add_lu_group },
	{ "--addtgptgp", "--addaluatpg", 2, AT_GROUP, "Make a target port group.", LIOUTILS_RUN,
		.run = add_group },
	{ "--addtgptgpwithmd", "--addaluatpgwithmd", 3, AT_GROUP " TG_PT_GP_ID",
		"Make one with a number, and take over the state that was kept.", LIOUTILS_RUN,
		.run = add_group_with_md },
	{ "--block", "--iblock", 2, AT_DEV " UDEV_PATH", "Make a disk of a block device.",
		LIOUTILS_RUN, .run = create },
	{ "--clearaluapref", NULL, 2, AT_GROUP, "Tell initiators of no preference.", LIOUTILS_SET,
		GROUP "/preferred", "0" },
	{ "--delhba", NULL, 1, "HBA", "Remove an HBA with its disks.", LIOUTILS_RUN,
		.run = del_hba },
	{ "--dellungp", NULL, 1, "LU_GP_NAME", "Remove a logical unit group.", LIOUTILS_RMDIR,
		LU_GP },
	{ "--deltgptgp", "--delaluatpg", 2, AT_GROUP, "Remove a target port group.", LIOUTILS_RMDIR,
		GROUP },
	{ "--createdev", NULL, 2, AT_DEV " PARAMETERS",
		"Make a disk: of fileio fd_dev_name=…,fd_dev_size=…, of iblock the device, of "
		"rd_mcp the number of pages.",
		LIOUTILS_RUN, .run = create },
	{ "--establishdev", NULL, 2, AT_DEV " PARAMETERS", "The same without a new serial number.",
		LIOUTILS_RUN, .run = establish },
	{ "--fileio", NULL, 3, AT_DEV " FILE SIZE_IN_BYTES", "Make a disk of a file.", LIOUTILS_RUN,
		.run = create_file },
	{ "--freedev", NULL, 1, AT_DEV, "Remove a disk; its data stay.", LIOUTILS_RMDIR, DEV },
	{ "--listdevattr", NULL, 1, AT_DEV, "List attributes of a disk.", LIOUTILS_LIST,
		DEV "/attrib", ": " },
	{ "--listhbas", NULL, 0, NULL, "List HBAs and disks.", LIOUTILS_RUN, .run = list_hbas },
	{ "--listlugps", NULL, 0, NULL, "List logical unit groups.", LIOUTILS_RUN,
		.run = list_lu_groups },
	{ "--listtgptgp", "--listaluatpg", 2, AT_GROUP, "Show a target port group.", LIOUTILS_RUN,
		.run = list_one_group },
	{ "--listtgptgps", "--listaluatpgs", 1, AT_DEV, "Show all of a disk.", LIOUTILS_RUN,
		.run = list_groups },
	{ "--pr", NULL, 1, AT_DEV, "Show persistent reservations.", LIOUTILS_RUN, .run = show_pr },
	{ "--praptpl", NULL, 1, AT_DEV,
		"Nothing: what was kept is loaded before a disk is first shown.", LIOUTILS_GET,
		DEV "/pr/res_aptpl_metadata" },
	{ "--prshowmd", NULL, 1, AT_DEV, "Show the registrations that are kept.", LIOUTILS_RUN,
		.run = show_aptpl },
	{ "--ramdisk", NULL, 2, AT_DEV " PAGES", "Make a disk of memory.", LIOUTILS_RUN,
		.run = create },
	{ "--scsi", "--pscsi", 2, AT_DEV " C:T:L", "Refused: ulio passes no SCSI device through.",
		LIOUTILS_RUN, .run = create_scsi },
	{ "--scsibyudev", "--pscsibyudev", 2, AT_DEV " UDEV_PATH", "The same, by its path.",
		LIOUTILS_RUN, .run = create },
	{ "--setaluadelay", NULL, 3, AT_GROUP " MSECS",
		"Set the delay of commands while active/non-optimized.", LIOUTILS_SET,
		GROUP "/nonop_delay_msecs", "$3" },
	{ "--setaluapref", NULL, 2, AT_GROUP, "Tell initiators that it is preferred.", LIOUTILS_SET,
		GROUP "/preferred", "1" },
	{ "--setaluastate", NULL, 3, AT_GROUP " STATE",
		"Set the state: o active/optimized, a active/non-optimized, s standby, u "
		"unavailable.",
		LIOUTILS_SET, GROUP "/alua_access_state", "$3",
		.words = "o=0 a=1 s=2 u=3 O=0 A=1 S=2 U=3" },
	{ "--setaluatransdelay", NULL, 3, AT_GROUP " MSECS", "Set how long a transition takes.",
		LIOUTILS_SET, GROUP "/trans_delay_msecs", "$3" },
	{ "--setaluatype", NULL, 3, AT_GROUP " TYPE",
		"Set who changes the state: both, explict, implict or none.", LIOUTILS_SET,
		GROUP "/alua_access_type", "$3",
		.words = "both=3 explict=2 explicit=2 implict=1 implicit=1 none=0" },
	{ "--setdevattr", NULL, 3, AT_DEV " ATTRIBUTE VALUE", "Set an attribute of a disk.",
		LIOUTILS_SET, DEV "/attrib/$2", "$3" },
	{ "--setlugp", NULL, 2, AT_DEV " LU_GP_NAME", "Put a disk into a logical unit group.",
		LIOUTILS_SET, DEV "/alua_lu_gp", "$2" },
	{ "--setudevpath", NULL, 2, AT_DEV " UDEV_PATH", "Set the path that tools show.",
		LIOUTILS_SET, DEV "/udev_path", "$2" },
	{ "--setunitserial", NULL, 2, AT_DEV " UNIT_SERIAL", "Set the serial number.", LIOUTILS_SET,
		DEV "/wwn/vpd_unit_serial", "$2" },
	{ "--setunitserialwithmd", NULL, 2, AT_DEV " UNIT_SERIAL",
		"The same; what was kept for it comes back when the disk is first shown.",
		LIOUTILS_SET, DEV "/wwn/vpd_unit_serial", "$2" },
	{ "--udevpath", NULL, 1, AT_DEV, "Show that path.", LIOUTILS_GET, DEV "/udev_path" },
	{ "--unload", NULL, 0, NULL, "Remove all disks.", LIOUTILS_RUN, .run = unload,
		.danger = confirm_unload },
	{ "--wwn", NULL, 1, AT_DEV, "Show who the disk says it is.", LIOUTILS_RUN,
		.run = show_wwn },
	{ NULL },
};

const struct lioutils_tool lioutils_tcm_node = { "tcm_node", options, NULL, "/version" };
