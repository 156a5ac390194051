# SPDX-License-Identifier: BSD-3-Clause
"""Whole-daemon test kit: PDUs, a scripted initiator, SCSI helpers, fixtures for the daemon."""
