"""Write the page that shows claims, experiments and figures."""

from specflow.report.page import write_report


def main() -> None:
    """Write the page."""
    write_report()
