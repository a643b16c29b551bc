"""Multi-layer LSTM over frames of speech (Hochreiter & Schmidhuber 1997), one or two directions.

Dimensions: B batch, T frames, F features, H hidden units, C symbols.
"""

from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from specflow.datasets.shapes import SpeechShape
from specflow.models.network import ModelSection, Network
from specflow.section import Count
from specflow.wiring import Matrix, Meeting, Pair, View, Wiring

_ROLES = {"ih": "input", "hh": "hidden"}


class LstmParams(ModelSection):
    """LSTM of `num_layers` layers of `hidden` units in each direction, for speech."""

    kind: Literal["lstm"]
    num_layers: Count
    hidden: Count
    bidirectional: bool
    reads: ClassVar[str] = "speech"
    solves: ClassVar[tuple[str, ...]] = ("ctc",)

    def _build(self, shape: SpeechShape, last_position_only: bool) -> "Lstm":
        return Lstm(self, shape)


class Lstm(Network):
    """LSTM whose hidden states a linear layer turns into scores of symbols, frame by frame."""

    def __init__(self, params: LstmParams, shape: SpeechShape) -> None:
        """Build the network with torch's default initialization.

        Args:
            params: Number and width of layers, and whether they read in both directions.
            shape: Number of features of a frame, and of symbols.
        """
        super().__init__()
        self.lstm = nn.LSTM(
            shape.num_features,
            params.hidden,
            params.num_layers,
            batch_first=True,
            bidirectional=params.bidirectional,
        )
        directions = 1 + params.bidirectional
        self.output = nn.Linear(directions * params.hidden, shape.num_symbols)
        self.wiring = _wiring(self, params.num_layers, directions)

    def forward(self, x_BTF: Tensor, lengths: Tensor) -> Tensor:
        """Return logits of symbols; padding has no influence on those of true frames.

        Args:
            x_BTF: Frames, padded at the end; shape (B, T, F).
            lengths: Number of true frames of each utterance, shape (B,), 1 to T.

        Returns:
            Shape (B, max(lengths), C); beyond an utterance's length they mean nothing.
        """
        packed = pack_padded_sequence(x_BTF, lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.output(hidden)


def _wiring(model: Lstm, num_layers: int, directions: int) -> Wiring:
    """Return all matrices in order of depth, and the pairs of each direction.

    Rows of a gate are hidden units, and so are the columns of what reads the hidden state. A
    layer above reads both directions side by side: a direction meets its own half of the columns
    of the matrix that reads in the same direction.
    """
    inputs, hiddens = (
        [[_matrix(model, kind, layer, d) for d in range(directions)] for layer in range(num_layers)]
        for kind in _ROLES
    )
    output = model.matrix("output.weight", "output", "output")
    matrices: list[Matrix] = []
    pairs: list[Pair] = []
    for layer in range(num_layers):
        above = inputs[layer + 1] if layer + 1 < num_layers else [output] * directions
        for d, (own, hidden) in enumerate(zip(inputs[layer], hiddens[layer], strict=True)):
            matrices += [own, hidden]
            pairs.append(_pair(own, hidden, _gate(hidden)))
            reader = output.view if above[d] is output else _gate(above[d])
            half = reader.cut_columns(d, d + 1, directions) if directions > 1 else reader
            pairs += [_pair(matrix, above[d], half) for matrix in (own, hidden)]
    return Wiring((*matrices, output), tuple(pairs))


def _matrix(model: Lstm, kind: str, layer: int, direction: int) -> Matrix:
    suffix = "_reverse" if direction else ""
    words = ["layer", str(layer + 1), *["reverse"] * direction, _ROLES[kind]]
    name = f"lstm.weight_{kind}_l{layer}{suffix}"
    return model.matrix(name, " ".join(words), _ROLES[kind])


def _gate(matrix: Matrix) -> View:
    """Return the rows of gate g of the gates i, f, g, o that torch stacks.

    It is the one that is reported (paper, section on alignment): what it computes is added to the
    cell, the others only scale.
    """
    return matrix.view.cut_rows(2, 3, 4)


def _pair(previous: Matrix, following: Matrix, reader: View) -> Pair:
    label = f"{previous.label} -> {following.label}"
    return Pair(label, (Meeting(_gate(previous), reader),))
