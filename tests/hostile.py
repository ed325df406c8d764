"""Fifty hostile inputs: `python -m tests.hostile` prints how each ends, or those that are named.

Each is given to a process of its own, which must end it in one line, within 512 MiB and 10 s of CPU. Processes are
forks of one that has imported what they need, so they take moments.
"""

import bz2
import contextlib
import gzip
import io
import logging
import os
import resource
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
from PIL import Image

from cellwright.cli.app import app
from cellwright.data.prepared import PreparedData
from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.report.user_errors import explain
from cellwright.results import FileRecord, FolderRecord, StepRecord
from cellwright.search.journal import read_evaluations
from cellwright.spec import unpack_spec
from cellwright.stores import FolderStore, finished, pull
from cellwright.tasks.preparing import prepare
from cellwright.training.checkpoint import load_tensors
from tests.katib.playing import begun_trial, experiment, running_service

MIB, SECONDS = 512, 10
BASE = "name: x\ndata: {source: digits}\n"
LOL = "\n".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9 if i else ['lol'] * 9)}]" for i in range(9))


@dataclass(frozen=True, slots=True)
class Case:
    """An input, and what takes it in an empty folder, which is the current one."""

    name: str
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a case ended."""

    code: int
    output: str
    mib: float
    seconds: float

    @property
    def problem(self) -> str | None:
        """Say what is wrong with it."""
        lines = self.output.strip().splitlines()
        if self.code != 1:
            return f"must exit with 1, got {self.code}: {self.output[-300:]}"
        if len(lines) != 1 or not lines[0].startswith("error: "):
            return f"must be one line that begins with error:, got {self.output[-600:]}"
        if self.mib > MIB or self.seconds > SECONDS:
            return f"must take at most {MIB} MiB and {SECONDS} s, got {self.mib:.0f} and {self.seconds:.1f}"
        return None


def command(*arguments: str) -> None:
    app(list(arguments))


def fresh(*arguments: str) -> None:
    """Do the same in a process that has imported nothing."""
    os.dup2(1, 2)
    os.execv(sys.executable, [sys.executable, "-m", "cellwright", *arguments])


def spec(name: str, text: str | bytes) -> Case:
    def validate() -> None:
        Path("x.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        command("validate", "x.yaml")

    return Case(f"spec: {name}", validate)


def data(name: str, section: str, make: Callable[[], object]) -> Case:
    def read() -> None:
        make()
        Path("x.yaml").write_text(f"name: x\ndata: {section}\n")
        from cellwright.spec import load_spec

        Path("out").mkdir()
        prepare(load_spec(Path("x.yaml")).data, Path("out"), lambda text: None)

    return Case(f"data: {name}", read)


def stored(name: str, use: Callable[[FolderStore], object]) -> Case:
    def run() -> None:
        store = FolderStore(os.path.abspath("volume"))
        (store.root / "steps/x").mkdir(parents=True)
        use(store)

    return Case(f"store: {name}", run)


def asked(name: str, ask: Callable[[object], object]) -> Case:
    def run() -> None:
        os.environ["GRPC_VERBOSITY"] = "NONE"
        with running_service() as client:
            try:
                ask(client)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNKNOWN:
                    raise
                raise CellwrightError(error.details()) from error
            finally:
                assert client.refusal(experiment({"strategy": "random", "space": "nasbench201"})) == ""

    return Case(f"request: {name}", run)


def settings(**values: str) -> object:
    return experiment({"strategy": "random", "space": "darts", **values})


def zeros(name: str, header: bytes, mib: int) -> None:
    with gzip.open(name, "wb", compresslevel=1) as file:
        file.write(header)
        for _ in range(mib):
            file.write(bytes(1 << 20))


def npz(method: int, header: bytes | None = None, mib: int = 2000, name: str = "images.npy") -> None:
    shape = (mib, 1024, 1024)
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile("x.npz", "w", method) as file:
        with file.open(name, "w", force_zip64=True) as member:
            member.write(buffer.getvalue() if header is None else header)
            if header is None:
                block = bytes(1 << 20)
                for _ in range(64):
                    member.write(block)
        labels = io.BytesIO()
        np.save(labels, np.zeros(mib, np.int64))
        file.writestr("labels.npy", labels.getvalue())


def idx_header(*sizes: int) -> bytes:
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def idx(*sizes: int) -> None:
    for name in ("images", "labels"):
        Path(name).write_bytes(idx_header(*sizes))


def picture(width: int, height: int) -> None:
    for label in "ab":
        Path(f"photos/{label}").mkdir(parents=True)
        Image.new("1", (width, height)).save(f"photos/{label}/0.png")


def pictures(content: bytes, name: str = "0.png") -> None:
    for label in "ab":
        Path(f"photos/{label}").mkdir(parents=True)
        Path(f"photos/{label}/{name}").write_bytes(content)


def put(store: FolderStore, name: str, content: bytes | str) -> None:
    path = store.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def record(store: FolderStore, names: tuple[str, ...], attempt: str = "0001-00000000") -> FolderRecord:
    """Store a record that lists files of these names."""
    files = {name: FileRecord(size=1, sha256="a" * 64) for name in names}
    FolderRecord(attempt=attempt, files=files).save(store.root / "steps/x/finished.json")
    found = finished(store, "steps/x", FolderRecord)
    assert found is not None
    return found


def tensors(content: bytes) -> Callable[[], object]:
    def load() -> None:
        Path("x.safetensors").write_bytes(content)
        load_tensors(Path("x.safetensors"))

    return load


def shard() -> None:
    Path("data").mkdir()
    from cellwright.spec import load_spec

    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez("x.npz", images=images, labels=np.arange(60) % 3)
    Path("x.yaml").write_text("name: x\ndata: {source: npz, path: x.npz}\n")
    prepare(load_spec(Path("x.yaml")).data, Path("data"), lambda text: None)
    with Path("data/train.safetensors").open("r+b") as file:
        file.seek(-7, 2)
        file.write(b"\xff")
    _ = PreparedData.open(Path("data")).train


def journal(content: bytes) -> Callable[[], object]:
    def read() -> None:
        Path("evaluations.jsonl").write_bytes(content)
        read_evaluations(Path("evaluations.jsonl"))

    return read


def shown(content: str) -> Callable[[], object]:
    def show() -> None:
        Path("search.json").write_text(content)
        command("show", "search.json")

    return show


def linked(store: FolderStore) -> None:
    Path("secret").write_text("mine")
    (store.root / "steps/x/linked").symlink_to(Path("secret").absolute())
    store.get("steps/x/linked", Path("copy"))


def database(make: Callable[[], object]) -> Callable[[], object]:
    def verify() -> None:
        make()
        fresh("verify", "models:/x@champion", "--tracking-uri", f"sqlite:///{Path('mlflow.db').absolute()}")

    return verify


def equivalent_nodes(client: object) -> None:
    cell = "~".join("0.skip_connect" if node % 2 == 0 else f"{node + 1}.skip_connect" for node in range(18))
    trial = begun_trial(
        {"number": "0", "genotype": f"darts:normal~2~{cell}:reduce~2~{cell}", "fidelity": "full"}
    )
    client.suggest(settings(strategy="regularized-evolution"), [trial], 1)  # type: ignore[attr-defined]


def suggest(count: int, **values: str) -> Callable[[object], object]:
    return lambda client: client.suggest(settings(**values), [], count)  # type: ignore[attr-defined]


def refused(**values: str) -> Callable[[object], object]:
    def ask(client: object) -> None:
        raise CellwrightError(client.refusal(settings(**values)))  # type: ignore[attr-defined]

    return ask


CASES = (
    spec(
        "aliases of aliases, as a list",
        "\n".join(f"- {line.partition(': ')[2]}" for line in LOL.splitlines()),
    ),
    spec("aliases of aliases below an unknown key", f"{BASE}{LOL}"),
    spec(
        "aliases of aliases in an affinity",
        f"{BASE}resources:\n  affinity:\n" + "\n".join(f"    {x}" for x in LOL.splitlines()),
    ),
    spec("20,000 deep", f"{BASE}seed: {'[' * 20_000}"),
    spec("a mapping within itself", f"{BASE}resources:\n  affinity: &a {{x: *a}}\n"),
    spec("a list as a key", f"{BASE}? [a, b]\n: 1\n"),
    spec("a number of 5,000 digits", f"{BASE}seed: 1{'0' * 5000}\n"),
    spec("a date that is none", f"{BASE}seed: 2026-13-45\n"),
    spec("profiles that are a number", f"{BASE}profiles: 7\nresources: {{profile: [1]}}\n"),
    spec("5 MB of text", f"{BASE}# {'x' * 5_000_000}\n"),
    spec("a Python object", f"{BASE}seed: !!python/object/apply:os.system [true]\n"),
    spec("control characters", f"{BASE}seed: \x1b]0;OWNED\x07\n"),
    spec("bytes that are no text", b"\xff\xfe\x00\xd8" + bytes(100)),
    spec("a name that leads elsewhere", BASE.replace("name: x", "name: ../../x")),
    spec("a size of 100,000", "name: x\ndata: {source: images, path: a, resize: [100000, 32]}\n"),
    spec("a password in an address", f"{BASE}tracking: {{uri: 'http://a:b@c'}}\n"),
    spec(
        "a template in the store's address", f"{BASE}store: {{uri: 's3://bucket/$(AWS_SECRET_ACCESS_KEY)'}}\n"
    ),
    spec("a priority of the system", f"{BASE}resources: {{priority_class: system-node-critical}}\n"),
    spec("code that is not there", f"{BASE}space: {{kind: 'nowhere.spaces:Mine'}}\n"),
    Case("spec: changed on its way through Kubeflow", lambda: unpack_spec("0" * 64 + ".e30=")),
    data("npz with bzip2", "{source: npz, path: x.npz}", lambda: npz(zipfile.ZIP_BZIP2)),
    data("npz with lzma", "{source: npz, path: x.npz}", lambda: npz(zipfile.ZIP_LZMA)),
    data("npz that says 2 GB and has 64 MB", "{source: npz, path: x.npz}", lambda: npz(zipfile.ZIP_DEFLATED)),
    data(
        "npz with a header that is none",
        "{source: npz, path: x.npz}",
        lambda: npz(zipfile.ZIP_STORED, b"\x93NUMPY\x01\x00\xff\xff{"),
    ),
    data(
        "npz with another file's name",
        "{source: npz, path: x.npz}",
        lambda: npz(zipfile.ZIP_STORED, b"", name="../../images.npy"),
    ),
    data(
        "npz with objects",
        "{source: npz, path: x.npz}",
        lambda: np.savez("x.npz", images=np.array([object()]), labels=np.zeros(1)),
    ),
    data(
        "npz that is no archive",
        "{source: npz, path: x.npz}",
        lambda: Path("x.npz").write_bytes(bz2.compress(b"x")),
    ),
    data(
        "IDX of 2^96 pixels",
        "{source: idx, images: images, labels: labels}",
        lambda: idx(2**32 - 1, 2**32 - 1, 2**32 - 1),
    ),
    data(
        "IDX that unpacks to 300 MB",
        "{source: idx, images: images, labels: labels}",
        lambda: [zeros(name, idx_header(10, 8, 8), 300) for name in ("images", "labels")],
    ),
    data("images of 89 megapixels", "{source: images, path: photos}", lambda: picture(9_400, 9_400)),
    data(
        "images that are none",
        "{source: images, path: photos}",
        lambda: pictures(b"\x89PNG\r\n\x1a\n" + bytes(1000)),
    ),
    data(
        "an image cut off",
        "{source: images, path: photos}",
        lambda: pictures(b"\xff\xd8\xff\xe0\x00\x10JFIF", "0.jpg"),
    ),
    stored(
        "a record of files elsewhere",
        lambda store: pull(store, "steps/x", record(store, ("../../.bashrc",)), Path("there")),
    ),
    stored(
        "a record of an absolute file",
        lambda store: pull(store, "steps/x", record(store, ("/tmp/x",)), Path("there")),
    ),
    stored(
        "a record that is not sealed",
        lambda store: (put(store, "steps/x/step.json", "{}"), finished(store, "steps/x", StepRecord)),
    ),
    stored(
        "a record 100,000 deep",
        lambda store: (
            put(store, "steps/x/step.json", "[" * 100_000),
            finished(store, "steps/x", StepRecord),
        ),
    ),
    stored(
        "a file that is gone",
        lambda store: pull(store, "steps/x", record(store, ("weights",)), Path("there")),
    ),
    stored(
        "other bytes",
        lambda store: (
            put(store, "steps/x/0001-00000000/a", "b"),
            pull(store, "steps/x", record(store, ("a",)), Path("there")),
        ),
    ),
    stored("a link to a secret", linked),
    Case("store: a shard with a changed byte", shard),
    Case("store: tensors whose header is 2^62 bytes", tensors(struct.pack("<Q", 1 << 62) + b"{}")),
    Case(
        "store: tensors whose facts are 100,000 deep",
        tensors(
            (lambda h: struct.pack("<Q", len(h)) + h)(b'{"__metadata__":{"facts":"' + b"[" * 100_000 + b'"}}')
        ),
    ),
    Case("store: a journal with a hole", journal(b'{"number":0' + bytes(100) + b"}\n")),
    Case(
        "store: a genotype with a number of 5,000 digits",
        lambda: Genotype.from_line(f"darts:normal~{'2' * 5000}"),
    ),
    Case("store: a result that is none", shown('{"genotype": [1, {"a": null}]}')),
    Case(
        "registry: another program's file",
        database(lambda: Path("mlflow.db").write_bytes(b"not a database" * 100)),
    ),
    Case("registry: an address that is none", lambda: fresh("verify", "models:/../x@champion/1")),
    asked("2^31 - 1 suggestions", suggest(2**31 - 1)),
    asked("2^31 - 1 seeds", suggest(2**31 - 1, strategy="beta-darts")),
    asked("9 MiB of settings", suggest(1, start="x" * (9 << 20))),
    asked("18 equivalent nodes", equivalent_nodes),
    asked("settings 100,000 deep", refused(space="[" * 100_000)),
    asked("a module to import", refused(space='{"kind": "antigravity:fly"}')),
)


def end(case: Case) -> Ending:
    """Give a process the case, and return how it ended."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "output").open("w+b") as output:
        (Path(folder) / "work").mkdir()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.chdir(Path(folder) / "work")
                os.dup2(output.fileno(), 1)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where gRPC's own log goes
                sys.stdout = sys.stderr = os.fdopen(1, "w")
                logging.disable()
                resource.setrlimit(resource.RLIMIT_CPU, (2 * SECONDS, 2 * SECONDS))
                resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                code = _code(case)
            finally:
                with contextlib.suppress(BaseException):
                    sys.stdout.flush()
                os._exit(code)
        _, status, usage = os.wait4(pid, 0)
        output.seek(0)
        return Ending(
            code=os.waitstatus_to_exitcode(status),
            output=output.read().decode(errors="replace"),
            mib=usage.ru_maxrss / 1024,
            seconds=usage.ru_utime + usage.ru_stime,
        )


def _code(case: Case) -> int:
    """Run the case as a command does; return the exit code."""
    try:
        case.run()
    except SystemExit as exit:
        return int(exit.code or 0)
    except BaseException as error:
        problem = explain(error)
        if problem is None:
            traceback.print_exc()
            return 70
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


def main(*names: str) -> None:
    began = time.monotonic()
    wrong = 0
    chosen = [case for case in CASES if not names or case.name in names]
    for case in chosen:
        ending = end(case)
        wrong += ending.problem is not None
        print(
            f"{'WRONG' if ending.problem else 'ok':6} {ending.mib:4.0f} MiB {ending.seconds:5.2f} s  {case.name}"
        )
        print(f"       {ending.problem or ending.output.strip()[:160]}", flush=True)
    print(f"{len(chosen)} inputs, {wrong} of which ended otherwise; {time.monotonic() - began:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
