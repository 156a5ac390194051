/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.h: every limit of the engine, with its reason. */
#ifndef ULIO_ENGINE_LIMITS_H
#define ULIO_ENGINE_LIMITS_H

#define CMD_CDB_BYTES   260u /* SPC-4 4.3.3: variable length CDB, 8 + 252 */
#define CMD_SENSE_BYTES 252u /* SPC-4 4.5.1: most that sense data can be */
#define CMD_PRIORITIES  16u /* SAM-5 8.7: a field of four bits */
#define CMD_FEW_IOV     4u /* covers 4 KiB and most contiguous transfers without an allocation */

/* Largest transfer of one command: MAXIMUM TRANSFER LENGTH of VPD B0h. As LIO. */
#define LU_MAX_TRANSFER_BYTES (8u << 20)
/* UNMAP descriptors in one command, VPD B0h. */
#define LU_MAX_UNMAP_DESCRIPTORS 256u
/* COMPARE AND WRITE, in blocks: the CDB field has 8 bits (SBC-4 5.3). */
#define LU_MAX_CAW_BLOCKS 255u

/*
 * Unit attentions waiting for one nexus on one LU; beyond that 2F/00 COMMANDS CLEARED… stands for
 * all.
 */
#define ITL_MAX_UA 8u
/* LUNs of one port: flat space addressing (SAM-5 4.7.7.3) ends at 16383. */
#define PORT_MAX_LUN 16383u
/* How long a task management function waits for a disk before it is answered as rejected. */
#define TMF_STUCK_NS 30000000000ull
/* How long a command waits for a range that an orphaned write holds before BUSY. */
#define RANGE_WAIT_NS 10000000000ull
/*
 * When a command that was answered BUSY or TASK SET FULL is worth another try (SAM-5 5.3.2), in
 * 100 ms: memory is short for moments; a disk that holds a range for RANGE_WAIT_NS is not soon
 * better.
 */
#define CMD_RETRY_100MS       1u
#define CMD_RETRY_RANGE_100MS 10u
/* How long after the start a disk that a program before this one has locked is waited for. */
#define STORAGE_BUSY_WAIT_NS 3000000000ull
/*
 * Registrations of an LU, one for each I_T nexus: 1000 nodes with four paths each. Each change
 * copies them (about a quarter of a kilobyte each), and READ KEYS has room for 8190 in its 16 bits.
 */
#define PR_MAX_REGISTRATIONS 4096u
/* Target port groups of an LU, and LU groups: far more than there are ports in a cluster. */
#define ALUA_MAX_GROUPS    64u
#define ALUA_MAX_LU_GROUPS 1024u
/* User data segment descriptors of an LU: their REPORT REFERRALS data must fit 65,535 bytes. */
#define ALUA_MAX_LBA_ROWS 128u
/* Names of groups, with the NUL: what a directory may be called. */
#define ALUA_NAME_BYTES 256u
/* Paths of the files that keep their states. */
#define ALUA_PATH_BYTES 4096u
/* Delays that an admin may set, as LIO: of a command in active/non-optimized, of a transition. */
#define ALUA_MAX_NONOP_DELAY_MS 10000u
#define ALUA_MAX_TRANS_DELAY_MS 30000u
/* Initiator and target port names, SPC-4 7.6.4.6: iSCSI name plus ",i,0x" and ISID. */
#define PORT_NAME_BYTES 256u
/* Paths of files that are kept: PATH_MAX of Linux; what comes below dbroot needs 512 of it. */
#define ENGINE_PATH_BYTES   4096u
#define ENGINE_DBROOT_BYTES (ENGINE_PATH_BYTES - 512u)
/* Generations of the persistent reservations of an LU that are kept beside LIO's file. */
#define APTPL_GENERATIONS 4u
/* Most bytes of such a file: PR_MAX_REGISTRATIONS with names of full length take 3.4 MB. */
#define APTPL_FILE_BYTES (4u << 20)
/* Damaged files of one LU that are kept; the last one makes room for a newer one. */
#define APTPL_DAMAGED 8u
/* Serial number that a file can be named by: with what stands around it 255 bytes. */
#define APTPL_SERIAL_BYTES 228u

#endif
