"""How a network's matrices lie in its tensors, and which of them meet: as data, of any network."""

from specflow.wiring.view import Cut, View
from specflow.wiring.wiring import Matrix, Meeting, Pair, Wiring, chain, follow

__all__ = ["Cut", "Matrix", "Meeting", "Pair", "View", "Wiring", "chain", "follow"]
