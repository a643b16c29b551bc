"""What is collected of a lottery ticket."""

from specflow.section import Seeds
from specflow.studies.tickets.settings import Ticket


class Collected(Ticket):
    """What is collected of a ticket: the run of every seed."""

    seeds: Seeds
