import pytest
from tests.clones import ROOT, TINY

from specflow.config.params import load_params
from specflow.graph import Graph
from specflow.plan.stages import upstream_of


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC
def test_graph_of_params_yaml_is_that_of_dvc(monkeypatch):
    monkeypatch.chdir(ROOT)
    upstream = upstream_of(load_params(ROOT / "params.yaml"))
    assert upstream == dict(Graph().upstream)
    done = set()
    for name, needed in upstream.items():
        assert needed <= done, name
        done.add(name)


def test_graph_of_another_file_has_its_entries():
    params = load_params(TINY)
    upstream = upstream_of(params, ROOT / "dvc.yaml")
    ticket, one = next(iter(params.tickets.items()))
    trained = f"train@{one.experiment}"
    assert upstream[f"compare@{ticket}"] == {"resolve", trained, f"retrain@{ticket}"}
    dataset = params.experiments[one.experiment].dataset
    assert upstream[trained] == {"resolve", f"prepare@{dataset}"}
