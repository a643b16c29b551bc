"""Tensors of a recognized transformer that hold several matrices, cut into these."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from math import gcd

from specflow.wiring.places import Place, place_of
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.view import Cut
from specflow.wiring.wiring import Matrix

# Models whose projection has a name that other models give to one whose rows lie by heads.
_IN_TURN = ("chatglm", "bailing")
# First layers of MLPs whose first half is the gate; of others either half may be.
_GATE_FIRST = (
    *("gate_up_proj", "Wi", "dense_h_to_4h", "w12", "linear_fc1", "weights_in", "W12"),
    *("input_linear", "gate_up"),
)
_BIAS_TABLE = "relative_position_bias_table"
_UNKNOWN_ORDER = "its parts lie in an order that is not known: declare them in fused"

Placed = Mapping[Matrix, Place]
Cuts = Mapping[str, Cut]


@dataclass(frozen=True)
class Splitter:
    """Cuts the matrices of a block.

    Attributes:
        tensors: Shape and dtype of every tensor by name.
        structure: What else is known of the network.
        heads: Attention heads of the block, where they are known.
        block: Its matrices, turned.
    """

    tensors: Mapping[str, TensorInfo]
    structure: Structure
    heads: int | None
    block: Placed

    def split(self) -> tuple[dict[Matrix, Place], dict[str, str]]:
        """Return all matrices after the cuts, and why a matrix that holds several stays whole."""
        found: dict[Matrix, Place] = {}
        whole: dict[str, str] = {}
        for matrix, place in self.block.items():
            cuts = self._cuts(matrix, place)
            if isinstance(cuts, str):
                whole[matrix.name] = cuts
                cuts = {}
            for one in _experts(matrix, place):
                parts = [one.part(name, cut) for name, cut in cuts.items()] or [one]
                found |= {p: place if p is matrix else place_of(p) or place for p in parts}
        return found, whole

    def _cuts(self, matrix: Matrix, place: Place) -> Cuts | str:
        """Return the cuts that parts are made by, none if it is one matrix, or why not."""
        if place.role in ("attention in", "cross attention in"):
            return self._of_projection(matrix, place)
        axis = _axis(matrix)
        if place.role in ("key value", "cross key value"):
            return {"k": Cut(axis, 0, 1, 2), "v": Cut(axis, 1, 2, 2)}
        down = self._other("MLP out", place)
        if place.role != "MLP in" or down is None:
            return {}
        (rows, _), (_, inner) = sides_of(matrix, place), sides_of(*down)
        if rows != 2 * inner:
            return {}
        alternate = inner if self._alternates(matrix, place) else 1
        first, second = self._halves(matrix, place)
        return {first: Cut(axis, 0, 1, 2, alternate), second: Cut(axis, 1, 2, 2, alternate)}

    def _alternates(self, matrix: Matrix, place: Place) -> bool:
        """Return whether gate and up take turns, row by row: stacked experts of gpt-oss.

        These have biases, as no other stacked experts whose first layer is named so.
        """
        model = self.structure.says("model_type", place.stack)
        is_named = place.stacked and place.path.endswith("experts.gate_up_proj")
        has_biases = f"{matrix.view.tensor}_bias" in self.tensors
        return is_named and has_biases and model in (None, "gpt_oss")

    def _halves(self, matrix: Matrix, place: Place) -> tuple[str, str]:
        """Return the names of two halves: gate and up, where the order is known."""
        owner, _, last = matrix.view.tensor.removesuffix(".weight").rpartition(".")
        is_last = self.structure.gate_last.get(owner)
        if is_last is None and last in _GATE_FIRST:
            is_last = False
        if is_last is None:
            return "half0", "half1"
        return ("up", "gate") if is_last else ("gate", "up")

    def _of_projection(self, matrix: Matrix, place: Place) -> Cuts | str:
        axis, (rows, columns) = _axis(matrix), sides_of(matrix, place)
        role = "cross attention out" if place.role.startswith("cross") else "attention out"
        out = self._other(role, place)
        queries = sides_of(*out)[1] if out else columns
        keys, rest = divmod(rows - queries, 2)
        model = self.structure.says("model_type", place.stack)
        is_codegen = any(other.path == "mlp.fc_in" for other in self.block.values())
        if rest or keys < 1 or (out is None and rows != 3 * columns) or is_codegen:
            return _UNKNOWN_ORDER
        if self._is_of_vision(matrix, place, rows, queries):
            return _UNKNOWN_ORDER
        if model == "gpt_bigcode" and keys == queries:
            return _in_turn(axis, (1, 1, 1), self.heads) if self.heads else _UNKNOWN_HEADS
        by_heads = lies_by_heads(place, self.block, model)
        if by_heads is None:
            return _UNKNOWN_ORDER
        if by_heads:
            return self._grouped(axis, rows, queries, keys)
        unit = gcd(queries, keys)
        return _in_turn(axis, (queries // unit, keys // unit, keys // unit))

    def _is_of_vision(self, matrix: Matrix, place: Place, rows: int, queries: int) -> bool:
        """Return whether a `qkv` of timm is one of those that do not lie in turn.

        MaxViT's lie by heads in some variants; GCViT's hold no queries where these are global.
        """
        owner = matrix.view.tensor.removesuffix(".weight").rpartition(".")[0]
        no_queries = place.path.endswith(".qkv") and rows == 2 * queries
        told = self.structure.says("num_key_value_heads", place.stack) is not None
        return (no_queries and not told) or f"{owner}.rel_pos.{_BIAS_TABLE}" in self.tensors

    def _grouped(self, axis: int, rows: int, queries: int, keys: int) -> Cuts | str:
        """Cut what lies by heads of keys: the heads of queries that read one, it, its value."""
        if self.heads is None:
            return _UNKNOWN_HEADS
        size, rest = divmod(queries, self.heads)
        groups, rest_of_keys = divmod(keys, size) if size else (0, 1)
        if rest or rest_of_keys or self.heads % groups:
            return f"{self.heads} heads do not fit into its {rows} rows"
        return _in_turn(axis, (self.heads // groups, 1, 1), groups)

    def _other(self, role: str, place: Place) -> tuple[Matrix, Place] | None:
        """Return the matrix of another role in the same unit."""
        return self._by_role.get((role, place.unit, place.stacked))

    @cached_property
    def _by_role(self) -> dict[tuple[str, str, bool], tuple[Matrix, Place]]:
        return {(p.role, p.unit, p.stacked): (m, p) for m, p in self.block.items()}


_UNKNOWN_HEADS = "it lies by heads, whose number is not known (num_heads)"


def _in_turn(axis: int, shares: tuple[int, int, int], groups: int = 1) -> Cuts:
    """Return the cuts of query, key and value that follow each other, in each of some groups."""
    ends = list(accumulate(shares, initial=0))
    places = zip("qkv", pairwise(ends), strict=True)
    return {name: Cut(axis, start, stop, ends[-1], groups) for name, (start, stop) in places}


def lies_by_heads(place: Place, block: Placed, model: object) -> bool | None:
    """Return whether the rows of a projection lie by heads; None if that is not known.

    So they do in Megatron's `linear_qkv`, and in `query_key_value` beside a plain `dense_h_to_4h`
    (GPT-NeoX, BLOOM, Falcon): those of queries, then of their key and value. Beside an MLP with a
    gate that name has either order, and `wqkv` is in InternLM2 by heads, in others in turn.

    Args:
        place: Where the projection stands.
        block: The matrices of its block, turned.
        model: The type of model that a config says.
    """
    name = place.path.rpartition(".")[2]
    if name == "wqkv":
        return True if model == "internlm2" else None
    if name != "query_key_value":
        return name == "linear_qkv"
    outer = {p.role: sides_of(m, p) for m, p in block.items() if p.path.startswith("mlp.dense_")}
    up, down = outer.get("MLP in"), outer.get("MLP out")
    if up is not None and down is not None and up[0] == down[1]:
        return True
    return False if str(model).startswith(_IN_TURN) else None


def sides_of(matrix: Matrix, place: Place) -> tuple[int, int]:
    """Return outputs and inputs of a matrix, or of each in a stack of them."""
    if not place.stacked:
        return matrix.view.rows, matrix.view.columns
    first, second = matrix.view.shape[-2:]
    return (second, first) if matrix.view.transposed else (first, second)


def _axis(matrix: Matrix) -> int:
    """Return the dimension of outputs; of a stack, after its experts are cut."""
    return 1 if matrix.view.transposed else 0


def _experts(matrix: Matrix, place: Place) -> list[Matrix]:
    """Return the matrix of each expert, or the matrix itself if it is of one."""
    if not place.stacked or len(matrix.view.shape) != 3 or matrix.view.cuts:
        return [matrix]
    count = matrix.view.shape[0]
    return [matrix.part(str(i), Cut(0, i, i + 1, count, dropped=True)) for i in range(count)]
