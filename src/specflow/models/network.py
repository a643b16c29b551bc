"""What every network of specflow has beside its parameters: its wiring."""

from torch import nn

from specflow.models.wiring import Wiring


class Network(nn.Module):
    """A network that knows its matrices and which of them are neighbours."""

    wiring: Wiring
