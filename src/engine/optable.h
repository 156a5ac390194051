/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * optable.h: the command table. A row says everything about a command that is not its work: which
 * bits of its CDB may be set, under which conditions it is refused, how it is ordered. The same row
 * validates a CDB and answers REPORT SUPPORTED OPERATION CODES.
 */
#ifndef ULIO_ENGINE_OPTABLE_H
#define ULIO_ENGINE_OPTABLE_H

#include <stdbool.h>
#include <stdint.h>

struct cmd;
struct lu_conf;

/* Rules, a set. */
enum {
	RULE_DATA_IN = 1 << 0,
	RULE_DATA_OUT = 1 << 1,
	RULE_MEDIUM = 1 << 2, /* needs the LU ready (disk there, started, medium loaded) */
	RULE_WRITES = 1 << 3, /* changes the medium: refused when write protected */
	RULE_NO_UA = 1 << 4, /* runs though a unit attention is pending (SAM-5 5.14) */
	RULE_ANY_LUN = 1 << 5, /* runs for a LUN that has no LU */
	/* Under RESERVE(6)/(10) by another nexus (SPC-2 5.5.1) */
	RULE_R6_OK = 1 << 6, /* runs all the same */
	/* Persistent reservations (SPC-4 5.12.1, tables 66-68): of a nexus without access */
	RULE_PR_OK = 1 << 7, /* allowed under every type */
	RULE_PR_READ = 1 << 8, /* allowed under write exclusive types */
	RULE_PR_SELF = 1 << 9, /* judged by its own handler (PERSISTENT RESERVE OUT) */
	/* Asymmetric access states (SPC-4 5.15.2.4): allowed in */
	RULE_ALUA_STANDBY = 1 << 10,
	RULE_ALUA_UNAVAILABLE = 1 << 11,
	RULE_ALUA_TRANSITION = 1 << 12,
	RULE_ALUA_OFFLINE = 1 << 13,
	/* Always treated as HEAD OF QUEUE (SPC-4: INQUIRY, REPORT LUNS, REQUEST SENSE) */
	RULE_HOQ = 1 << 14,
	RULE_ALUA_ALL = RULE_ALUA_STANDBY | RULE_ALUA_UNAVAILABLE | RULE_ALUA_TRANSITION |
			RULE_ALUA_OFFLINE,
};

#define NO_SA (-1)

struct op_row {
	const char *name; /* as the standard spells it */
	uint8_t opcode;
	uint8_t cdb_len;
	int32_t sa; /* SERVICE ACTION, NO_SA if the command has none */
	void (*run)(struct cmd *cmd);
	uint32_t rules;
	uint32_t timeout_s; /* RECOMMENDED COMMAND TIMEOUT of the timeouts descriptor; 0: none */
	/* NULL: always there; else whether this LU has the command as it is configured. */
	bool (*present)(const struct lu_conf *conf);
	uint8_t usage
		[32]; /* CDB USAGE DATA: a 1 for each bit that is looked at; byte 0 the opcode */
};

/*
 * The row for a CDB, NULL if there is none for this LU. *ret_sa_only is set when the operation
 * code is known and its service action is not (INVALID FIELD IN CDB instead of INVALID COMMAND
 * OPERATION CODE). conf NULL: no LU.
 */
const struct op_row *op_find(
	const uint8_t *cdb, unsigned cdb_len, const struct lu_conf *conf, bool *ret_sa_only);
/* The i-th row, NULL past the end; for reports and docs. */
const struct op_row *op_at(unsigned i);
/*
 * Check a CDB against its row. 0, or -EINVAL and the first bit that must not be set:
 * byte and bit (7..0) for the field pointer.
 */
int op_check_usage(const struct op_row *row, const uint8_t *cdb, unsigned *ret_byte, int *ret_bit);

#endif
