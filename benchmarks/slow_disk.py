"""A disk whose fsync takes 5 ms longer, simulated by a library for LD_PRELOAD."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("slow_disk.c")


def build(folder: Path) -> Path | None:
    """Compile the library in a folder and return its path; return None without gcc."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "slow_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)  # noqa: S603
    return library
