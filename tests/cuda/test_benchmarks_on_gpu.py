from __future__ import annotations

import json
import sys

from benchmarks import gpu


def test_the_benchmark_runs_and_writes_what_it_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--quick", "--json", str(tmp_path / "gpu.json")])
    monkeypatch.setattr(gpu, "workloads", _first_of_each_kind)
    assert gpu.main() == 0
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert [each["workload"].split()[0] for each in written["results"]] == ["assign", "cast", "momentum", "scatter_sub"]
    assert all(each["seconds"]["nbvars"] > 0 for each in written["results"])
    assert written["deterministic"]["digests"] == 1
    assert "scatter_sub float32 unique" in capsys.readouterr().out


def _first_of_each_kind(items, peers):
    for make in (gpu._dense, gpu._casts, gpu._steps, gpu._scatters):
        yield next(make(items, peers))
