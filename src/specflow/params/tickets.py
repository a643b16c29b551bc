"""Ticket sections of params.yaml: masked networks that are trained again from an early step."""

from typing import Literal

from specflow.section import Fraction, Index, Name, Section

TicketKind = Literal["magnitude", "random", "reinitialized"]


class TicketParams(Section):
    """A lottery ticket: the runs of an experiment with most of their weights held at 0.

    Attributes:
        experiment: The experiment whose runs are the sources; all its seeds are run.
        kind: magnitude keeps the weights that end with the largest magnitude; random as many of
            every layer at random places; reinitialized has the magnitude mask and new weights.
        density: Share of weights kept, over all matrices but the last together.
        rewind_step: The step to whose weights (place in training, if reinitialized) a ticket
            returns, one of the experiment's split steps.
    """

    experiment: Name
    kind: TicketKind
    density: Fraction
    rewind_step: Index
