"""Multi-layer LSTM over frames of speech (Hochreiter & Schmidhuber 1997), one or two directions.

Dimensions: B batch, T frames, F features, H hidden units, C symbols.
"""

from typing import ClassVar, Literal

from torch import Tensor, nn

from specflow.datasets.shapes import SpeechShape
from specflow.models.network import ModelSection, Network
from specflow.models.recurrence import hidden_states
from specflow.section import Depth, Width
from specflow.wiring import Wiring
from specflow.wiring.lstm import lstm_pairs, lstms_of


class LstmParams(ModelSection):
    """LSTM for speech.

    Attributes:
        num_layers: Number of layers.
        hidden: Hidden units of a layer in each direction.
        bidirectional: Whether it reads backwards as well.
    """

    kind: Literal["lstm"]
    num_layers: Depth
    hidden: Width
    bidirectional: bool
    reads: ClassVar[str] = "speech"
    solves: ClassVar[tuple[str, ...]] = ("ctc",)

    def _build(self, shape: SpeechShape, last_position_only: bool) -> "Lstm":
        return Lstm(self, shape)


class Lstm(Network):
    """LSTM whose hidden states a linear layer turns into scores of symbols, frame by frame."""

    def __init__(self, params: LstmParams, shape: SpeechShape) -> None:
        """Build the network with torch's default initialization."""
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
        names = (name for name, _ in self.named_parameters() if ".weight_" in name)
        (lstm,) = lstms_of(self.matrix(name, name, "") for name in names)
        output = self.matrix("output.weight", "output", "output")
        self.wiring = Wiring((*lstm.values(), output), tuple(lstm_pairs(lstm, output)))

    def forward(self, x_BTF: Tensor, lengths: Tensor) -> Tensor:
        """Return logits of symbols; padding has no influence on those of true frames.

        Args:
            x_BTF: Frames, padded at the end; shape (B, T, F).
            lengths: Number of true frames of each utterance, shape (B,), 1 to T.

        Returns:
            Shape (B, max(lengths), C); beyond an utterance's length they mean nothing.
        """
        return self.output(hidden_states(self.lstm, x_BTF, lengths))
