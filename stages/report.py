"""Write the page that shows claims, experiments and figures."""

from specflow.report.page import write_report
from specflow.stage import run_stage

if __name__ == "__main__":
    run_stage(write_report)
