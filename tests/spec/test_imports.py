import subprocess
import sys

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
