"""What a params.yaml asks of a machine, before anything is trained: steps, FLOPs and disk."""

from specflow.plan.table import plan_table

__all__ = ["plan_table"]
