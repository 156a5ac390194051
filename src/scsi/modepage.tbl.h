/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modepage.tbl.h: the mode pages, and every field of them.
 *
 * MODE_PAGE(NAME, page code, subpage code, bytes of the page with its header, text)
 * MODE_FIELD(NAME, page NAME, byte in the page, leftmost bit, width in bits, default, valid)
 *   valid	bit n set: MODE SELECT may set the value n; 0: any value of that width
 * Pages ascend by page code, then subpage code. What ulio does not implement is 0 (SPC-4 7.5.7);
 * MRIE is not: SBC-3 wants a method, and with DEXCPT there is nothing to report. No include guard.
 * Sources: SPC-4 7.5.8 (Control), 7.5.9 (Control Extension); SBC-3 6.4.5 (Caching), 6.4.6
 * (Informational Exceptions Control), 6.4.7 (Read-Write Error Recovery).
 */
/* clang-format off */
#ifdef MODE_PAGE
MODE_PAGE(RECOVERY,    0x01, 0x00, 12, "Read-Write Error Recovery")
MODE_PAGE(CACHING,     0x08, 0x00, 20, "Caching")
MODE_PAGE(CONTROL,     0x0a, 0x00, 12, "Control")
MODE_PAGE(CONTROL_EXT, 0x0a, 0x01, 32, "Control Extension")
MODE_PAGE(IEC,         0x1c, 0x00, 12, "Informational Exceptions Control")
#endif

#ifdef MODE_FIELD
/*         name                    page         byte bit width default valid */
MODE_FIELD(AWRE,                   RECOVERY,     2,  7,  1,  0, 0)
MODE_FIELD(ARRE,                   RECOVERY,     2,  6,  1,  0, 0)
MODE_FIELD(TB,                     RECOVERY,     2,  5,  1,  0, 0)
MODE_FIELD(RC,                     RECOVERY,     2,  4,  1,  0, 0)
MODE_FIELD(EER,                    RECOVERY,     2,  3,  1,  0, 0)
MODE_FIELD(PER,                    RECOVERY,     2,  2,  1,  0, 0)
MODE_FIELD(DTE,                    RECOVERY,     2,  1,  1,  0, 0)
MODE_FIELD(DCR,                    RECOVERY,     2,  0,  1,  0, 0)
MODE_FIELD(READ_RETRY_COUNT,       RECOVERY,     3,  7,  8,  0, 0)
MODE_FIELD(LBPERE,                 RECOVERY,     7,  7,  1,  0, 0)
MODE_FIELD(WRITE_RETRY_COUNT,      RECOVERY,     8,  7,  8,  0, 0)
MODE_FIELD(RECOVERY_TIME_LIMIT,    RECOVERY,    10,  7, 16,  0, 0)

MODE_FIELD(IC,                     CACHING,      2,  7,  1,  0, 0)
MODE_FIELD(ABPF,                   CACHING,      2,  6,  1,  0, 0)
MODE_FIELD(CAP,                    CACHING,      2,  5,  1,  0, 0)
MODE_FIELD(DISC,                   CACHING,      2,  4,  1,  0, 0)
MODE_FIELD(SIZE,                   CACHING,      2,  3,  1,  0, 0)
MODE_FIELD(WCE,                    CACHING,      2,  2,  1,  0, 0)
MODE_FIELD(MF,                     CACHING,      2,  1,  1,  0, 0)
MODE_FIELD(RCD,                    CACHING,      2,  0,  1,  0, 0)
MODE_FIELD(READ_RETENTION,         CACHING,      3,  7,  4,  0, 0)
MODE_FIELD(WRITE_RETENTION,        CACHING,      3,  3,  4,  0, 0)
MODE_FIELD(DISABLE_PREFETCH,       CACHING,      4,  7, 16,  0, 0)
MODE_FIELD(MIN_PREFETCH,           CACHING,      6,  7, 16,  0, 0)
MODE_FIELD(MAX_PREFETCH,           CACHING,      8,  7, 16,  0, 0)
MODE_FIELD(MAX_PREFETCH_CEILING,   CACHING,     10,  7, 16,  0, 0)
MODE_FIELD(FSW,                    CACHING,     12,  7,  1,  0, 0)
MODE_FIELD(LBCSS,                  CACHING,     12,  6,  1,  0, 0)
MODE_FIELD(DRA,                    CACHING,     12,  5,  1,  0, 0)
MODE_FIELD(SYNC_PROG,              CACHING,     12,  2,  2,  0, 0x7)
MODE_FIELD(NV_DIS,                 CACHING,     12,  0,  1,  0, 0)
MODE_FIELD(CACHE_SEGMENTS,         CACHING,     13,  7,  8,  0, 0)
MODE_FIELD(CACHE_SEGMENT_SIZE,     CACHING,     14,  7, 16,  0, 0)

MODE_FIELD(TST,                    CONTROL,      2,  7,  3,  0, 0x3)
MODE_FIELD(TMF_ONLY,               CONTROL,      2,  4,  1,  0, 0)
MODE_FIELD(DPICZ,                  CONTROL,      2,  3,  1,  0, 0)
MODE_FIELD(D_SENSE,                CONTROL,      2,  2,  1,  0, 0)
MODE_FIELD(GLTSD,                  CONTROL,      2,  1,  1,  1, 0)
MODE_FIELD(RLEC,                   CONTROL,      2,  0,  1,  0, 0)
MODE_FIELD(QAM,                    CONTROL,      3,  7,  4,  1, 0x3)
MODE_FIELD(NUAR,                   CONTROL,      3,  3,  1,  0, 0)
MODE_FIELD(QERR,                   CONTROL,      3,  2,  2,  0, 0xb)
MODE_FIELD(RAC,                    CONTROL,      4,  6,  1,  0, 0)
MODE_FIELD(UA_INTLCK_CTRL,         CONTROL,      4,  5,  2,  0, 0xd)
MODE_FIELD(SWP,                    CONTROL,      4,  3,  1,  0, 0)
MODE_FIELD(ATO,                    CONTROL,      5,  7,  1,  0, 0)
MODE_FIELD(TAS,                    CONTROL,      5,  6,  1,  0, 0)
MODE_FIELD(ATMPE,                  CONTROL,      5,  5,  1,  0, 0)
MODE_FIELD(RWWP,                   CONTROL,      5,  4,  1,  0, 0)
MODE_FIELD(AUTOLOAD_MODE,          CONTROL,      5,  2,  3,  0, 0)
MODE_FIELD(BUSY_TIMEOUT,           CONTROL,      8,  7, 16,  0xffff, 0)
MODE_FIELD(SELF_TEST_TIME,         CONTROL,     10,  7, 16,  0, 0)

MODE_FIELD(TCMOS,                  CONTROL_EXT,  4,  2,  1,  0, 0)
MODE_FIELD(SCSIP,                  CONTROL_EXT,  4,  1,  1,  0, 0)
MODE_FIELD(IALUAE,                 CONTROL_EXT,  4,  0,  1,  0, 0)
MODE_FIELD(INITIAL_PRIORITY,       CONTROL_EXT,  5,  3,  4,  0, 0)
MODE_FIELD(MAX_SENSE_LENGTH,       CONTROL_EXT,  6,  7,  8,  0, 0)

MODE_FIELD(PERF,                   IEC,          2,  7,  1,  0, 0)
MODE_FIELD(EBF,                    IEC,          2,  5,  1,  0, 0)
MODE_FIELD(EWASC,                  IEC,          2,  4,  1,  0, 0)
MODE_FIELD(DEXCPT,                 IEC,          2,  3,  1,  1, 0)
MODE_FIELD(TEST,                   IEC,          2,  2,  1,  0, 0)
MODE_FIELD(EBACKERR,               IEC,          2,  1,  1,  0, 0)
MODE_FIELD(LOGERR,                 IEC,          2,  0,  1,  0, 0)
MODE_FIELD(MRIE,                   IEC,          3,  3,  4,  6, 0x7d)
MODE_FIELD(INTERVAL_TIMER,         IEC,          4,  7, 32,  0, 0)
MODE_FIELD(REPORT_COUNT,           IEC,          8,  7, 32,  0, 0)
#endif
/* clang-format on */
