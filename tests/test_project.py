"""The frame holds: packages, layers, lock, wheel, and what `--help` costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.support.program import prepare, settings

# Modules that a declared package's own interface hands out, so that it brings them along.
BROUGHT_BY = {"httpx2": "openai", "pydantic_core": "pydantic"}
HEAVY = {"openai", "optuna", "sqlalchemy", "numpy", "aiohttp"}
# Written in two halves, so that this file is not what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w./~$}])/(?:root|work|opt|home/\w+|Users/\w+)" + "/")
REGISTRY = re.compile(
    "pypi" + r"\.org|python" + "hosted|artifact" + r"ory|--(?:extra-)?index" + "-url"
)


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def packages(pyproject: dict[str, Any]) -> list[str]:
    names: list[str] = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return names


def declared(pyproject: dict[str, Any], *, groups: bool) -> Iterator[Requirement]:
    """Yield every requirement of the program, and of tests and linters if asked."""
    project = pyproject["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lists += pyproject["dependency-groups"].values() if groups else []
    return (Requirement(text) for texts in lists for text in texts if isinstance(text, str))


def files_of(package: str) -> set[str]:
    paths = (path for path in (ROOT / package).rglob("*") if path.is_file())
    return {str(p.relative_to(ROOT)) for p in paths if "__pycache__" not in p.parts}


def tracked() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("no git checkout")
    return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def test_nobody_else_offers_our_package_names(packages: list[str]) -> None:
    offered = packages_distributions()

    assert len(packages) == 7
    assert not sys.stdlib_module_names & set(packages)
    assert {name for package in packages for name in offered.get(package, [])} <= {"kumiawase"}


def test_every_list_of_packages_is_the_same(
    pyproject: dict[str, Any], packages: list[str]
) -> None:
    linter = pyproject["tool"]["importlinter"]
    layers, siblings, openai = linter["contracts"]

    assert linter["root_packages"] == packages
    assert layers["layers"] == packages
    assert siblings["ancestors"] == packages
    assert openai["source_modules"] == packages
    assert set(packages) <= set(pyproject["tool"]["mypy"]["files"])
    assert [name for name in packages if not (ROOT / name / "__init__.py").is_file()] == []


def test_the_wheel_holds_every_file_of_every_package(packages: list[str], tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())

    expected = {name for package in packages for name in files_of(package)}
    assert expected - held == set()
    assert {name.split("/")[0] for name in held if ".dist-info/" not in name} == set(packages)


def test_git_ignores_neither_data_nor_db() -> None:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if re.search("data|db", line)] == []


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    found = []
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        for pattern in (MACHINE_PATH, REGISTRY):
            found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in pattern.finditer(text)]

    assert found == []


def pins() -> dict[str, set[str]]:
    """Return name -> versions of the lock (one for each range of Python versions)."""
    versions: dict[str, set[str]] = {}
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def test_the_lock_satisfies_pyproject(pyproject: dict[str, Any]) -> None:
    locked = pins()

    for requirement in declared(pyproject, groups=True):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is not in requirements.lock: make lock"
        assert all(version in requirement.specifier for version in versions), str(requirement)


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    pin = re.compile(r"[\w.-]+==[\w.+!]+(?: ; [^/]+)? \\")
    pinned_hash = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")

    assert [e for e in entries if not pin.fullmatch(e) and not pinned_hash.fullmatch(e)] == []
    assert [e for e in entries if "+" in e.split(";")[0]] == []  # a version of one machine only
    assert "torch" not in pins()


def imported(package: str) -> Iterator[tuple[str, str]]:
    """Yield (file, top-level module) for every absolute import of a package."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                yield str(path.relative_to(ROOT)), name.split(".")[0]


def test_what_is_imported_is_declared(pyproject: dict[str, Any], packages: list[str]) -> None:
    offered = defaultdict(list, packages_distributions())
    for module, supplier in BROUGHT_BY.items():
        offered[module].append(supplier)
    allowed = {canonicalize_name(r.name) for r in declared(pyproject, groups=False)}
    known = sys.stdlib_module_names | set(packages)

    undeclared = {
        f"{file}: {module}"
        for package in packages
        for file, module in imported(package)
        if module not in known
        and not allowed & {canonicalize_name(name) for name in offered[module]}
    }
    assert undeclared == set()


def loaded(*arguments: str) -> tuple[int, set[str]]:
    """Return the exit code of a command and the heavy modules it loaded."""
    program = (
        "import sys\n"
        "from kumiawase.cli import main\n"
        f"sys.argv = ['kumiawase', *{arguments!r}]\n"
        "try:\n    main()\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return run.returncode, HEAVY & set(run.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    assert loaded("--help") == (0, set())


@pytest.mark.parametrize("verb", ["leaderboard", "status", "show", "roles"])
def test_whoever_only_reads_does_not_wait_for_openai(verb: str, tmp_path: Path) -> None:
    file = prepare(tmp_path, settings("http://127.0.0.1:1/v1"))
    code, heavy = loaded(verb, "--config", str(file))  # there is no database
    assert code == 2
    assert "sqlalchemy" in heavy
    assert not heavy & {"openai", "optuna"}


def test_what_decides_a_rank_stands_in_one_place(packages: list[str]) -> None:
    homes = defaultdict(list)
    for file in (f for package in packages for f in sorted((ROOT / package).rglob("*.py"))):
        for name in re.findall(
            r"^(COVERAGE|MARKED)\b.*?= ", file.read_text("utf-8"), re.MULTILINE
        ):
            homes[name].append(file.relative_to(ROOT).as_posix())
    assert homes == {"COVERAGE": ["judges/statistics.py"], "MARKED": ["db/records.py"]}
