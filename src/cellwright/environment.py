"""What a run's numbers may depend on beside its spec and data: packages, Python and the machine."""

import platform
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

ENVIRONMENT = "environment.txt"
CPU_INFO = Path("/proc/cpuinfo")


def environment() -> str:
    """Return the machine as comments, and below what is installed, as pip would freeze it."""
    facts = {"python": platform.python_version(), "system": platform.system(), "cpu": _cpu(), "gpu": _gpu()}
    packages = {(d.metadata["Name"].lower(), d.version) for d in distributions()}
    return "".join(
        [f"# {name}: {value}\n" for name, value in facts.items()]
        + [f"{name}=={version}\n" for name, version in sorted(packages)]
    )


def read_environment(text: str) -> Mapping[str, str]:
    """Return each fact and each package's version by name."""
    lines = (line.removeprefix("# ") for line in text.splitlines())
    parts = (line.partition(": " if ": " in line else "==") for line in lines)
    return {name: value for name, separator, value in parts if separator}


def _cpu() -> str:
    """Return the processor's name, or its architecture where the system does not give one."""
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
