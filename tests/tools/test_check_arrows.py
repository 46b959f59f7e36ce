"""A checker that cannot fail proves nothing: each kind of wrong arrow must be found, with its place and what is allowed."""
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def check(tree):
    done = subprocess.run([TOP / "tools/check-arrows", tree], capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


def put(tree, path, *includes):
    file = tree / "src" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("/* a file */\n" + "".join(f"#include {include}\n" for include in includes))


def test_right_arrows(tmp_path):
    put(tmp_path, "core/engine.c", '"core/engine.h"', '"core/types.h"', '"base/error.h"', "<stdint.h>")
    put(tmp_path, "adapters/units.c", '"io/op.h"', '"base/units.h"', '"core/types.h"', "<systemd/sd-bus.h>")
    put(tmp_path, "daemon/main.c", '"adapters/adapter.h"', '"store/journal.h"', '"api/api.h"', "<time.h>")
    assert check(tmp_path) == (0, ["12 includes, all along the arrows"])


@pytest.mark.parametrize("path, include, says", [
    ("core/engine.c", '"io/op.h"', 'core may not include "io/op.h"; allowed: core/ base/macros.h'),
    ("core/engine.c", '"base/clock.h"', 'core may not include "base/clock.h"'),
    ("core/engine.h", "<time.h>", "core may not include <time.h>; allowed: assert.h"),
    ("core/engine.c", "<unistd.h>", "core may not include <unistd.h>"),
    ("base/log.c", '"core/types.h"', 'base may not include "core/types.h"; allowed: base/'),
    ("base/log.c", "<systemd/sd-journal.h>", "base may not include <systemd/sd-journal.h>"),
    ("io/op.c", '"core/engine.h"', "io may not include"),
    ("store/journal.c", '"io/op.h"', "store may not include"),
    ("adapters/units.c", '"daemon/config.h"', "adapters may not include"),
    ("adapters/units.c", '"core/plan.h"', "adapters may not include"),
    ("api/server.c", '"daemon/controller.h"', "api may not include"),
    ("daemon/main.c", '"cli/progress.h"', "daemon may not include"),
    ("cli/status.c", '"adapters/adapter.h"', "cli may not include"),
    ("io/op.c", '"op.h"', 'does not name its room; write "io/op.h"'),
    ("attic/op.c", '"base/error.h"', "src/attic is no room"),
])
def test_wrong_arrows(tmp_path, path, include, says):
    put(tmp_path, "base/fine.c", "<string.h>")
    put(tmp_path, path, "<stddef.h>", include)
    code, lines = check(tmp_path)
    assert code == 1
    assert len(lines) == 1 and lines[0].startswith(f"src/{path}:3: ") and says in lines[0]


def test_an_empty_tree_is_no_pass(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/none.c").write_text("int none;\n")
    assert check(tmp_path)[0] == 1
    assert check(tmp_path / "src")[0] == 66
