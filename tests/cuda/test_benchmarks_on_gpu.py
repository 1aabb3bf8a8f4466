from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest


@pytest.fixture
def gpu():
    """The module of the benchmark, which is in no package that is installed."""
    path = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
    spec = importlib.util.spec_from_file_location("gpu_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmark_runs_and_writes_what_it_measured(gpu, tmp_path, monkeypatch, capsys):
    def first_of_each_kind(items, peers):
        for make in (gpu._dense, gpu._casts, gpu._steps, gpu._scatters):
            yield next(make(items, peers))

    monkeypatch.setattr(sys, "argv", ["gpu.py", "--quick", "--json", str(tmp_path / "gpu.json")])
    monkeypatch.setattr(gpu, "workloads", first_of_each_kind)
    assert gpu.main() == 0
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert [each["workload"].split()[0] for each in written["results"]] == ["assign", "cast", "momentum", "scatter_sub"]
    assert all(each["seconds"]["nbvars"] > 0 for each in written["results"])
    assert written["deterministic"]["digests"] == 1
    assert "scatter_sub float32 unique" in capsys.readouterr().out
