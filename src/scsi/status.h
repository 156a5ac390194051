/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * status.h: what SAM-5 lets a device server and a task manager answer.
 *
 * Numbers that travel on the wire are the standard's; the others (task attributes, task management
 * functions and service responses) are abstract in SAM-5, and each transport maps them to its own.
 */
#ifndef ULIO_SCSI_STATUS_H
#define ULIO_SCSI_STATUS_H

/* SAM-5 5.3.1, Status codes. */
enum status {
	STATUS_GOOD = 0x00,
	STATUS_CHECK_CONDITION = 0x02,
	STATUS_CONDITION_MET = 0x04,
	STATUS_BUSY = 0x08,
	STATUS_RESERVATION_CONFLICT = 0x18,
	STATUS_TASK_SET_FULL = 0x28,
	STATUS_ACA_ACTIVE = 0x30,
	STATUS_TASK_ABORTED = 0x40,
};

/* SAM-5 8.6, Task attributes. */
enum task_attr {
	TASK_ATTR_SIMPLE,
	TASK_ATTR_ORDERED,
	TASK_ATTR_HEAD_OF_QUEUE,
	TASK_ATTR_ACA,
};

/* SAM-5 7, Task management functions; the two TARGET RESETs are of SAM-2 and of iSCSI. */
enum tmf_function {
	TMF_ABORT_TASK,
	TMF_ABORT_TASK_SET,
	TMF_CLEAR_ACA,
	TMF_CLEAR_TASK_SET,
	TMF_I_T_NEXUS_RESET,
	TMF_LOGICAL_UNIT_RESET,
	TMF_QUERY_TASK,
	TMF_QUERY_TASK_SET,
	TMF_QUERY_ASYNC_EVENT,
	TMF_TARGET_WARM_RESET,
	TMF_TARGET_COLD_RESET,
	TMF_FUNCTION_COUNT,
};

/* SAM-5 7.1, Service Response of a task management function. */
enum tmf_response {
	TMF_FUNCTION_COMPLETE,
	TMF_FUNCTION_SUCCEEDED,
	TMF_FUNCTION_REJECTED,
	TMF_INCORRECT_LOGICAL_UNIT_NUMBER,
	TMF_SERVICE_DELIVERY_OR_TARGET_FAILURE,
};

#endif
