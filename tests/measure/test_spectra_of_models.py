"""Every matrix and pair of every architecture, against slow versions from the definitions."""

from itertools import pairwise

import numpy as np
import pytest
from tests.measure.made_up import agreement, svd
from tests.measure.walks import HEADS, HIDDEN, WIDTH, Walk, entries, measure, network, walk

PAPER_PAIRS = [
    *(("conv1", "conv2"), ("conv2", "conv3"), ("conv3", "conv4"), ("conv4", "tconv4")),
    *(("tconv4", "tconv3"), ("tconv3", "tconv2"), ("tconv2", "tconv1")),
    *(("dense1", "conv2"), ("dense2", "conv3"), ("dense3", "conv4"), ("dense4", "tconv4")),
    *((f"conv{i}", f"tconv{i}") for i in (1, 2, 3)),
    *((f"dense{i}", f"tconv{i}") for i in (1, 2, 3)),
]


def left(weight):
    return svd(weight)[0]


def right(weight):
    return svd(weight)[2].T


def read(written, weight):
    """|<v_i, u_i>| at every kernel position, shape (kh, kw, k), entry by entry."""
    kernel = weight.reshape(*weight.shape, *(1,) * (4 - weight.ndim))
    _, inputs, height, width = kernel.shape
    V = svd(kernel)[2].reshape(-1, inputs, height, width)
    count = min(len(V), written.shape[1], 5)
    found = np.zeros((height, width, count))
    for y, x, i in np.ndindex(found.shape):
        found[y, x, i] = abs(sum(V[i, c, y, x] * written[c, i] for c in range(inputs)))
    return found


def transformer_pairs(weights):
    """Embedding tokens are rows; queries and keys meet head by head, by their outputs."""
    expected, written = {}, right(weights["embedding.weight"])
    before = "embedding"
    for block in (1, 2):
        name, prefix = f"block {block}", f"blocks.{block - 1}."
        qkv = weights[prefix + "self_attn.in_proj_weight"]
        query, key, value = np.split(qkv, 3)
        expected[f"{before} -> {name} attention in"] = read(written, qkv)
        size = WIDTH // HEADS
        heads = [slice(head * size, (head + 1) * size) for head in range(HEADS)]
        expected[f"{name} query -> {name} key"] = np.mean(
            [read(left(query[head]), key[head].T) for head in heads], axis=0
        )
        out = weights[prefix + "self_attn.out_proj.weight"]
        mlp_in, mlp_out = weights[prefix + "linear1.weight"], weights[prefix + "linear2.weight"]
        expected[f"{name} value -> {name} attention out"] = read(left(value), out)
        expected[f"{name} attention out -> {name} MLP in"] = read(left(out), mlp_in)
        expected[f"{name} MLP in -> {name} MLP out"] = read(left(mlp_in), mlp_out)
        written, before = left(mlp_out), f"{name} MLP out"
    return expected | {f"{before} -> output": read(written, weights["output.weight"])}


def vgg_pairs(weights):
    convolutions = [name for name, weight in weights.items() if weight.ndim == 4]
    convolutions.sort(key=lambda name: int(name.split(".")[1]))
    names = {f"conv {number}": name for number, name in enumerate(convolutions, start=1)}
    names["output"] = "classifier.weight"
    return {
        f"{a} -> {b}": read(left(weights[names[a]]), weights[names[b]]) for a, b in pairwise(names)
    }


def unet_pairs(weights):
    """Kernels with outputs first; a transposed convolution has its inputs first."""
    named = {}
    for level in range(4):
        named[f"conv{level + 1}"] = weights[f"down.{level}.conv.weight"]
        named[f"dense{level + 1}"] = weights[f"down.{level}.dense.weight"]
    for place, level in enumerate((4, 3, 2)):
        named[f"tconv{level}"] = np.swapaxes(weights[f"up.{place}.conv.weight"], 0, 1)
    named["tconv1"] = np.swapaxes(weights["output.weight"], 0, 1)

    def label(name):
        return "output" if name == "tconv1" else f"{name[:-1]} {name[-1]}"

    return {f"{label(a)} -> {label(b)}": read(left(named[a]), named[b]) for a, b in PAPER_PAIRS}


def lstm_pairs(weights):
    """Rows of gate g, the third of the four, of whole matrices' U; a direction reads its half."""

    def of(kind, layer, suffix):
        return weights[f"lstm.weight_{kind}_l{layer}{suffix}"]

    def gate(weight):
        return np.split(left(weight), 4)[2]

    def meet(written, V):
        count = min(written.shape[1], V.shape[1], 5)
        return np.array([[[abs(written[:, i] @ V[:, i]) for i in range(count)]]])

    expected = {}
    for suffix, word, start in (("", "", 0), ("_reverse", "reverse ", HIDDEN)):
        half = slice(start, start + HIDDEN)
        readers = {
            f"layer 2 {word}input": right(of("ih", 1, suffix))[half],
            "output": right(weights["output.weight"])[half],
        }
        for layer, (label, reader) in enumerate(readers.items()):
            name = f"layer {layer + 1} {word}"
            hidden = of("hh", layer, suffix)
            inputs, hiddens = gate(of("ih", layer, suffix)), gate(hidden)
            expected[f"{name}input -> {name}hidden"] = meet(inputs, right(hidden))
            expected[f"{name}input -> {label}"] = meet(inputs, reader)
            expected[f"{name}hidden -> {label}"] = meet(hiddens, reader)
    return expected


PAIRS = {
    "transformer": transformer_pairs,
    "vgg": vgg_pairs,
    "unet": unet_pairs,
    "lstm": lstm_pairs,
}


@pytest.fixture(scope="module", params=PAIRS)
def measured(request, tmp_path_factory):
    """Kind of a network, its weights at each step by the names of parameters, and its spectra."""
    model = network(request.param)
    steps = walk(dict(model.named_parameters()), 3)
    path = measure(tmp_path_factory.mktemp(request.param), Walk(steps), model.wiring, strict=True)
    weights = [
        {name: tensor.double().numpy() for name, tensor in step.items() if tensor.ndim > 1}
        for step in steps
    ]
    return request.param, weights, entries(path)


def outputs_first(kind, name, weight):
    transposed = kind == "unet" and name.startswith(("up.", "output")) and weight.ndim == 4
    return np.swapaxes(weight, 0, 1) if transposed else weight


def test_every_matrix_matches_numpy_at_every_step(measured):
    kind, weights, found = measured
    assert {name for name in found if "->" not in name} == set(weights[0])
    for name in weights[0]:
        one, matrices = found[name], [outputs_first(kind, name, step[name]) for step in weights]
        for index, matrix in enumerate(matrices):
            U, S, Vh = svd(matrix)
            assert one["singular_values"][index] == pytest.approx(S, abs=1e-6 * S[0])
            diagonal = agreement(matrix, matrices[-1])
            assert one["agreement"][index] == pytest.approx(diagonal[:5], abs=1e-4)
        assert (one["rows"], one["columns"]) == (len(U), Vh.shape[1])


def test_every_pair_matches_the_definition_at_every_step(measured):
    kind, weights, found = measured
    for index, step in enumerate(weights):
        expected = PAIRS[kind](step)
        assert {name for name in found if "->" in name} == set(expected)
        for label, positions in expected.items():
            height, width, _ = positions.shape
            center, one = positions[height // 2, width // 2], found[label]
            assert one["alignment"][index] == pytest.approx(center, abs=1e-4), label
            assert one["alignment_score"][index] == pytest.approx(center[:3].mean(), abs=1e-4)
            assert ("kernel_scores" in one) == (height * width > 1)
            if height * width > 1:
                scores = positions[..., :3].mean(-1)
                assert one["kernel_scores"][index] == pytest.approx(scores, abs=1e-4)


def test_depth_goes_from_the_input_to_the_output(measured):
    _, _, found = measured
    matrices = [one for name, one in found.items() if "->" not in name]
    assert sorted(one["depth"] for one in matrices) == list(range(len(matrices)))
    (last,) = (one for one in matrices if one["depth"] == len(matrices) - 1)
    assert (last["label"], last["role"]) == ("output", "output")


def test_untransposed_kernels_would_give_other_numbers():
    """The negative control: with inputs as rows the dimensions of these do not even meet."""
    weight = dict(network("unet").named_parameters())["up.0.conv.weight"]
    assert weight.flatten(1).shape == (20, 16 * 9)
    assert weight.transpose(0, 1).flatten(1).shape == (16, 20 * 9)
