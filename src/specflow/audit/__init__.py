"""The audit: are checkpoints the steps of one training that they claim to be?

What it finds is here (no torch); `specflow.audit.flags` makes it.
"""

from specflow.audit.findings import WHOLE_STEP, Audit, Changes, Flag, read_audit, write_audit

__all__ = ["WHOLE_STEP", "Audit", "Changes", "Flag", "read_audit", "write_audit"]
