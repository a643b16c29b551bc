"""What is collected of a connection."""

from specflow.section import Name
from specflow.studies.connections.settings import Branches


class Collected(Branches):
    """What is collected of a connection: all paths between its branches."""

    experiment: Name
    across_trunks: bool
