"""A pipeline of one step that does what its word says, to watch what a local run makes of it."""

from kfp import dsl


@dsl.component(base_image="cellwright", install_kfp_package=False)
def prepare(word: str, workspace: str, data: dsl.Output[dsl.Dataset]):
    import os
    import signal
    import sys
    import time
    from pathlib import Path

    from cellwright.exit_with_parent import exit_with_peer
    from cellwright.files import write_json
    from cellwright.progress import Update
    from cellwright.report.lines import LineProgress

    exit_with_peer(sys.stdout.fileno())
    progress = LineProgress(sys.stdout)
    progress.log(f"word: {word}")
    progress.advance("prepare", 1, 2, {"loss": 0.5})
    progress.update(Update("trial", "3", "done", {"loss": 0.5}, -0.5))
    print("words of a library")
    match word.split()[0]:
        case "mend":
            progress.fail("digits.npz: must hold labels")
            raise SystemExit(1)
        case "bug":
            raise KeyError("no such thing")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "disk":
            raise OSError(28, "No space left on device")
        case "sleep":
            (Path(workspace) / "pid").write_text(str(os.getpid()))
            time.sleep(600)
    write_json(Path(data.path) / "step.json", {"step": "prepare", "key": "0123"})
    (Path(workspace) / "interpreter").write_text(f"{sys.executable}\n{os.environ['TMPDIR']}")


@dsl.component(base_image="cellwright", install_kfp_package=False)
def finish(status: dsl.PipelineTaskFinalStatus):
    from cellwright.spec import pack_spec, parse_spec
    from cellwright_components.running import end

    end(pack_spec(parse_spec('{"name": "fake", "data": {"source": "digits"}}')), "run", status.state)


def pipeline_saying(word: str):
    @dsl.pipeline(name="fake")
    def pipeline(workspace: str):
        finished = finish()
        with dsl.ExitHandler(finished):
            prepare(word=word, workspace=workspace).set_cpu_limit("1")

    return pipeline
