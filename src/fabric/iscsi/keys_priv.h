/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keys_priv.h: the table of text keys, shared by the negotiation (keys.c), the configuration
 * (keys_config.c) and their tests.
 */
#ifndef ULIO_FABRIC_ISCSI_KEYS_PRIV_H
#define ULIO_FABRIC_ISCSI_KEYS_PRIV_H

#include "fabric/iscsi/keys.h"

/* A key's type and the function that yields the result (RFC 7143 6.2, 13). */
enum key_kind {
	KEY_BOOLEAN_AND,
	KEY_BOOLEAN_OR,
	KEY_NUMBER_MIN,
	KEY_NUMBER_MAX,
	KEY_LIST, /* the first of the proposer's values that the acceptor takes */
	KEY_DECLARED_LENGTH, /* MaxRecvDataSegmentLength */
	KEY_DECLARED_NAME, /* an iSCSI node name */
	KEY_DECLARED_TEXT,
	KEY_DECLARED_WORD, /* one of .words */
	KEY_SEND_TARGETS,
	KEY_CHAP, /* chap.c takes it */
	KEY_OTHER_METHOD, /* of an authentication method that is never chosen */
	KEY_OBSOLETE, /* answered with a constant */
	KEY_LOCAL, /* a parameter, unknown on the wire */
	KEY_KINDS,
};

enum { BY_INITIATOR = 1, BY_TARGET = 2, BY_BOTH = 3 }; /* 13: Senders */
enum { USE_IO = 1, USE_LO, USE_FFPO, USE_ALL }; /* 13: Use */
enum { SCOPE_SW = 1, SCOPE_CO }; /* 13: Scope */
enum { IN_DISCOVERY = 1, WITHOUT_UNSOLICITED = 2 }; /* 13: Irrelevant when */
enum { CAN_NO = 1, CAN_YES = 2 }; /* supported, for booleans */
enum { KEYS_ANY_STAGE = KEYS_SECURITY | KEYS_OPERATIONAL | KEYS_FULL_FEATURE };

struct key_word {
	const char *word;
	uint32_t bit;
};

struct key {
	const char *name;
	enum key_kind kind;
	uint8_t senders;
	uint8_t use;
	uint8_t scope;
	uint8_t stages; /* enum keys_stage bits in which it may be used */
	uint8_t irrelevant; /* when it is answered Irrelevant */
	bool late; /* depends on other keys of the same step: handled after them */
	uint32_t min, max; /* of numbers; max of texts in bytes */
	uint32_t def; /* the RFC's default; of lists the bit */
	uint32_t supported; /* largest number, mask of list values, CAN_x: what ulio can do */
	bool own; /* settable, but no file of LIO's param/ */
	const char *fixed; /* KEY_OBSOLETE: what is in force */
	const struct key_word *words; /* ends in a NULL word */
	/* One more than the offset in struct keys_values and keys_config; 0: no such field. */
	uint16_t value_at;
	uint16_t config_at;
};

enum key_id {
#define KEY(id, ...) K_##id,
#include "fabric/iscsi/keys.tbl.h"
#undef KEY
	KEYS_N,
};

extern const struct key keys_table[KEYS_N];

/* Row of a key that may come over the wire, or NULL. */
const struct key *key_find(const char *name);

/* Bit of a row in the masks of struct keys_nego. */
static inline uint64_t key_bit(const struct key *k)
{
	return UINT64_C(1) << (k - keys_table);
}

/* The bit of a word, 0 if it is none of the key's. */
uint32_t key_word_bit(const struct key *k, const char *word, size_t len);

/* Write a mask as a comma-separated list. Returns its length, -ENOBUFS. */
int key_words_print(const struct key *k, uint32_t mask, char *buf, size_t size);

#endif
