/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keys.tbl.h: one row per text key: RFC 7143 13 (operational), 12 (security), and the one parameter
 * of LIO's param/ that is no key. The columns are struct key of keys_priv.h; a row has
 *	KEY(id, .name = its exact spelling, .kind = type and result function, ...)
 * Included with KEY defined; the row's number is its bit in struct keys_nego's masks.
 */
/* clang-format off */

/* ---- SecurityNegotiation, RFC 7143 12 ---- */
KEY(AUTH_METHOD, .name = "AuthMethod", .kind = KEY_LIST,		/* 12 */
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY,
	.def = AUTH_METHOD_NONE, .words = words_auth_method,
	.supported = AUTH_METHOD_CHAP | AUTH_METHOD_NONE,
	VALUE(conn.auth_method), CONFIG(auth_method))
KEY(CHAP_A, .name = "CHAP_A", .kind = KEY_CHAP, .late = true,	/* 12.1.3 */
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(CHAP_I, .name = "CHAP_I", .kind = KEY_CHAP, .late = true,
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(CHAP_C, .name = "CHAP_C", .kind = KEY_CHAP, .late = true,
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(CHAP_N, .name = "CHAP_N", .kind = KEY_CHAP, .late = true,
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(CHAP_R, .name = "CHAP_R", .kind = KEY_CHAP, .late = true,
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
/* Keys of methods that are never chosen: understood, and rejected wherever they come. */
KEY(KRB_AP_REQ, .name = "KRB_AP_REQ", .kind = KEY_OTHER_METHOD,		/* 12.1.1 */
	.senders = BY_INITIATOR, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(KRB_AP_REP, .name = "KRB_AP_REP", .kind = KEY_OTHER_METHOD,
	.senders = BY_TARGET, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(TARGET_AUTH, .name = "TargetAuth", .kind = KEY_OTHER_METHOD,	/* 12.1.2 */
	.senders = BY_INITIATOR, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(SRP_U, .name = "SRP_U", .kind = KEY_OTHER_METHOD,
	.senders = BY_INITIATOR, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(SRP_GROUP, .name = "SRP_GROUP", .kind = KEY_OTHER_METHOD,
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(SRP_A, .name = "SRP_A", .kind = KEY_OTHER_METHOD,
	.senders = BY_INITIATOR, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(SRP_B, .name = "SRP_B", .kind = KEY_OTHER_METHOD,
	.senders = BY_TARGET, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(SRP_S, .name = "SRP_s", .kind = KEY_OTHER_METHOD,
	.senders = BY_TARGET, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(SRP_M, .name = "SRP_M", .kind = KEY_OTHER_METHOD,
	.senders = BY_INITIATOR, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)
KEY(SRP_HM, .name = "SRP_HM", .kind = KEY_OTHER_METHOD,
	.senders = BY_TARGET, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_SECURITY)

/* ---- RFC 7143 13 ---- */
KEY(HEADER_DIGEST, .name = "HeaderDigest", .kind = KEY_LIST,		/* 13.1 */
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_OPERATIONAL,
	.def = DIGEST_NONE, .words = words_digest, .supported = DIGEST_CRC32C | DIGEST_NONE,
	VALUE(conn.header_digest), CONFIG(header_digest))
KEY(DATA_DIGEST, .name = "DataDigest", .kind = KEY_LIST,		/* 13.1 */
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_OPERATIONAL,
	.def = DIGEST_NONE, .words = words_digest, .supported = DIGEST_CRC32C | DIGEST_NONE,
	VALUE(conn.data_digest), CONFIG(data_digest))
KEY(MAX_CONNECTIONS, .name = "MaxConnections", .kind = KEY_NUMBER_MIN,	/* 13.2 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .min = 1, .max = 65535, .def = 1, .supported = 65535,
	VALUE(sess.max_connections), CONFIG(max_connections))
KEY(SEND_TARGETS, .name = "SendTargets", .kind = KEY_SEND_TARGETS,	/* 13.3, Appendix C */
	.senders = BY_INITIATOR, .use = USE_FFPO, .scope = SCOPE_SW, .stages = KEYS_FULL_FEATURE)
KEY(TARGET_NAME, .name = "TargetName", .kind = KEY_DECLARED_NAME,	/* 13.4 */
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_SW,
	.stages = KEYS_SECURITY | KEYS_OPERATIONAL,
	.max = NODE_NAME_BYTES_MAX, VALUE(sess.target_name))
KEY(INITIATOR_NAME, .name = "InitiatorName", .kind = KEY_DECLARED_NAME,	/* 13.5 */
	.senders = BY_INITIATOR, .use = USE_IO, .scope = SCOPE_SW,
	.stages = KEYS_SECURITY | KEYS_OPERATIONAL,
	.max = NODE_NAME_BYTES_MAX, VALUE(sess.initiator_name))
KEY(TARGET_ALIAS, .name = "TargetAlias", .kind = KEY_DECLARED_TEXT,	/* 13.6 */
	.senders = BY_TARGET, .use = USE_ALL, .scope = SCOPE_SW, .stages = KEYS_ANY_STAGE,
	.irrelevant = IN_DISCOVERY, .max = KEY_VALUE_BYTES_MAX, CONFIG(target_alias))
KEY(INITIATOR_ALIAS, .name = "InitiatorAlias", .kind = KEY_DECLARED_TEXT, /* 13.7 */
	.senders = BY_INITIATOR, .use = USE_ALL, .scope = SCOPE_SW, .stages = KEYS_ANY_STAGE,
	.max = KEY_VALUE_BYTES_MAX, VALUE(sess.initiator_alias))
KEY(TARGET_ADDRESS, .name = "TargetAddress", .kind = KEY_DECLARED_TEXT,	/* 13.8 */
	.senders = BY_TARGET, .use = USE_ALL, .scope = SCOPE_SW, .stages = KEYS_ANY_STAGE,
	.max = KEY_VALUE_BYTES_MAX)
KEY(TARGET_PORTAL_GROUP_TAG, .name = "TargetPortalGroupTag", .kind = KEY_DECLARED_TEXT, /* 13.9 */
	.senders = BY_TARGET, .use = USE_IO, .scope = SCOPE_SW,
	.stages = KEYS_SECURITY | KEYS_OPERATIONAL, .max = 5)
KEY(INITIAL_R2T, .name = "InitialR2T", .kind = KEY_BOOLEAN_OR,		/* 13.10 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .def = true, .supported = CAN_NO | CAN_YES,
	VALUE(sess.initial_r2t), CONFIG(initial_r2t))
KEY(IMMEDIATE_DATA, .name = "ImmediateData", .kind = KEY_BOOLEAN_AND,	/* 13.11 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .def = true, .supported = CAN_NO | CAN_YES,
	VALUE(sess.immediate_data), CONFIG(immediate_data))
KEY(MAX_RECV_DATA_SEGMENT_LENGTH, .name = "MaxRecvDataSegmentLength",	/* 13.12 */
	.kind = KEY_DECLARED_LENGTH,
	.senders = BY_BOTH, .use = USE_ALL, .scope = SCOPE_CO,
	.stages = KEYS_OPERATIONAL | KEYS_FULL_FEATURE,
	.min = 512, .max = 16777215, .def = 8192, .supported = 16777215,
	VALUE(conn.max_xmit_data_segment_length), CONFIG(max_recv_data_segment_length))
KEY(MAX_BURST_LENGTH, .name = "MaxBurstLength", .kind = KEY_NUMBER_MIN,	/* 13.13 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .min = 512, .max = 16777215, .def = 262144,
	.supported = 16777215, VALUE(sess.max_burst_length), CONFIG(max_burst_length))
KEY(FIRST_BURST_LENGTH, .name = "FirstBurstLength", .kind = KEY_NUMBER_MIN, /* 13.14 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY | WITHOUT_UNSOLICITED, .late = true,
	.min = 512, .max = 16777215, .def = 65536, .supported = 16777215,
	VALUE(sess.first_burst_length), CONFIG(first_burst_length))
KEY(DEFAULT_TIME2WAIT, .name = "DefaultTime2Wait", .kind = KEY_NUMBER_MAX, /* 13.15 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.min = 0, .max = 3600, .def = 2, .supported = 3600,
	VALUE(sess.default_time2wait), CONFIG(default_time2wait))
KEY(DEFAULT_TIME2RETAIN, .name = "DefaultTime2Retain", .kind = KEY_NUMBER_MIN, /* 13.16 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.min = 0, .max = 3600, .def = 20, .supported = 3600,
	VALUE(sess.default_time2retain), CONFIG(default_time2retain))
KEY(MAX_OUTSTANDING_R2T, .name = "MaxOutstandingR2T", .kind = KEY_NUMBER_MIN, /* 13.17 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .late = true,
	.min = 1, .max = 65535, .def = 1, .supported = 65535,
	VALUE(sess.max_outstanding_r2t), CONFIG(max_outstanding_r2t))
KEY(DATA_PDU_IN_ORDER, .name = "DataPDUInOrder", .kind = KEY_BOOLEAN_OR, /* 13.18 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .def = true, .supported = KEYS_ORDER_SUPPORTED,
	VALUE(sess.data_pdu_in_order), CONFIG(data_pdu_in_order))
KEY(DATA_SEQUENCE_IN_ORDER, .name = "DataSequenceInOrder", .kind = KEY_BOOLEAN_OR, /* 13.19 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .def = true, .supported = KEYS_ORDER_SUPPORTED,
	VALUE(sess.data_sequence_in_order), CONFIG(data_sequence_in_order))
KEY(ERROR_RECOVERY_LEVEL, .name = "ErrorRecoveryLevel", .kind = KEY_NUMBER_MIN, /* 13.20 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.min = 0, .max = 2, .def = 0, .supported = KEYS_ERROR_RECOVERY_LEVEL_SUPPORTED,
	VALUE(sess.error_recovery_level), CONFIG(error_recovery_level))
/* 13.21: LO, but further connections repeat it; login.c holds them to the session's type. */
KEY(SESSION_TYPE, .name = "SessionType", .kind = KEY_DECLARED_WORD,
	.senders = BY_INITIATOR, .use = USE_IO, .scope = SCOPE_SW,
	.stages = KEYS_SECURITY | KEYS_OPERATIONAL,
	.def = SESSION_TYPE_NORMAL, .words = words_session_type, VALUE(sess.session_type))
KEY(TASK_REPORTING, .name = "TaskReporting", .kind = KEY_LIST,		/* 13.23 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .def = TASK_REPORTING_RFC3720,
	.words = words_task_reporting, .supported = KEYS_TASK_REPORTING_SUPPORTED,
	.own = true, VALUE(sess.task_reporting), CONFIG(task_reporting))
KEY(ISCSI_PROTOCOL_LEVEL, .name = "iSCSIProtocolLevel", .kind = KEY_NUMBER_MIN, /* 13.24 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_OPERATIONAL,
	.irrelevant = IN_DISCOVERY, .min = 0, .max = 31, .def = 1,
	.supported = KEYS_PROTOCOL_LEVEL_SUPPORTED,
	.own = true, VALUE(sess.iscsi_protocol_level), CONFIG(iscsi_protocol_level))
KEY(IF_MARKER, .name = "IFMarker", .kind = KEY_OBSOLETE,		/* 13.25 */
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_OPERATIONAL,
	.fixed = "No")
KEY(OF_MARKER, .name = "OFMarker", .kind = KEY_OBSOLETE,
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_OPERATIONAL,
	.fixed = "No")
KEY(IF_MARK_INT, .name = "IFMarkInt", .kind = KEY_OBSOLETE,
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_OPERATIONAL,
	.fixed = "Reject")
KEY(OF_MARK_INT, .name = "OFMarkInt", .kind = KEY_OBSOLETE,
	.senders = BY_BOTH, .use = USE_IO, .scope = SCOPE_CO, .stages = KEYS_OPERATIONAL,
	.fixed = "Reject")
KEY(X_NODE_ARCHITECTURE, .name = "X#NodeArchitecture", .kind = KEY_DECLARED_TEXT, /* 13.26 */
	.senders = BY_BOTH, .use = USE_LO, .scope = SCOPE_SW, .stages = KEYS_ANY_STAGE,
	.max = KEY_VALUE_BYTES_MAX)

/* ---- Not on the wire: LIO's cap on what the initiator's MaxRecvDataSegmentLength may be ---- */
KEY(MAX_XMIT_DATA_SEGMENT_LENGTH, .name = "MaxXmitDataSegmentLength", .kind = KEY_LOCAL,
	.scope = SCOPE_CO, .min = 512, .max = 16777215, .def = 262144, .supported = 16777215,
	CONFIG(max_xmit_data_segment_length))

/* clang-format on */
