import torch


def test_paper_size_has_as_many_parameters_as_written_out(models):
    expected = 256 * (3072 + 1) + 2 * 256 * (256 + 1) + 10 * (256 + 1)
    found = models.num_parameters("mlp", hidden=(256, 256, 256))
    assert found == expected == 920_842


def test_forward_matches_naive(models):
    model = models.build("mlp", hidden=(8, 6)).double()
    images = torch.randn(5, 3, 32, 32, dtype=torch.float64)
    W1, b1, W2, b2, W3, b3 = model.parameters()
    for image, logits in zip(images, model(images), strict=True):
        hidden = (W1 @ image.reshape(-1) + b1).clamp(min=0)
        hidden = (W2 @ hidden + b2).clamp(min=0)
        torch.testing.assert_close(logits, W3 @ hidden + b3)


def test_pairs_are_a_chain(models):
    wiring = models.build("mlp", hidden=(8, 6)).wiring
    assert [matrix.label for matrix in wiring.matrices] == ["linear 1", "linear 2", "output"]
    assert [pair.label for pair in wiring.pairs] == ["linear 1 -> linear 2", "linear 2 -> output"]
