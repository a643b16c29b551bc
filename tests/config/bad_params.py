"""Changes of the tiny preset: values that params.yaml must not have, and kinds that it may have."""

DIGITS = "experiments.digits_vgg"
GROKKING = "experiments.grokking"
LINK = "connections.digits_vgg"
TICKET = "tickets.digits_random"
SAMPLES = "samples.digits_unet"

# One bad value each: words of the value and the expectation, and the path that must be named if it
# is another one. Bad by themselves, as a schema can say:
BAD_ALONE = [
    ("seeds", [], "at least 1"),
    ("seeds", [0, "1"], "'1'", "seeds.1"),
    ("datasets.addition.modulus", 1, "greater than or equal to 2"),
    ("datasets.addition.train_fraction", 1.0, "less than 1"),
    ("datasets.digits.image_size", 27, "28"),
    ("datasets.digits.kind", "digit", "'digits'"),
    ("tasks.addition.model.norm", "batch", "'layer'"),
    ("tasks.digits.model.depth", 12, "11, 13, 16 or 19"),
    ("tasks.digits.optimizer.momentum", 1.0, "less than 1"),
    ("tasks.digits.optimizer.learning_rate", "0.1", "'0.1'"),
    ("tasks.digits.optimizer.kind", "adam", "'adamw', 'sgd'"),
    ("tasks.digits.schedule.final_fraction", -0.1, "equal to 0"),
    ("tasks.digits.num_epochs", 2.5, "2.5"),
    ("tasks.digits.num_epochs", True, "integer"),
    ("tasks.digits.batch_size", "all", "whole number from 1, or full"),
    ("tasks.digits.batch_size", 0, "whole number from 1, or full"),
    ("pruning.keep_fractions", [0.0], "greater than 0", "pruning.keep_fractions.0"),
    (f"{GROKKING}.spectra", {"mass": 2.0}, "less", f"{GROKKING}.spectra.mass"),
    ("tasks.digits.spectra", {"mass": 0.5}, "unknown key"),
    ("tasks.digits.precision", "half", "'bfloat16'"),
    (f"{GROKKING}.optimizer.weight_decay", "1.0", "valid number"),
    (f"{GROKKING}.optimizer.weight_dcay", 1.0, "did you mean weight_decay"),
    ("experiments.Upper", {"task": "addition", "dataset": "addition"}, "legal name"),
    (f"{LINK}.num_branches", 1, "2"),
    (f"{LINK}.num_points", 2, "3"),
    (f"{LINK}.across_trunks", "yes", "'yes'"),
    (f"{LINK}.perturbation.scales", [0.0, 1.0], "greater than 0", f"{LINK}.perturbation.scales.0"),
    (f"{LINK}.perturbation.scales", [], "at least 1"),
    (f"{LINK}.perturbation.scale", 1.0, "did you mean scales"),
    (f"{TICKET}.kind", "small", "'reinitialized'"),
    (f"{TICKET}.density", 0.0, "greater than 0"),
    (f"{TICKET}.density", 1.0, "less than 1"),
    (f"{TICKET}.rewind_step", -5, "or equal to 0"),
    (f"{TICKET}.seed", 0, "unknown key"),
    ("figures.problems", ["digits_vgg"] * 7, "at most 6"),
    ("figures.color", "red", "unknown key"),
    ("claims.confidence", 95, "less than 1"),
    ("claims.thresholds.rank_falls", 1.5, "less than or equal to 1"),
    ("claims.thresholds.rank_falls", "0.5", "valid number"),
    ("claims.thresholds.top_half_suffices", 0, "greater than 0"),
    ("claims.thresholds.rank_fals", 0.5, "mean rank_falls"),
    ("claims.thresholds.decay_lowers_rank", -2, "-1"),
    ("claims.thresholds.top_settles_early", 0, "0"),
    (
        "claims.thresholds.top_settles_early",
        {"lead": 0},
        "missing",
        "claims.thresholds.top_settles_early.score",
    ),
    ("claims.grokking.no_dcay", None, "did you mean no_decay"),
    ("extra", 1, "unknown key"),
    ("checkpoints.digits.heads", 4, "unknown key"),
    ("checkpoints.digits.layout", "bert", "'auto'"),
    (f"{SAMPLES}.num_images", 0, "greater than 0"),
    (f"{SAMPLES}.noise_seed", -1, "equal to 0"),
    (f"{SAMPLES}.seed", 0, "run_seed"),
    (f"{GROKKING}.task", ["addition"], "['addition']"),
]
# Bad beside others, or for a reason that takes a sum or an order:
STEP = {"kind": "step", "warmup_steps": 0, "epochs": [1], "factor": 0.1}
BAD_TOGETHER = [
    ("seeds", [1, 0], "ascending"),
    ("tasks.addition.model.num_heads", 3, "divide d_model = 16", "tasks.addition.model"),
    ("tasks.digits.optimizer.learning_rate", float("nan"), "finite"),
    ("pruning.keep_fractions", [0.5, 0.5], "ascending"),
    ("spectra.score_length", 101, "at most", "spectra"),
    (f"{GROKKING}.spectra", {"score_length": 101}, "at most"),
    ("checkpoints.digits.spectra", {"score_length": 101}, "at most"),
    ("tasks.digits.batch_size", 4901, "less than the 4900", f"{DIGITS}.batch_size"),
    ("tasks.digits.accumulation_steps", 701, "batch size", f"{DIGITS}.accumulation_steps"),
    ("tasks.digits.schedule", STEP, "num_epochs = 1", f"{DIGITS}.schedule.epochs"),
    ("tasks.addition.schedule.warmup_steps", 200, "200 steps", f"{GROKKING}.schedule.warmup_steps"),
    (
        "tasks.digits.checkpoints.split_steps",
        [0, 5, 7],
        "before the end",
        f"{DIGITS}.checkpoints.split_steps",
    ),
    (f"{GROKKING}.task", "adition", "addition, digits"),
    (f"{GROKKING}.dataset", "mnist", "addition, digits"),
    (f"{GROKKING}.dataset", "digits", "reads tokens", f"{GROKKING}.model"),
    (f"{DIGITS}.task", "addition", "reads tokens", f"{DIGITS}.model"),
    ("datasets.digits.image_size", 28, "32 x 32", f"{DIGITS}.model"),
    (f"{LINK}.experiment", "vgg", "digits_vgg"),
    (f"{LINK}.trunk_seeds", [7], "[0, 1]"),
    (f"{LINK}.split_steps", [3], "[0, 5]"),
    (
        f"{LINK}.trunk_seeds",
        [0],
        "trunk_seeds = [0]; expected false, or two",
        f"{LINK}.across_trunks",
    ),
    (
        f"{LINK}.split_steps",
        [0],
        "got 5; expected one of split_steps = [0]",
        f"{LINK}.perturbation.split_step",
    ),
    (f"{LINK}.perturbation.scales", [1.0, 0.5], "ascending"),
    (f"{TICKET}.experiment", "vgg", "digits_vgg"),
    (f"{TICKET}.rewind_step", 3, "[0, 5]"),
    (f"{TICKET}.rewind_step", 3, "training again"),
    ("figures.grokking.experiments", ["gokking"], "grokking"),
    ("figures.problems", ["digits_vgg", "gokking"], "grokking"),
    ("figures.experiments", {"vgg": {}}, "digits_vgg", "figures.experiments.vgg"),
    ("claims.grokking.decay", "gokking", "digits_vgg, grokking"),
    ("claims.thresholds.grokking_is_low_rank", float("nan"), "finite"),
    ("checkpoints.grokking", {"path": "a", "files": ["b"]}, "experiment"),
    ("checkpoints.digits.files", ["../a/*.pt"], "within path", "checkpoints.digits.files.0"),
    ("checkpoints.digits.files", ["/a/step1.pt"], "within path", "checkpoints.digits.files.0"),
    ("figures.checkpoints", {"digit": {}}, "digits", "figures.checkpoints.digit"),
    (f"{SAMPLES}.experiment", "unet", "digits_vgg"),
    (f"{SAMPLES}.experiment", "grokking", "sample"),
    (f"{SAMPLES}.run_seed", 7, "seeds = [0, 1]"),
]
BAD = [(*bad, bad[0])[:4] for bad in (*BAD_ALONE, *BAD_TOGETHER)]

DIFFUSION = {
    "kind": "diffusion",
    "num_steps": 1000,
    "beta_start": 1e-5,
    "beta_end": 5e-3,
    "sigmoid_range": 6.0,
}
UNET = {"kind": "unet", "channels": [8, 16, 32, 64], "embedding_width": 64, "fourier_scale": 30.0}
TEXT = {
    "kind": "reference_text",
    "tokenizer": {"kind": "byte_pairs", "num_tokens": 512},
    "length": 64,
    "num_train_sequences": 1000,
    "num_validation_sequences": 100,
    "validation_fraction": 0.1,
    "seed": 0,
}
IMAGES = {"image_size": 32, "validation_fraction": 0.1, "seed": 0}
IMAGE_KINDS = ("cifar10", "mnist", "fashion_mnist", "digits")
GLYPHS = IMAGES | {"kind": "glyphs", "num_images": 100, "clutter": 3, "noise": 0.2}
# Other problems, put into the tiny preset as a whole.
GENERATION = {"tasks.digits.problem": DIFFUSION, "tasks.digits.model": UNET}
LANGUAGE = {
    "datasets.text": TEXT,
    "tasks.addition.batch_size": 16,
    "tasks.addition.problem": {"kind": "language_modelling"},
    "experiments.grokking.dataset": "text",
}
WIKITEXT = {key: TEXT[key] for key in TEXT if key not in ("validation_fraction", "seed")}
WIKITEXT |= {"kind": "wikitext103", "lower_cased": True}
SGD = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0}
# Parts of a task, or of the file, that an experiment may override.
OVERRIDES = [
    {"optimizer": {"weight_decay": 0.5}},
    {"optimizer": SGD},  # of another kind, as a whole
    {"checkpoints": {"spacing": {"epochs": 50}}},
    {"spectra": {"mass": 0.5}, "pruning": {"keep_fractions": [0.25]}},
]
VALID = [
    {},
    GENERATION,
    LANGUAGE,
    LANGUAGE | {"datasets.text": WIKITEXT},
    *({"datasets.images": IMAGES | {"kind": kind}} for kind in IMAGE_KINDS),
    {"datasets.images": GLYPHS},
    {"datasets.images": IMAGES | {"kind": "cifar10", "permuted_labels": True}},
    *({GROKKING: {"task": "addition", "dataset": "addition", **own}} for own in OVERRIDES),
    {"checkpoints.digits": {"path": "a", "files": ["b"]}},
    {
        "checkpoints.digits": {
            "path": "a",
            "files": [{"path": "b", "step": 3}],
            "spectra": {"mass": 0.5},
        }
    },
    {"claims.grokking": None},
    {"claims.grokking": {"decay": "grokking"}},
]
MISSING = [
    "seeds",
    "claims.thresholds.rank_falls",
    "tasks.digits.num_epochs",
    "tasks.digits.model.kind",
    "connections.digits_vgg.across_trunks",
    "connections.digits_vgg.perturbation",
    "tickets",
    "checkpoints",
    "checkpoints.digits.path",
    "checkpoints.digits.files",
    "samples.digits_unet.run_seed",
    "spectra.mass",
]
# Values of other kinds: a valid change, a bad one beside it, and words of the expectation.
BAD_KINDS_ALONE = [
    (GENERATION, {"tasks.digits.model": UNET | {"embedding_width": 7}}, "multiple of 2"),
    (GENERATION, {"tasks.digits.model": UNET | {"fourier_scale": 0.0}}, "greater than 0"),
    (GENERATION, {"tasks.digits.problem": DIFFUSION | {"num_steps": 1}}, "equal to 2"),
    (GENERATION, {"tasks.digits.problem": {"kind": "diffuse"}}, "'diffusion'"),
    (GENERATION, {"tasks.digits.problem": DIFFUSION | {"betas": 3}}, "unknown key"),
    (LANGUAGE, {"datasets.text": TEXT | {"length": 0}}, "datasets.text.length"),
    (LANGUAGE, {"datasets.text": TEXT | {"validation_fraction": 1.0}}, "less than 1"),
    (LANGUAGE, {"datasets.text": TEXT | {"tokenizer": {"kind": "words"}}}, "text.tokenizer"),
    (LANGUAGE, {"datasets.text": WIKITEXT | {"seed": 0}}, "datasets.text.seed"),
    ({}, {"datasets.digits": IMAGES | {"kind": "cifar10", "image_size": 31}}, "31"),
    ({}, {"datasets.digits": IMAGES | {"kind": "mnist", "validation_fraction": 0.0}}, "0.0001"),
    ({}, {"datasets.digits": IMAGES | {"kind": "mnist", "seed": -1}}, "-1"),
    ({}, {"datasets.digits": GLYPHS | {"noise": -0.1}}, "-0.1"),
    ({}, {"datasets.digits": IMAGES | {"kind": "digits", "permuted_labels": 1}}, "boolean"),
]
BAD_KINDS_TOGETHER = [
    ({}, {"datasets.digits": GLYPHS | {"validation_fraction": 0.001}}, "0.001 of 100 images are 0"),
    (GENERATION, {"tasks.digits.model": UNET | {"channels": [8, 18]}}, "multiple of 4"),
    (GENERATION, {"tasks.digits.model": UNET | {"channels": [8] * 6}}, "unet of 6 levels reads no"),
    (GENERATION, {"tasks.digits.problem": DIFFUSION | {"beta_end": 1e-6}}, "is not below beta_end"),
    (GENERATION, {"tasks.digits.problem": {"kind": "classification"}}, "expected diffusion"),
    ({}, {"tasks.digits.problem": DIFFUSION}, "expected classification"),
    (LANGUAGE, {"tasks.addition.problem": {"kind": "classification"}}, "modelling on text"),
    (LANGUAGE, {"experiments.grokking.dataset": "addition"}, "language_modelling on text"),
    (LANGUAGE, {"tasks.addition.batch_size": 1001}, "less than the 1000 samples"),
    ({}, {"datasets.digits": IMAGES | {"kind": "cifar10", "image_size": 40}}, "reads images of 32"),
]
BAD_KINDS = [*BAD_KINDS_ALONE, *BAD_KINDS_TOGETHER]
