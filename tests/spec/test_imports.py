import subprocess
import sys
from pathlib import Path

HEAVY = {
    "boto3",
    "cronsim",
    "kfp",
    "kubernetes",
    "mlflow",
    "numpy",
    "psutil",
    "rich",
    "scipy",
    "sklearn",
    "torch",
}
SCRIPT = f"import sys, cellwright.spec; sys.exit(' '.join({HEAVY!r} & set(sys.modules)) or 0)"


def test_the_spec_imports_no_heavy_library():
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_a_spec_is_read_without_torch_and_kubernetes(tmp_path: Path):
    spec = tmp_path / "search.yaml"
    spec.write_text(
        "name: all\ndata: {source: npz, path: a.npz}\nstrategy: {kind: predictor}\nspace: {kind: chain}\n"
        "estimators: [{kind: zero-cost}, {kind: latency}, {kind: short-training}]\n"
        "runner: {kind: katib}\nstore: {uri: s3://bucket/nas}\n"
    )
    script = (
        "import sys; from pathlib import Path; from cellwright.spec import load_spec; "
        f"load_spec(Path({str(spec)!r})); sys.exit(' '.join({HEAVY - {'numpy', 'psutil'}!r} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
