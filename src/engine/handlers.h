/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handlers.h: what the rows of the command table run: one function per command, in spc/ and sbc/,
 * one file per family. Each is called for an enabled command whose CDB fits its row, on the
 * command's loop, and ends it by one of the endings of cmd.h, now or in a later step.
 */
#ifndef ULIO_ENGINE_HANDLERS_H
#define ULIO_ENGINE_HANDLERS_H

struct cmd;

/* spc/ */
void spc_test_unit_ready(struct cmd *cmd);
void spc_request_sense(struct cmd *cmd);
void spc_inquiry(struct cmd *cmd);
void spc_report_luns(struct cmd *cmd);
void spc_mode_sense(struct cmd *cmd); /* (6) and (10) */
void spc_mode_select(struct cmd *cmd);
void spc_reserve(struct cmd *cmd); /* SPC-2 RESERVE (6), (10) */
void spc_release(struct cmd *cmd);
void spc_read_keys(struct cmd *cmd); /* PERSISTENT RESERVE IN */
void spc_read_reservation(struct cmd *cmd);
void spc_report_capabilities(struct cmd *cmd);
void spc_read_full_status(struct cmd *cmd);
void spc_persistent_reserve_out(struct cmd *cmd); /* all service actions */
void spc_report_opcodes(struct cmd *cmd); /* REPORT SUPPORTED OPERATION CODES */
void spc_report_tmfs(struct cmd *cmd);
void spc_report_target_port_groups(struct cmd *cmd);
void spc_set_target_port_groups(struct cmd *cmd);

/* sbc/ */
void sbc_read(struct cmd *cmd); /* (6) (10) (12) (16) */
void sbc_write(struct cmd *cmd);
void sbc_verify(struct cmd *cmd); /* (10) (12) (16) */
void sbc_write_verify(struct cmd *cmd);
void sbc_write_same(struct cmd *cmd); /* (10) (16) */
void sbc_unmap(struct cmd *cmd);
void sbc_compare_and_write(struct cmd *cmd);
void sbc_sync_cache(struct cmd *cmd); /* (10) (16) */
void sbc_read_capacity10(struct cmd *cmd);
void sbc_read_capacity16(struct cmd *cmd);
void sbc_get_lba_status(struct cmd *cmd);
void sbc_report_referrals(struct cmd *cmd);
void sbc_start_stop(struct cmd *cmd);
void sbc_prevent_allow(struct cmd *cmd);

#endif
