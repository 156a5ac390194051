/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conn.fsm.h: the transitions of a target's connection, RFC 7143 8.1.3 and 8.1.4 with its labels.
 *
 * FSM(from, event, action, to)	action may be 0
 */
/* clang-format off */
FSM(CONN_FREE,             EV_ACCEPTED,      0,                CONN_XPT_UP)           /* T3 */
FSM(CONN_XPT_UP,           EV_LOGIN_REQUEST, 0,                CONN_IN_LOGIN)         /* T4 */
FSM(CONN_IN_LOGIN,         EV_LOGIN_REQUEST, 0,                CONN_IN_LOGIN)
FSM(CONN_IN_LOGIN,         EV_LOGIN_DONE,    conn_enter_ffp,   CONN_LOGGED_IN)        /* T5 */
FSM(CONN_IN_LOGIN,         EV_LOGIN_FAILED,  conn_stop_receiving, CONN_IN_LOGIN)         /* to T7 */
FSM(CONN_LOGGED_IN,        EV_ASYNC_LOGOUT,  0,                CONN_LOGOUT_REQUESTED) /* T11 */
FSM(CONN_LOGOUT_REQUESTED, EV_ASYNC_LOGOUT,  0,                CONN_LOGOUT_REQUESTED) /* T12 */
FSM(CONN_LOGGED_IN,        EV_LOGOUT,        conn_stop_receiving, CONN_IN_LOGOUT)        /* T9 */
FSM(CONN_LOGOUT_REQUESTED, EV_LOGOUT,        conn_stop_receiving, CONN_IN_LOGOUT)        /* T10 */
FSM(CONN_XPT_UP,           EV_CLOSE,         conn_cleanup,     CONN_CLEANUP_WAIT)     /* T6 */
FSM(CONN_IN_LOGIN,         EV_CLOSE,         conn_cleanup,     CONN_CLEANUP_WAIT)     /* T7 */
FSM(CONN_LOGGED_IN,        EV_CLOSE,         conn_cleanup,     CONN_CLEANUP_WAIT)     /* T8, T15 */
FSM(CONN_IN_LOGOUT,        EV_CLOSE,         conn_cleanup,     CONN_CLEANUP_WAIT)     /* T13, T17 */
FSM(CONN_LOGOUT_REQUESTED, EV_CLOSE,         conn_cleanup,     CONN_CLEANUP_WAIT)     /* T16, T18 */
