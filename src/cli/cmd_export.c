/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_export.c: ulio export: what to do at the initiator's side, by kind of system, with the names
 * and addresses of a target filled in.
 *
 * A preset is a text with words in braces: {target} {portal} {host} {port} {lun}. A line that
 * begins with a mark goes only where it applies: "?chap " (the target asks for a secret),
 * "?nochap ", "?many " (it has several portals), "?one ". "*portal " is once for each portal;
 * {portal}, {host} and {port} are that one's.
 */
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "cli/cli.h"
#include "cli/portal.h"

static const char linux_text[] =
	"# Linux with open-iscsi, as root\n"
	"# 1. timers, in /etc/iscsi/iscsid.conf, before the first login:\n"
	"#      node.startup = automatic\n"
	"#      node.conn[0].timeo.noop_out_interval = 5\n"
	"#      node.conn[0].timeo.noop_out_timeout = 5\n"
	"?many #      node.session.timeo.replacement_timeout = 15     (multipath: fail over soon)\n"
	"?one #      node.session.timeo.replacement_timeout = 120    (one path: wait for it)\n"
	"# 2. find the target and log in\n"
	"*portal iscsiadm -m discovery -t sendtargets -p {portal}\n"
	"?chap iscsiadm -m node -T {target} -o update -n node.session.auth.authmethod -v CHAP\n"
	"?chap iscsiadm -m node -T {target} -o update -n node.session.auth.username -v USER\n"
	"?chap iscsiadm -m node -T {target} -o update -n node.session.auth.password -v SECRET\n"
	"iscsiadm -m node -T {target} --login\n"
	"iscsiadm -m node -T {target} -o update -n node.startup -v automatic\n"
	"# 3. the disks\n"
	"ls -l /dev/disk/by-path/ | grep {target}\n"
	"?many # several portals: /etc/multipath.conf, then \"systemctl restart multipathd\"\n"
	"?many #   devices { device { vendor \"LIO-ORG\" product \".*\"\n"
	"?many #     path_grouping_policy group_by_prio  prio alua  hardware_handler \"1 alua\"\n"
	"?many #     path_checker tur  failback immediate  no_path_retry 12  fast_io_fail_tmo 5 } "
	"}\n"
	"# in /etc/fstab: UUID=…  /mnt  ext4  defaults,_netdev  0 2\n";

static const char windows_text[] =
	"# Windows, in a PowerShell of an administrator\n"
	"Set-Service -Name MSiSCSI -StartupType Automatic; Start-Service MSiSCSI\n"
	"?many # several portals: multipath first (restarts the machine)\n"
	"?many Install-WindowsFeature -Name Multipath-IO -Restart\n"
	"?many Enable-MSDSMAutomaticClaim -BusType iSCSI\n"
	"# timers: disks wait 60 s; requests are held for as long while a path is away\n"
	"Set-ItemProperty HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Disk TimeOutValue 60\n"
	"$c = 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Class\\"
	"{4D36E97B-E325-11CE-BFC1-08002BE10318}'\n"
	"Get-ChildItem $c -ErrorAction Ignore | Where-Object { $_.GetValue('DriverDesc') -like "
	"'*iSCSI*' } | ForEach-Object {\n"
	"  Set-ItemProperty \"$($_.PSPath)\\Parameters\" MaxRequestHoldTime 60\n"
	"  Set-ItemProperty \"$($_.PSPath)\\Parameters\" LinkDownTime 15 }\n"
	"*portal New-IscsiTargetPortal -TargetPortalAddress {host} -TargetPortalPortNumber {port}\n"
	"?nochap *portal Connect-IscsiTarget -NodeAddress {target} -TargetPortalAddress {host} "
	"-IsPersistent $true -IsMultipathEnabled {multipath}\n"
	"?chap *portal Connect-IscsiTarget -NodeAddress {target} -TargetPortalAddress {host} "
	"-IsPersistent $true -IsMultipathEnabled {multipath} -AuthenticationType ONEWAYCHAP "
	"-ChapUsername USER -ChapSecret SECRET\n"
	"Get-IscsiSession | Get-Disk\n"
	"# a new disk: Initialize-Disk -Number N; New-Partition -DiskNumber N -UseMaximumSize "
	"-AssignDriveLetter | Format-Volume\n"
	"# its name here, for the target's access list: (Get-InitiatorPort).NodeAddress\n";

static const char vmware_text[] =
	"# VMware ESXi, in its shell; vmhba64 stands for what \"adapter list\" shows\n"
	"esxcli iscsi software set --enabled=true\n"
	"esxcli iscsi adapter list\n"
	"# a VMkernel port for each path: esxcli iscsi networkportal add -A vmhba64 -n vmk1\n"
	"*portal esxcli iscsi adapter discovery sendtarget add -A vmhba64 -a {portal}\n"
	"?chap esxcli iscsi adapter auth chap set -A vmhba64 --direction=uni --level=required "
	"--authname=USER --secret=SECRET\n"
	"# timers: NOP-Out each 15 s, 10 s for its answer, 10 s until a path is given up\n"
	"esxcli iscsi adapter param set -A vmhba64 -k NoopOutInterval -v 15\n"
	"esxcli iscsi adapter param set -A vmhba64 -k NoopOutTimeout -v 10\n"
	"esxcli iscsi adapter param set -A vmhba64 -k RecoveryTimeout -v 10\n"
	"# paths by ALUA, in turns\n"
	"esxcli storage nmp satp rule add -s VMW_SATP_ALUA -V LIO-ORG -P VMW_PSP_RR -O iops=1\n"
	"esxcli storage core adapter rescan -A vmhba64\n"
	"esxcli storage core device list | grep -A 3 LIO-ORG\n";

static const char proxmox_text[] =
	"# Proxmox VE: on one node, for the whole cluster\n"
	"pvesm add iscsi ulio --portal {portal} --target {target} --content none\n"
	"# timers, on each node, in /etc/iscsi/iscsid.conf, before the first login:\n"
	"#      node.conn[0].timeo.noop_out_interval = 5\n"
	"#      node.conn[0].timeo.noop_out_timeout = 5\n"
	"?many #      node.session.timeo.replacement_timeout = 15\n"
	"?one #      node.session.timeo.replacement_timeout = 120\n"
	"?many # several portals: apt install multipath-tools on each node; /etc/multipath.conf as "
	"\"ulio export --preset linux\" has it\n"
	"?chap # CHAP, on each node:\n"
	"?chap iscsiadm -m node -T {target} -o update -n node.session.auth.authmethod -v CHAP\n"
	"?chap iscsiadm -m node -T {target} -o update -n node.session.auth.username -v USER\n"
	"?chap iscsiadm -m node -T {target} -o update -n node.session.auth.password -v SECRET\n"
	"# disks of machines on it: a shared volume group, made once\n"
	"pvesm list ulio\n"
	"vgcreate ulio-vg /dev/disk/by-path/ip-{portal}-iscsi-{target}-lun-{lun}\n"
	"pvesm add lvm ulio-lvm --vgname ulio-vg --shared 1 --content images,rootdir\n";

static const char kubernetes_text[] =
	"# Kubernetes: open-iscsi runs on each node; kubectl apply -f this\n"
	"# Timers, in /etc/iscsi/iscsid.conf of each node:\n"
	"#      node.conn[0].timeo.noop_out_interval = 5\n"
	"#      node.conn[0].timeo.noop_out_timeout = 5\n"
	"#      node.session.timeo.replacement_timeout = 120\n"
	"?chap # kubectl create secret generic ulio-chap --type=kubernetes.io/iscsi-chap \\\n"
	"?chap #   --from-literal=node.session.auth.username=USER "
	"--from-literal=node.session.auth.password=SECRET\n"
	"apiVersion: v1\n"
	"kind: PersistentVolume\n"
	"metadata:\n"
	"  name: ulio-{lun}\n"
	"spec:\n"
	"  capacity:\n"
	"    storage: {size}\n"
	"  accessModes: [ReadWriteOnce]\n"
	"  persistentVolumeReclaimPolicy: Retain\n"
	"  iscsi:\n"
	"    targetPortal: '{portal}'\n"
	"?many     portals: [{portals}]\n"
	"    iqn: {target}\n"
	"    lun: {lun}\n"
	"    fsType: ext4\n"
	"    readOnly: false\n"
	"?chap     chapAuthSession: true\n"
	"?chap     secretRef:\n"
	"?chap       name: ulio-chap\n";

static const struct {
	const char *name, *text;
} presets[] = { { "linux", linux_text }, { "windows", windows_text }, { "vmware", vmware_text },
	{ "proxmox", proxmox_text }, { "kubernetes", kubernetes_text } };
static const char *const preset_words[] = { "linux", "windows", "vmware", "proxmox", "kubernetes",
	NULL };

enum { NPRESETS = sizeof(presets) / sizeof(presets[0]) };

/* ---- filling in ------------------------------------------------------------------------------ */

struct facts {
	const char *target;
	char portals[PORTALS_MAX][PORTAL_CHARS];
	unsigned nportals;
	json_int_t lun;
	char size[32];
	bool chap;
};

static void put_word(struct strbuf *out, const struct facts *f, const char *word, unsigned portal)
{
	const char *address = f->portals[portal], *colon = strrchr(address, ':');
	bool six = address[0] == '[';

	if (!strcmp(word, "target"))
		strbuf_puts(out, f->target);
	else if (!strcmp(word, "portal"))
		strbuf_puts(out, address);
	else if (!strcmp(word, "host"))
		strbuf_write(out, address + six, (size_t)(colon - address) - 2 * six);
	else if (!strcmp(word, "port"))
		strbuf_puts(out, colon + 1);
	else if (!strcmp(word, "lun"))
		strbuf_printf(out, "%" JSON_INTEGER_FORMAT, f->lun);
	else if (!strcmp(word, "size"))
		strbuf_puts(out, f->size);
	else if (!strcmp(word, "multipath"))
		strbuf_puts(out, f->nportals > 1 ? "$true" : "$false");
	else if (!strcmp(word, "portals"))
		for (unsigned i = 1; i < f->nportals; i++)
			strbuf_printf(out, "%s'%s'", i > 1 ? ", " : "", f->portals[i]);
	else
		strbuf_printf(out, "{%s}", word);
}

static void put_line(
	struct strbuf *out, const struct facts *f, const char *line, size_t n, unsigned portal)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = strspn(line + i + 1, "abcdefghijklmnopqrstuvwxyz");
		char word[16];

		if (line[i] == '{' && k && k < sizeof(word) && line[i + 1 + k] == '}') {
			snprintf(word, sizeof(word), "%.*s", (int)k, line + i + 1);
			put_word(out, f, word, portal);
			i += k + 1;
		} else {
			strbuf_putc(out, line[i]);
		}
	}
	strbuf_putc(out, '\n');
}

/* Take a mark off the line if it is there. */
static bool marked(const char **line, size_t *n, const char *mark)
{
	size_t len = strlen(mark);

	if (*n < len || strncmp(*line, mark, len) != 0)
		return false;
	*line += len;
	*n -= len;
	return true;
}

static void fill(struct strbuf *out, const struct facts *f, const char *text)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *next = line + n + 1;
		bool many = f->nportals > 1;
		bool skip = (marked(&line, &n, "?chap ") && !f->chap) ||
			    (marked(&line, &n, "?nochap ") && f->chap) ||
			    (marked(&line, &n, "?many ") && !many) ||
			    (marked(&line, &n, "?one ") && many);
		unsigned times = marked(&line, &n, "*portal ") ? f->nportals : 1;

		for (unsigned i = 0; i < times && !skip; i++)
			put_line(out, f, line, n, i);
		line = next;
	}
}

/* ---- which target ---------------------------------------------------------------------------- */

static const char *text_of(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

/* The row that is meant: the only one, or that of --target. */
static const json_t *choose(struct cli *cli, const json_t *rows)
{
	const char *want = json_string_value(json_object_get(cli->params, "target"));
	const json_t *found = NULL;
	json_t *row;
	size_t i, n = 0;

	json_array_foreach (rows, i, row) {
		if (want && strcmp(want, text_of(row, "target")) != 0)
			continue;
		found = found ? found : row;
		n++;
	}
	if (!n)
		cli_fail(cli, CLI_FAILED,
			want ? "%s: there is no such target" : "there are no targets%s",
			want ? want : "");
	if (n > 1 && !want) {
		cli_fail(cli, CLI_USAGE, "which target? --target, one of:");
		json_array_foreach (rows, i, row)
			fprintf(stderr, "    %s\n", text_of(row, "target"));
		return NULL;
	}
	return found;
}

/* The first LUN and the size of its disk; without one lun is -1. */
static void first_lun(struct cli *cli, struct facts *f)
{
	struct errmsg err;
	json_t *luns = cli_call(cli, "lun.list", NULL, &err), *l, *disks = NULL;
	json_int_t bytes = 0;
	size_t i;

	f->lun = -1;
	json_array_foreach (luns, i, l) {
		if (disks || strcmp(text_of(l, "target"), f->target) != 0 ||
			strlen(text_of(l, "dir")) < 7)
			continue;
		f->lun = json_integer_value(json_object_get(l, "lun"));
		disks = cli_call(cli, "disk.list",
			json_pack("{s:s}", "name", text_of(l, "dir") + strlen("/core/")), &err);
		bytes = json_integer_value(json_object_get(json_array_get(disks, 0), "size"));
	}
	snprintf(f->size, sizeof(f->size), "%" JSON_INTEGER_FORMAT "Mi", bytes >> 20);
	json_decref(disks);
	json_decref(luns);
}

static int learn(struct cli *cli, const json_t *row, struct facts *f)
{
	json_t *portal;
	size_t i;

	*f = (struct facts){ .target = text_of(row, "target"),
		.chap = json_is_true(json_object_get(row, "chap")) };
	json_array_foreach (json_object_get(row, "portals"), i, portal) {
		if (f->nportals < PORTALS_MAX)
			portal_for_initiators(json_string_value(portal), f->portals[f->nportals++]);
	}
	if (!f->nportals)
		return cli_fail(cli, CLI_FAILED,
			"%s: has no portal; \"ulio portal add 0.0.0.0:3260 --target %s\" adds one",
			f->target, f->target);
	first_lun(cli, f);
	return 0;
}

static int export(struct cli *cli, json_t *none)
{
	const char *name = json_string_value(json_object_get(cli->params, "preset"));
	json_t *rows;
	const json_t *row;
	struct facts f;
	struct strbuf out;
	int status = CLI_FAILED, i = 0;

	while (name && i < NPRESETS && strcmp(presets[i].name, name) != 0)
		i++;
	if (!name || i == NPRESETS)
		return cli_fail(cli, CLI_USAGE,
			"--preset%s%s: linux, windows, vmware, proxmox or kubernetes is meant",
			name ? " " : "", name ? name : "");
	rows = cli_ask(cli, "target.list", NULL);
	row = rows ? choose(cli, rows) : NULL;
	if (row)
		status = learn(cli, row, &f);
	if (!status && f.lun < 0 && strstr(presets[i].text, "{lun}"))
		status = cli_fail(cli, CLI_FAILED,
			"%s: has no LUN; \"ulio lun add DISK --target %s\" adds one", f.target,
			f.target);
	if (!status) {
		strbuf_init(&out);
		fill(&out, &f, presets[i].text);
		if (cli->json)
			cli_flush_said(cli, json_pack("{s:s, s:s, s:s}", "preset", name, "target",
						    f.target, "steps", out.s));
		else
			fputs(out.s, stdout);
		strbuf_done(&out);
	}
	json_decref(rows);
	return status;
}

const struct cli_command export_commands[] = {
	{ "export", NULL, "tell what to do at an initiator, step by step", NULL, export,
		.args = { { "preset", ARG_OPTION, false,
				  "linux, windows, vmware, proxmox or kubernetes", preset_words },
			{ "target", ARG_OPTION, false, "needed if there are several" } } },
	{ NULL },
};
