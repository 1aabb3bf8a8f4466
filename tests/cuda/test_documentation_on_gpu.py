from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "cuda.md"


def test_the_code_of_the_page_runs_and_prints_what_its_comments_say(capsys):
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    exec(compile(code, PAGE.name, "exec"), {"__name__": "cuda"})
    assert capsys.readouterr().out.splitlines() == re.findall(r"^ *print\(.*\)\s+# (.+)", code, re.MULTILINE)
