"""The house rules as tests: sizes, names, docstrings, no floats near money, time as argument."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("payment_svc", "ledger_svc", "wallet_svc", "risk_svc", "psp_gateway", "edge_auth")
SHARED = ("audit_log", "bookkeeping", "paging", "privacy", "chassis")
HAND_WRITTEN = ("client", *SHARED, *SERVICES, "devstack", "benchmarks")
FORBIDDEN_FILE_NAMES = {"utils", "helpers", "common", "manager", "base", "misc", "impl", "core"}
PURE_FOLDERS = ("domain", "use_cases", "sagas", "explanation", "rules")
FILE_MAX, FUNCTION_MAX, LINE_MAX = 400, 60, 100


def sources(*folders: str) -> list[Path]:
    """List hand-written Python files below folders, migrations left out."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def named(path: Path) -> str:
    """Name a file from the root."""
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """List the functions of a module, methods and inner ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", sources(*HAND_WRITTEN), ids=named)
def test_sizes(path: Path) -> None:
    """A file has at most 400 lines of at most 100 columns, a function at most 60."""
    text = path.read_text()
    lines = text.splitlines()

    long_functions = [
        f"{node.name} ({(node.end_lineno or 0) - node.lineno + 1})"
        for node in functions(ast.parse(text))
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_MAX
    ]

    assert len(lines) <= FILE_MAX
    assert not [line for line in lines if len(line) > LINE_MAX]
    assert not long_functions


@pytest.mark.parametrize("path", sources("tests"), ids=named)
def test_test_sizes(path: Path) -> None:
    """A test file has at most 400 lines."""
    assert len(path.read_text().splitlines()) <= FILE_MAX


@pytest.mark.parametrize("path", sources(*HAND_WRITTEN), ids=named)
def test_names_and_docstrings(path: Path) -> None:
    """A file has a telling name and says in its first line what it is."""
    assert path.stem not in FORBIDDEN_FILE_NAMES
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", sources("tests"), ids=named)
def test_each_test_states_its_fact(path: Path) -> None:
    """A test begins with one sentence that says what is so."""
    tests = (f for f in functions(ast.parse(path.read_text())) if f.name.startswith("test_"))

    assert not [test.name for test in tests if not ast.get_docstring(test)]


@pytest.mark.parametrize("path", sources("tests"), ids=named)
def test_no_test_sleeps_or_cannot_fail(path: Path) -> None:
    """A test awaits a condition with a deadline; none is skipped or expected to fail."""
    if path.name in ("servers.py", "test_tidy.py"):
        return  # the one waits for a port, the other names what it looks for
    weak = re.compile(r"time\.sleep\(|assert True|mark\.skip|xfail")

    assert not weak.findall(path.read_text())


def pure_files() -> list[Path]:
    """List the files of the pure core."""
    folders = [f"{service}/{folder}" for service in SERVICES for folder in PURE_FOLDERS]
    return sources(*folders, "paging", "chassis/money.py")


@pytest.mark.parametrize("path", pure_files(), ids=named)
def test_core_has_no_float_and_no_clock(path: Path) -> None:
    """In the core money is exact, and time, ids and chance come in as arguments."""
    calls = [
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    forbidden = {"float", "datetime.now", "utc_now", "time.time", "uuid4", "uuid.uuid4"}
    forbidden |= {"random.random", "os.urandom", "time.monotonic"}

    assert not forbidden & set(calls)


@pytest.mark.parametrize("path", pure_files(), ids=named)
def test_domain_and_sagas_never_await(path: Path) -> None:
    """Only use cases may await a port; domain, sagas and rules only decide. Slices await nothing
    but the turns of others.
    """
    if "use_cases" in path.parts or named(path) == "paging/slices.py":
        return

    assert not [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Await)]


def test_chassis_stays_small() -> None:
    """The chassis has at most 17 files and 1,950 lines."""
    files = list((ROOT / "chassis").glob("*.py"))

    assert len(files) <= 17
    assert sum(len(path.read_text().splitlines()) for path in files) <= 1950


def test_client_stands_on_grpc_and_the_stubs_alone() -> None:
    """Whoever installs the client gets nothing of the services with it."""
    nodes = [node for path in sources("client") for node in ast.walk(ast.parse(path.read_text()))]
    imported = {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    imported |= {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    strangers = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)

    assert strangers == {"grpc", "google", "paymesh"}


def test_no_path_of_a_machine_is_committed() -> None:
    """No committed file holds the folder that the checkout happens to lie in."""
    found = subprocess.run(
        ["git", "grep", "-lIF", f"{ROOT}/"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert found.stdout == ""


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_the_same_anatomy(service: str) -> None:
    """Who knows one service knows all: the same names at the same places."""
    folder = ROOT / service
    expected = ["__main__.py", "settings.py", "ports.py", "tables.py", "store.py", "servicer.py"]
    expected += ["README.md", "domain", "use_cases", "migrations"]

    assert [name for name in expected if not (folder / name).exists()] == []
