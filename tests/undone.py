"""Takes each protection away in a copy of the project, and shows that a test fails without it.

`python -m tests.undone` does that for all of them, or for the groups whose numbers are given; `--table` prints the
table of docs/security.md.
"""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Undone:
    """A protection, how it is taken away, and a test that then fails."""

    group: int
    """Number of its group."""
    what: str
    file: str
    old: str
    """Text that the file has once."""
    new: str
    """Text that replaces it."""
    test: str
    """As pytest names it."""

    def change(self, root: Path) -> None:
        """Take the protection away in a copy of the project."""
        path = root / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} must have once what is replaced for {self.what!r}: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


GROUPS = {
    1: "who can become whom on a cluster",
    2: "MLflow",
    3: "the bucket",
    4: "the network",
    5: "what pods may take, and what they are given",
    6: "names from a store",
    7: "damaged bytes",
    8: "frozen processes, leases and aliases",
    9: "files",
    10: "passwords in addresses",
    11: "templates in a spec",
    12: "tokens",
    13: "inputs out of all proportion",
    14: "markup and control characters",
    15: "requests to the suggestion service",
}
HEAVY = (
    "torch",
    "numpy",
    "pydantic",
    "yaml",
    "mlflow",
    "kfp",
    "kubernetes",
    "grpc",
    "boto3",
    "rich",
    "sklearn",
    "PIL",
)
"""What most tests import, and what is therefore imported once."""
STORES, KUBERNETES, MANIFESTS = (
    "src/cellwright/stores",
    "src/cellwright/runners/kubernetes",
    "tests/manifests",
)
KATIB_RIGHTS = """
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: cellwright-registration, namespace: kubeflow}
rules:
  - {apiGroups: [apps], resources: [deployments], resourceNames: [katib-controller], verbs: [patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: cellwright-registration, namespace: kubeflow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: cellwright-registration}
subjects:
  - {kind: ServiceAccount, name: cellwright-trial, namespace: cellwright}
"""

CASES = (
    Undone(
        1,
        "no account where searches create pods has a right",
        "manifests/base/trial.yaml",
        "automountServiceAccountToken: false\n",
        f"automountServiceAccountToken: false\n{KATIB_RIGHTS}",
        f"{MANIFESTS}/test_identities.py::test_nobody_becomes_anyone_with_more_rights",
    ),
    Undone(
        1,
        "the database's Secret is where only administrators create pods",
        "manifests/mlflow/server.yaml",
        "  name: mlflow\n  namespace: cellwright-system\nspec:\n  replicas: 1",
        "  name: mlflow\n  namespace: cellwright\nspec:\n  replicas: 1",
        f"{MANIFESTS}/test_identities.py::test_where_pods_are_made_there_are_only_secrets_for_trials",
    ),
    Undone(
        1,
        "a spec names no priority of the system",
        "src/cellwright/spec/platform.py",
        'if priority_class.startswith("system-"):',
        "if not priority_class:",
        "tests/spec/test_loading.py::test_each_error_is_named_by_path_value_and_rule",
    ),
    Undone(
        2,
        "MLflow runs behind logins",
        "manifests/mlflow/server.yaml",
        "--app-name, logins, ",
        "",
        f"{MANIFESTS}/test_manifests.py::test_mlflow_runs_with_logins_and_trials_have_none",
    ),
    Undone(
        2,
        "steps set no alias but challenger",
        "images/mlflow/apps/logins.py",
        """values["alias"] == "challenger\"""",
        """values["alias"] is not None""",
        "tests/tracking/test_logins.py::test_steps_register_and_promotion_alone_moves_the_champion",
    ),
    Undone(
        2,
        "the files of a registered version stay as they are",
        "images/mlflow/apps/logins.py",
        'return _while_incomplete(found["model"], receive) if await _is_incomplete(found["model"]) else None',
        "return receive",
        "tests/tracking/test_logins.py::test_what_is_registered_stays_as_it_is",
    ),
    Undone(
        2,
        "verify compares a version's files with its tag",
        "src/cellwright/tracking/registry.py",
        "recorded.items() ^ found.items()",
        "recorded.items() ^ recorded.items()",
        "tests/tracking/test_models.py::test_each_changed_byte_of_a_registered_model_is_named",
    ),
    Undone(
        2,
        "only steps reach MLflow",
        "manifests/mlflow/network.yaml",
        """
          podSelector:
            matchExpressions:
              - {key: cellwright.dev/step, operator: Exists}""",
        "",
        f"{MANIFESTS}/test_network.py::test_nobody_but_steps_reaches_mlflow",
    ),
    Undone(
        3,
        "trials write their own part of the bucket",
        "manifests/store/trials.json",
        '"Resource": "arn:aws:s3:::BUCKET/PREFIX/searches/*/trials/*"',
        '"Resource": "arn:aws:s3:::BUCKET/*"',
        f"{MANIFESTS}/test_store.py::test_each_identity_has_a_part_of_the_bucket",
    ),
    Undone(
        4,
        "a spec sets no label that policies go by",
        "src/cellwright/pod_labels.py",
        'return any(f".{domain}".endswith(f".{own}") for own in RESERVED)',
        "return any(not own for own in RESERVED)",
        "tests/runners/kubernetes/test_pods.py::test_labels_that_say_what_a_pod_is_are_refused",
    ),
    Undone(
        4,
        "nothing outside is reached but an overlay's ranges",
        "manifests/base/network.yaml",
        """
      ports:
        - {port: 6789, protocol: TCP}
---
# Katib's controller""",
        """
      ports:
        - {port: 6789, protocol: TCP}
    - to:
        - ipBlock: {cidr: 0.0.0.0/0}
      ports:
        - {port: 443, protocol: TCP}
---
# Katib's controller""",
        f"{MANIFESTS}/test_network.py::test_what_is_outside_is_a_range_of_the_overlay_and_no_metadata_server",
    ),
    Undone(
        4,
        "only Katib's controller reaches the suggestion service",
        "manifests/base/network.yaml",
        """
          podSelector:
            matchLabels:
              katib.kubeflow.org/component: controller""",
        "",
        f"{MANIFESTS}/test_network.py::test_nobody_but_katibs_controller_reaches_the_suggestion_service",
    ),
    Undone(
        4,
        "steps have a policy",
        "manifests/pipeline/network.yaml",
        "policyTypes: [Ingress, Egress]",
        "policyTypes: [Egress]",
        f"{MANIFESTS}/test_network.py::test_nobody_talks_to_trials_and_steps",
    ),
    Undone(
        5,
        "the quota bounds limits, disk and numbers of objects",
        "manifests/base/quota.yaml",
        '    limits.ephemeral-storage: 4Ti\n    count/jobs.batch: "5000"\n',
        "",
        f"{MANIFESTS}/test_manifests.py::test_what_searches_take_together_is_bounded",
    ),
    Undone(
        5,
        "a trial's disk is bounded",
        f"{KUBERNETES}/pods.py",
        '"emptyDir": {"sizeLimit": profile.scratch}',
        '"emptyDir": {}',
        "tests/runners/kubernetes/test_pods.py::test_the_whole_profile_reaches_the_pod",
    ),
    Undone(
        5,
        "trials get two keys, not the whole Secret",
        f"{KUBERNETES}/pods.py",
        '"resources": {\n                "limits"',
        '"envFrom": [{"secretRef": {"name": store.secret}}],\n            "resources": {\n                "limits"',
        "tests/runners/kubernetes/test_pods.py::test_two_keys_come_from_a_secret_and_a_volume_from_its_claim",
    ),
    Undone(
        5,
        "a Secret is looked for without being read",
        f"{KUBERNETES}/api.py",
        'header_params={"Accept": METADATA},',
        'header_params={"Accept": "application/json"},',
        "tests/runners/kubernetes/test_api.py::test_whether_a_secret_is_there_is_found_out_without_reading_it",
    ),
    Undone(
        5,
        "what the quota leaves is enough for a search",
        "manifests/base/quota.yaml",
        "limits.memory: 1Ti",
        "limits.memory: 16Gi",
        f"{MANIFESTS}/test_manifests.py::test_a_search_fits_the_quota_with_any_profile",
    ),
    Undone(
        5,
        "steps run without root",
        "pipelines/granting.py",
        "    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)\n",
        "",
        "tests/pipelines/test_compiling.py::test_every_task_is_without_root_and_its_disk_is_bounded",
    ),
    Undone(
        6,
        "names in a store are canonical and relative",
        f"{STORES}/names.py",
        "if not _NAME.fullmatch(name):",
        "if not name:",
        "tests/contracts/test_stores.py::TestStores::test_no_name_leads_out_of_the_folder",
    ),
    Undone(
        6,
        "links out of a volume are not followed",
        f"{STORES}/folder.py",
        "if not target.is_relative_to(os.path.realpath(self.root)):",
        "if not target.is_absolute():",
        "tests/stores/test_folder.py::test_links_out_of_the_store_are_not_followed",
    ),
    Undone(
        6,
        "a search pulls only results from a trial",
        f"{KUBERNETES}/base.py",
        "                wanted=(RESULT, FOUND, SLICE).__contains__,\n",
        "",
        "tests/runners/kubernetes/test_results.py::test_a_search_pulls_nothing_but_results_from_a_trial",
    ),
    Undone(
        6,
        "names of data in a bucket are paths",
        "src/cellwright/steps/remote_source.py",
        "{checked(name, uri): below[name] for",
        "{name: below[name] for",
        "tests/steps/test_remote_source.py::test_objects_whose_names_are_no_paths_are_refused",
    ),
    Undone(
        7,
        "tensors are compared with their digest when they are read",
        "src/cellwright/tensor_files.py",
        "if metadata and DIGEST in metadata:",
        "if not metadata and metadata:",
        "tests/training/test_checkpoint.py::test_changed_bytes_are_refused_or_change_nothing",
    ),
    Undone(
        7,
        "tensors are read back when they are written",
        "src/cellwright/tensor_files.py",
        "if not _holds(temporary, tensors, metadata):",
        "if not temporary.exists():",
        "tests/steps/test_running.py::test_what_was_written_is_read_back_before_a_step_counts_as_finished",
    ),
    Undone(
        7,
        "lines of a journal have a CRC",
        "src/cellwright/search/journal.py",
        'if b"%08x" % zlib.crc32(text) != found[2]:',
        "if not found[2]:",
        "tests/search/test_journal.py::test_a_changed_byte_is_refused_with_its_line_or_cuts_off_the_last",
    ),
    Undone(
        7,
        "a step's inputs are compared with their record",
        "src/cellwright/steps/running.py",
        "            _check_inputs(records, inputs)\n",
        "            pass\n",
        "tests/steps/test_running.py::test_a_damaged_input_is_named_and_nothing_is_made_of_it",
    ),
    Undone(
        7,
        "pull compares digests",
        f"{STORES}/attempts.py",
        "if (found := FileRecord.of(path)) != file:",
        "if (found := FileRecord.of(path)).size != file.size:",
        "tests/contracts/test_stores.py::TestStores::test_no_other_bytes_are_pulled",
    ),
    Undone(
        7,
        "push reads back what it stored",
        f"{STORES}/attempts.py",
        'if not store.holds(path / name, f"{folder}/{record.attempt}/{name}"):',
        "if not name:",
        "tests/stores/test_attempts.py::test_a_store_that_does_not_keep_what_is_written_finishes_nothing",
    ),
    Undone(
        7,
        "records are sealed",
        "src/cellwright/results.py",
        "if hashlib.sha256(content.replace(seal, UNSEALED.encode(), 1)).hexdigest() != record.seal:",
        "if not seal:",
        "tests/steps/test_verifying.py::test_each_changed_byte_of_a_store_is_named",
    ),
    Undone(
        8,
        "each attempt has a place of its own",
        f"{STORES}/attempts.py",
        'return new_attempt(max((int(name.partition("-")[0]) for name in earlier), default=0) + 1)',
        'return "0001-00000000"',
        "tests/stores/test_attempts.py::test_a_process_that_wakes_up_changes_nothing_of_a_finished_folder",
    ),
    Undone(
        8,
        "a lock whose holder is frozen is broken",
        f"{STORES}/folder.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_EX",
        "tests/stores/test_folder.py::test_a_process_frozen_in_a_lock_does_not_block_others",
    ),
    Undone(
        8,
        "a damaged lease counts as abandoned",
        f"{STORES}/lease.py",
        "except ValueError:",
        "except KeyError:",
        "tests/stores/test_lease.py::test_a_damaged_one_counts_as_abandoned",
    ),
    Undone(
        8,
        "the alias champion is read back from the registry",
        "src/cellwright/tracking/models.py",
        "            move_champion(client, name, first)\n",
        "            move_champion(client, name, first)\n            return CHAMPION\n",
        "tests/tracking/test_models.py::test_an_alias_that_another_process_took_meanwhile_is_not_reported",
    ),
    Undone(
        8,
        "the alias challenger is read back from the registry",
        "src/cellwright/tracking/models.py",
        "(name, CHALLENGER, str(version))\n            continue\n",
        "(name, CHALLENGER, str(version))\n            return CHALLENGER\n",
        "tests/tracking/test_models.py::test_an_alias_that_another_process_took_meanwhile_is_not_reported",
    ),
    Undone(
        9,
        "files follow the umask",
        "src/cellwright/files.py",
        "temporary.chmod(mode)",
        "temporary.chmod(0o644)",
        "tests/test_files.py::test_the_mode_follows_the_umask",
    ),
    Undone(
        9,
        "what killed processes left is removed",
        "src/cellwright/folders.py",
        "        remove_partial_files(folder)\n",
        "",
        "tests/test_files.py::test_what_a_killed_process_left_half_written_is_removed_when_its_folder_is_used_again",
    ),
    Undone(
        9,
        "a folder is synced after a rename",
        "src/cellwright/files.py",
        "        temporary.replace(path)\n        _sync(path.parent)\n",
        "        temporary.replace(path)\n",
        "tests/test_files.py::test_a_file_is_on_the_disk_before_its_name_and_its_name_before_anything_later",
    ),
    Undone(
        10,
        "a spec has no password in an address",
        "src/cellwright/spec/section.py",
        "if isinstance(value, str) and has_credentials(value):",
        "if isinstance(value, bytes):",
        "tests/test_credentials.py::test_a_spec_with_a_login_is_refused_without_showing_it",
    ),
    Undone(
        10,
        "the environment's login is split off its address",
        "src/cellwright/spec/platform.py",
        "        split_login(environ)\n",
        "",
        "tests/test_credentials.py::test_a_login_in_the_environment_moves_to_variables_of_its_own",
    ),
    Undone(
        11,
        "a step checks the digest of its spec",
        "src/cellwright/spec/loading.py",
        "if (found := hashlib.sha256(text).hexdigest()) != digest:",
        "if not (found := hashlib.sha256(text).hexdigest()):",
        "tests/pipelines/test_running.py::test_a_spec_that_was_changed_on_its_way_is_refused",
    ),
    Undone(
        11,
        "a spec travels encoded",
        "src/cellwright/spec/loading.py",
        '    return f"{hashlib.sha256(text).hexdigest()}.{base64.urlsafe_b64encode(text).decode()}"\n',
        '    return f"{hashlib.sha256(text).hexdigest()}.{text.decode()}"\n',
        "tests/pipelines/test_local.py::test_a_spec_arrives_as_it_was_sent",
    ),
    Undone(
        11,
        "what reaches pods has no template",
        "src/cellwright/spec/section.py",
        "if any(sign in text for sign in TEMPLATES):",
        "if not text.isascii() and not text:",
        "tests/spec/test_loading.py::test_texts_that_a_cluster_would_replace_are_refused",
    ),
    Undone(
        12,
        "a token belongs to its host",
        "src/cellwright/cli/connecting.py",
        "if _origin(next(filter(None, hosts), None)) == _origin(address):",
        "if hosts:",
        "tests/cli/test_connecting.py::test_a_token_is_sent_to_the_host_beside_it_alone",
    ),
    Undone(
        12,
        "no token in the clear",
        "src/cellwright/cli/connecting.py",
        'if token and not merged.get("insecure_http") and _is_in_the_clear(address):',
        "if token and not address:",
        "tests/cli/test_connecting.py::test_a_token_goes_over_http_elsewhere_only_if_allowed",
    ),
    Undone(
        12,
        "a token's file that others can read is warned about",
        "src/cellwright/cli/connecting.py",
        "if mode & 0o077:",
        "if not mode:",
        "tests/cli/test_connecting.py::test_a_token_file_that_others_can_use_is_warned_about",
    ),
    Undone(
        12,
        "a private authority is taken from --ca-file",
        "src/cellwright/cli/connecting.py",
        "ca_file=str(authorities.expanduser()) if authorities else None,",
        "ca_file=None,",
        "tests/cli/test_connecting.py::test_a_private_certificate_needs_the_file_of_its_authority",
    ),
    Undone(
        13,
        "a spec is bounded, aliases included",
        "src/cellwright/spec/yaml12.py",
        "if extent.values > MAX_VALUES:",
        "if not extent.values and extent.depth:",
        "tests/spec/test_yaml12.py::test_what_is_out_of_all_proportion_is_refused",
    ),
    Undone(
        13,
        "archives are stored or deflated",
        "src/cellwright/tasks/images/sources/npz.py",
        "if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):",
        "if member.compress_type is None:",
        "tests/tasks/images/test_npz.py::test_a_small_archive_that_stands_for_much_is_refused_in_little_memory",
    ),
    Undone(
        13,
        "images have at most 25 megapixels",
        "src/cellwright/tasks/images/files.py",
        "MAX_PIXELS = 25_000_000",
        "MAX_PIXELS = 25_000_000_000",
        "tests/tasks/images/test_image_folder.py::test_refuses_files_by_name",
    ),
    Undone(
        13,
        "sides are bounded",
        "src/cellwright/tasks/images/sources/folder.py",
        "Field(ge=8, le=1024)",
        "Field(ge=8)",
        "tests/tasks/images/test_image_folder.py::test_sides_are_bounded",
    ),
    Undone(
        14,
        "terminals show markup as text",
        "src/cellwright/report/terminal.py",
        "super().__init__(markup=False, ",
        "super().__init__(markup=True, ",
        "tests/report/test_terminal.py::test_names_cannot_control_a_terminal",
    ),
    Undone(
        14,
        "terminals get no control characters",
        "src/cellwright/report/terminal.py",
        "segment._replace(text=visible(segment.text))",
        "segment._replace(text=segment.text)",
        "tests/report/test_terminal.py::test_names_cannot_control_a_terminal",
    ),
    Undone(
        14,
        "the report escapes names",
        "src/cellwright/report/html/page.py",
        "Environment(autoescape=True, ",
        "Environment(autoescape=False, ",
        "tests/report/test_report.py::test_markup_in_names_is_shown_and_not_obeyed",
    ),
    Undone(
        15,
        "a request asks for at most 1,000 suggestions",
        "src/cellwright/katib/searching.py",
        "if not 0 <= count <= MAX_COUNT:",
        "if not -9 <= count <= 9_999:",
        "tests/katib/test_service.py::test_no_more_is_suggested_than_anyone_needs",
    ),
    Undone(
        15,
        "a request has at most 8 MiB",
        "src/cellwright/katib/service.py",
        "MAX_REQUEST = 8 << 20",
        "MAX_REQUEST = 64 << 20",
        "tests/katib/test_service.py::test_a_request_is_no_larger_than_memory_suffices_for",
    ),
    Undone(
        15,
        "a request imports nothing",
        "src/cellwright/katib/service.py",
        "if not with_own_code:",
        "if with_own_code:",
        "tests/katib/test_service.py::test_no_request_imports_anything_unless_the_image_says_so",
    ),
    Undone(
        15,
        "equal nodes are bounded",
        "src/cellwright/genotype.py",
        "if math.prod(map(math.factorial, free)) > MAX_NUMBERINGS:",
        "if not classes:",
        "tests/test_genotype.py::test_equivalent_nodes_cost_one_numbering_and_too_many_numberings_are_refused",
    ),
)


@contextmanager
def copied() -> Iterator[Path]:
    """Yield a copy of all files of the project."""
    listed = ["git", "ls-files", "-coz", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in filter(None, names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name, follow_symlinks=False)
        yield root


def fails(root: Path, case: Undone) -> tuple[bool, str]:
    """Return whether the test fails in a copy without the protection, with its message."""
    kept = (root / case.file).read_text()
    case.change(root)
    try:
        with tempfile.TemporaryFile("w+") as output:
            pid = os.fork()
            if pid == 0:
                _test(root, case.test, output.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            output.seek(0)
            lines = output.read().splitlines()
    finally:
        (root / case.file).write_text(kept)
    has_failed = code == pytest.ExitCode.TESTS_FAILED and any(line.startswith("FAILED") for line in lines)
    said = [line for line in lines if line.startswith("E   ")] or lines or [f"exit code {code}"]
    return has_failed, " ".join(said[0].split())


def _test(root: Path, test: str, output: int) -> NoReturn:
    """Run a test of the copy, in a process that has imported nothing of this project but this module."""
    code = 70
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(root)
        os.environ["PYTHONPATH"] = str(root / "src")
        sys.path[:0] = [str(root), str(root / "src")]
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]
        options = ["-q", "-x", "-n0", "--timeout=120", "-p", "no:cacheprovider"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is imported already
        code = int(pytest.main([*options, test]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def table() -> str:
    """Return the table of docs/security.md."""
    rows = ["| without this | this test fails |", "|---|---|"]
    for group, title in GROUPS.items():
        rows.append(f"| **{group}. {title}** | |")
        rows += [
            f"| {case.what} | `{case.test.rpartition('::')[2]}` |" for case in CASES if case.group == group
        ]
    return "\n".join(rows)


def main(*arguments: str) -> None:
    if arguments == ("--table",):
        print(table())
        return
    for name in HEAVY:
        importlib.import_module(name)
    wrong = 0
    chosen = [case for case in CASES if not arguments or str(case.group) in arguments]
    with copied() as root:
        for case in chosen:
            began = time.monotonic()
            failed, said = fails(root, case)
            wrong += not failed
            print(
                f"{'ok' if failed else 'WRONG':6} {time.monotonic() - began:4.0f} s  {case.group:2} {case.what}"
            )
            print(f"       {case.test.rpartition('::')[2]}: {said[:300]}", flush=True)
    print(f"{len(chosen)} protections, {wrong} of which no test missed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
