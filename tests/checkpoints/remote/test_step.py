"""A checkpoint at a URL is what it is on the disk, and brings no byte that was not asked for."""

import json
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
import torch
from safetensors.torch import save
from tests.attacks.damage import damaged
from tests.checkpoints.web import cut, hangs_up

from specflow.checkpoints.opening import open_checkpoint
from specflow.checkpoints.remote.ahead import ReadAhead
from specflow.checkpoints.remote.files import RemoteFile
from specflow.checkpoints.remote.places import Resource, resource_of
from specflow.checkpoints.remote.step import Published, RemoteSafetensors, RemoteStep
from specflow.errors import SpecflowError

STATE = {"module.a.weight": torch.ones(30, 20), "b.weight": torch.zeros(7, 3), "c": torch.ones(5)}
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool)


def state(seed):
    """Tensors of any dtype, of up to three dimensions, some of them empty."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for number in range(12):
        dimensions = int(torch.randint(0, 4, (1,), generator=generator))
        shape = torch.randint(0, 6, (dimensions,), generator=generator).tolist()
        value = torch.randn(shape, generator=generator) * 3
        found[f"layers.{number}.weight"] = value.to(DTYPES[number % len(DTYPES)])
    return found


@pytest.fixture
def web(serve):
    return serve()


def step(web, content=None, path="/run/model.safetensors", query=""):
    if content is not None:
        web.files[path] = content
    resource = resource_of(web.url + path + query)
    return RemoteStep(resource.place, lambda: resource, ReadAhead())


def file_at(web, weights):
    web.files["/run/model.safetensors"] = save(weights)
    resource = resource_of(f"{web.url}/run/model.safetensors")
    return RemoteSafetensors(RemoteFile(resource), ReadAhead())


def refused(remote, match):
    with pytest.raises(SpecflowError, match=match) as error, remote.open():
        pass
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("http://127.0.0.1:")


def header_of(content):
    return 8 + int.from_bytes(content[:8], "little")


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("seed", range(4))
def test_tensors_are_those_of_the_file_on_the_disk(web, tmp_path, seed):
    content = save(state(seed), {"format": "pt"})
    (tmp_path / "a.safetensors").write_bytes(content)
    with open_checkpoint(tmp_path / "a.safetensors") as local, step(web, content).open() as remote:
        assert list(remote.infos.items()) == list(local.infos.items())
        for name in local.infos:
            found, expected = remote.read(name), local.read(name)
            assert found.dtype == expected.dtype
            assert torch.equal(found, expected)


def test_what_is_sent_is_the_header_once_and_a_tensor_by_one_request(web):
    content = save({"a.weight": torch.ones(30, 20), "b": torch.ones(30, 20)})
    remote = step(web, content)
    for _ in range(2):
        with remote.open() as tensors:
            assert web.sent == header_of(content)
            asked = [path for path, span, _ in web.asked if span]
            assert len(asked) == 2
    remote.fingerprint()
    assert torch.equal(tensors.read("a.weight"), torch.ones(30, 20))
    assert web.sent == header_of(content) + 30 * 20 * 4
    assert [span for _, span, _ in web.asked if span][2:] == [
        (header_of(content), header_of(content) + 2399)
    ]


def test_threads_read_tensors_of_one_file(web):
    weights = {f"w{number}": torch.full((50, 50), float(number)) for number in range(30)}
    with step(web, save(weights)).open() as tensors, ThreadPoolExecutor(8) as pool:
        found = dict(zip(weights, pool.map(tensors.read, weights), strict=True))
    assert all(torch.equal(found[name], weight) for name, weight in weights.items())


def test_broken_connections_change_no_value(web):
    weights = {"w": torch.randn(300, 200)}
    remote = step(web, save(weights))
    with remote.open() as tensors:
        web.faults += [hangs_up, cut(100_000), hangs_up]
        assert torch.equal(tensors.read("w"), weights["w"])
    assert web.sent == len(web.files["/run/model.safetensors"])


@pytest.mark.parametrize("seed", range(60))
def test_file_accepted_is_one_that_the_library_accepts(web, tmp_path, seed):
    content = save({f"layers.{n}.weight": torch.full((n, 3), float(n)) for n in range(1, 5)})
    rng, begin = Random(seed), header_of(content)
    in_header = damaged(content[:begin], rng) + content[begin:]
    (tmp_path / "a.safetensors").write_bytes(in_header)
    local = _told(lambda: open_checkpoint(tmp_path / "a.safetensors"))
    remote = _told(step(web, in_header).open)
    of_unknown_dtype = remote is not None and remote[1] != {}  # which the library refuses
    assert remote == local or (of_unknown_dtype and local is None)


def _told(opened):
    try:
        with opened() as file:
            return dict(file.infos), dict(file.skipped)
    except SpecflowError:
        return None


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "416|asked for bytes 0 to 7"),
        (b"\x02\0\0\0", "asked for bytes 0 to 7; got the range 'bytes 0-3/4'"),
        (bytes(8), "begins with .*; expected a whole safetensors file"),
        (b"<!DOCTYPE html><html></html>", "begins with b'<!DOCTYP'"),
        (b"version https://git-lfs.github.com/spec/v1", "begins with b'version '"),
        ((10**8 + 1).to_bytes(8, "little") + bytes(20), "begins with"),
        (file_of(b"{ "), "a broken header"),
        (file_of(b"[]"), "a broken header"),
        (file_of(b"[" * 100_000), "a broken header"),
        (file_of(b'{"a": 1}'), "a broken header"),
        (file_of({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, bytes(4)), "brok"),
        (
            file_of({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
            r"'w' of shape \(2,\) has 4 bytes",
        ),
        (
            file_of({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, bytes(8)),
            r"'w' lies at \(4, 8\), not from 0 on",
        ),
        (
            file_of({"w": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}),
            "tensors of 4000000000000 bytes, data of 0",
        ),
        (save({"/etc/passwd": torch.ones(2)}), "has the name '/etc/passwd'"),
    ],
)
def test_what_is_no_sound_file_is_refused(web, content, match):
    refused(step(web, content), match)
    assert web.sent <= 200_000


def indexed(web, folder, name="model.safetensors.index.json", **shard_of):
    """Write an index and its shards."""
    for shard in dict.fromkeys(shard_of.values()):
        own = {
            f"{key}.weight": torch.ones(2, 3) for key, value in shard_of.items() if value == shard
        }
        web.files[f"{folder}/{shard}"] = save(own)
    weight_map = {f"{key}.weight": shard for key, shard in shard_of.items()}
    web.files[f"{folder}/{name}"] = json.dumps({"weight_map": weight_map}).encode()


def test_index_stands_for_the_shards_in_its_folder(web):
    indexed(web, "/run", a="model-00001.safetensors", b="s p/model-2.safetensors")
    web.files["/run/s%20p/model-2.safetensors"] = web.files["/run/s p/model-2.safetensors"]
    remote = step(web, path="/run/model.safetensors.index.json", query="?signed=1")
    with remote.open() as tensors:
        assert list(tensors.infos) == ["a.weight", "b.weight"]
        assert torch.equal(tensors.read("b.weight"), torch.ones(2, 3))
    assert all(path.endswith("?signed=1") for path, _, _ in web.asked)
    assert "signed" not in str(remote) + remote.fingerprint()


@pytest.mark.parametrize(
    "shard", ["../model.safetensors", "/etc/passwd", "a/../../b", "a\nb", "./a", "\x00"]
)
def test_index_names_no_shard_outside_its_folder(web, shard):
    web.files["/run/a.index.json"] = json.dumps({"weight_map": {"w": shard}}).encode()
    refused(step(web, path="/run/a.index.json"), "names the shard .*; expected a file within its f")
    assert len(web.asked) == 1


@pytest.mark.parametrize("shard", ["http://other/a", "//other/a", "a?b", "a#b", "a%2f..%2fb"])
def test_name_of_a_shard_is_a_name_and_no_url(web, shard):
    web.files["/run/a.index.json"] = json.dumps({"weight_map": {"w": shard}}).encode()
    match = "expected a file within its folder" if "//" in shard else "404, there is no"
    refused(step(web, path="/run/a.index.json"), match)
    assert all(path.startswith("/run/") for path, _, _ in web.asked)


def test_index_that_does_not_fit_is_refused(web):
    indexed(web, "/run", a="1.safetensors")
    lost = {"weight_map": {"a.weight": "1.safetensors", "z": "1.safetensors"}}
    web.files["/run/z.index.json"] = json.dumps(lost).encode()
    refused(step(web, path="/run/z.index.json"), "'z' is not in 1.safetensors, as the index says")
    refused(step(web, b"[]", path="/run/a.index.json"), "no weight_map; expected")


def test_fingerprint_is_that_of_content_and_place(web):
    content = save(STATE)
    first = step(web, content).fingerprint()
    assert step(web, query="?signed=2").fingerprint() == first
    assert step(web, content, "/run/other.safetensors").fingerprint() != first
    web.files["/run/model.safetensors"] = content[:-1] + b"!"
    assert step(web).fingerprint() != first


def test_fingerprint_changes_with_the_scale_that_lies_beside_an_adapter(web):
    factors = {"a.lora_A.weight": torch.ones(2, 3), "a.lora_B.weight": torch.ones(4, 2)}
    found = set()
    for alpha in (2, 4, 2):
        web.files["/run/adapter_config.json"] = json.dumps({"lora_alpha": alpha, "r": 2}).encode()
        found.add(step(web, save(factors)).fingerprint())
    assert len(found) == 2


def test_what_is_published_bounds_what_is_read(web):
    web.files["/run/model.safetensors"] = content = save(STATE)
    resource = Resource("hf://a/b/model.safetensors", f"{web.url}/run/model.safetensors")

    def published(**known):
        return RemoteStep("name", lambda: resource, ReadAhead(), known)

    place, size = resource.place, len(content)
    known = published(**{place: Published("model.safetensors", size, "sha")})
    assert "content='sha'" in known.fingerprint()
    with pytest.raises(SpecflowError, match="expected the 3 that are published"):
        published(**{place: Published("model.safetensors", 3, "sha")}).fingerprint()
    with pytest.raises(SpecflowError, match="there is no such file; its index names it"):
        published().fingerprint()
