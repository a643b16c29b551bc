"""Multi-layer LSTM over frames of speech (Hochreiter & Schmidhuber 1997), one or two directions.

Dimensions: B batch, T frames, F features, H hidden units, C symbols.
"""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from specflow.models.network import Network
from specflow.models.wiring import Block, Matrix, Meeting, Pair, View, Wiring
from specflow.params.models import LstmParams
from specflow.params.speech import SpeechShape

# torch stacks the gates i, f, g, o as rows; g is the one that is reported (paper, section on
# alignment): what it computes is added to the cell, the others only scale.
_GATE = Block(2, 4)
_LABELS = {"ih": "input", "hh": "hidden"}


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
        self.wiring = _wiring(params.num_layers, directions)

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


def _wiring(num_layers: int, directions: int) -> Wiring:
    """Return all matrices in order of depth, and the pairs of METHODS for each direction.

    Rows of a gate are hidden units, and so are the columns of what reads the hidden state. A
    layer above reads both directions side by side: a direction meets its own half of the columns
    of the matrix that reads in the same direction.
    """
    inputs, hiddens = (
        [[_matrix(kind, layer, d) for d in range(directions)] for layer in range(num_layers)]
        for kind in ("ih", "hh")
    )
    output = Matrix(View("output.weight"), "output")
    matrices: list[Matrix] = []
    pairs: list[Pair] = []
    for layer in range(num_layers):
        above = inputs[layer + 1] if layer + 1 < num_layers else [output] * directions
        for d, own in enumerate(zip(inputs[layer], hiddens[layer], strict=True)):
            half = Block(d, directions) if directions > 1 else None
            matrices += own
            pairs.append(_pair(*own))
            pairs += [_pair(matrix, above[d], half) for matrix in own]
    return Wiring((*matrices, output), tuple(pairs), last="output.weight")


def _matrix(kind: str, layer: int, direction: int) -> Matrix:
    suffix = "_reverse" if direction else ""
    words = ["layer", str(layer + 1), *["reverse"] * direction, _LABELS[kind]]
    return Matrix(View(f"lstm.weight_{kind}_l{layer}{suffix}"), " ".join(words))


def _pair(previous: Matrix, following: Matrix, columns: Block | None = None) -> Pair:
    rows = None if following.label == "output" else _GATE
    meeting = Meeting(
        View(previous.view.parameter, rows=_GATE),
        View(following.view.parameter, rows=rows, columns=columns),
    )
    return Pair(f"{previous.label} -> {following.label}", (meeting,))
