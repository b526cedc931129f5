"""Run the checks of CI: `nox -l` lists the sessions, `nox -s NAME` runs one."""

import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]
ROOT = Path(__file__).parent


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests that need no framework and no network."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def oldest(session: nox.Session) -> None:
    """Test the adapters with the oldest supported version of each framework."""
    session.install("-e", ".[test]", "-r", "requirements/oldest.txt")
    session.run("pytest", "tests/adapters", "tests/datasets/test_arrow.py", *session.posargs)


@nox.session
def newest(session: nox.Session) -> None:
    """Test the adapters with the newest version of each framework."""
    session.install(
        "-e", ".[test]", "torch", "torchvision", "torchcodec", "tensorflow-cpu", "keras"
    )
    session.install("datasets", "grain", "jax", "pandas", "polars", "ray[data]")
    session.run("pytest", "tests/adapters", "tests/datasets/test_arrow.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and import rules."""
    session.install("-e", ".[test]", "--group", "dev")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into build/site."""
    session.install("-e", ".[web,author]", "--group", "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "build/site")


@nox.session
def package(session: nox.Session) -> None:
    """Build wheel and sdist, and run the sdist's tests against the installed wheel."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.install("build", "twine")
    session.run("python", "-m", "build")
    dist = sorted((ROOT / "dist").iterdir())
    session.run("twine", "check", "--strict", *map(str, dist))
    folder = Path(session.create_tmp())
    for path in dist:
        if path.suffix == ".gz":
            shutil.unpack_archive(path, folder)
        else:
            session.install(f"{path}[test]")
    (unpacked,) = folder.glob("dshub-*")
    shutil.rmtree(unpacked / "dshub")  # so that the tests import the installed wheel
    with session.chdir(unpacked):
        session.run("pytest", "-m", "not slow", *session.posargs)


@nox.session
def workflows(session: nox.Session) -> None:
    """Check the GitHub workflows."""
    session.install("zizmor")
    session.run("zizmor", "--offline", "--persona", "pedantic", ".github")


@nox.session
def lock(session: nox.Session) -> None:
    """Pin the development tools in requirements/dev.txt."""
    session.install("uv")
    session.run(
        *[
            "uv",
            "pip",
            "compile",
            "pyproject.toml",
            "--extra",
            "test",
            "--group",
            "dev",
            "--group",
            "docs",
        ],
        *["--universal", "--no-emit-index-url", "--no-header", "-q", "-o", "requirements/dev.txt"],
    )
