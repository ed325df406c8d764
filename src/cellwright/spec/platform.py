"""The `register`, `tracking`, `resources` and `pipeline` sections: what surrounds the search."""

import re
from collections.abc import MutableMapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from cellwright.credentials import MLFLOW_URI, split_login
from cellwright.spec.form import Form
from cellwright.spec.section import DeployedSection, Section, without_templates
from cellwright.step_list import STEPS

_numbers_too = BeforeValidator(
    lambda value: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value,
    json_schema_input_type=str | float,
)

Cpu = Annotated[str, Form(r"^([0-9]*\.)?[0-9]+m?$", "a number of CPUs, such as 2, 0.5 or 500m"), _numbers_too]
"""A Kubernetes quantity of CPUs, in the form that KFP takes."""
Memory = Annotated[
    str,
    Form(
        r"^[0-9]+(K|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
        "a whole number of bytes, or one with K, M, G, T, Ki, Mi, Gi or Ti, such as 4Gi",
    ),
    _numbers_too,
]
"""A Kubernetes quantity of bytes, in the form that KFP takes."""


_FACTORS = {"": 1} | {
    unit + suffix: base**power
    for suffix, base in (("", 1000), ("i", 1024))
    for power, unit in enumerate("KMGTPE", start=1)
}


def count_bytes(memory: str) -> int:
    """Return the bytes that a Kubernetes quantity stands for."""
    number, unit = re.fullmatch(r"([0-9]+)(.*)", memory).groups()  # type: ignore[union-attr]
    return int(int(number) * _FACTORS[unit])


MLFLOW_NAME_LENGTH = 256

KFP_RUN_TAG = "kfp.run_id"
"""The tag that tells which run of Kubeflow Pipelines it was."""


def count_cpus(cpu: str) -> float:
    """Return the CPUs that a Kubernetes quantity stands for."""
    return float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)


def _is_mlflow_name(name: str) -> str:
    """Refuse what MLflow would refuse after all the work, or its database would."""
    if not name.strip() or name == "." or name.startswith("..") or len(name) > MLFLOW_NAME_LENGTH:
        raise ValueError(
            f"must be 1 to {MLFLOW_NAME_LENGTH} characters that MLflow takes: not blank, not '.', and not beginning "
            f"with '..', got {name:.40}{'…' * (len(name) > 40)} ({len(name)} characters)"
        )
    return name


class Register(Section):
    """Where the model goes."""

    name: (
        Annotated[str, Form(r"^[^/:?]+$", "a name without /, : and ?"), AfterValidator(_is_mlflow_name)]
        | None
    ) = None
    """Name of the registered model; the spec's name by default."""


class Tracking(Section):
    """The MLflow server."""

    uri: Annotated[str, Form(r"^(sqlite:.*|\S*)$", "an address without spaces")] | None = None
    """Tracking URI; by default a SQLite database in the folder of runs."""
    experiment: Annotated[str, AfterValidator(_is_mlflow_name)] | None = None
    """Name of the MLflow experiment; the spec's name by default."""
    secret: Annotated[str, AfterValidator(without_templates)] | None = None
    """Kubernetes Secret for steps on a cluster, with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."""
    tags: dict[str, str] = {}
    """Tags for the MLflow run and the model version; the command line adds the commit of the spec's folder."""
    run_id: str | None = None
    """An MLflow run to log into, or a run nested in it, as KFP's MLflow plugin makes; by default a new one is made."""

    def completed(self, environ: MutableMapping[str, str], *, kfp_run_id: str | None = None) -> Self:
        """Return the section with unset keys filled from the environment of a step.

        A run is joined only on the server that the environment names with it.

        Args:
            environ: `MLFLOW_TRACKING_URI` and `MLFLOW_RUN_ID`, which KFP's MLflow plugin sets, too, to the run of the
                task. The user and password in a URI move to the variables that MLflow has for them.
            kfp_run_id: of the run of Kubeflow Pipelines, which becomes a tag.
        """
        split_login(environ)
        server = environ.get(MLFLOW_URI) or None
        uri = self.uri or server
        joined = environ.get("MLFLOW_RUN_ID") if server and uri == server else None
        kfp = {KFP_RUN_TAG: kfp_run_id} if kfp_run_id else {}
        update = {"uri": uri, "run_id": self.run_id or joined or None, "tags": kfp | self.tags}
        return self.model_copy(update=update)


def _is_not_of_the_system(priority_class: str) -> str:
    if priority_class.startswith("system-"):
        raise ValueError(f"must not be a class of Kubernetes' own components, got {priority_class!r}")
    return priority_class


class Toleration(DeployedSection):
    """A Kubernetes toleration."""

    key: str
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Resources(DeployedSection):
    """What one step may use; on one machine, `cpu` bounds its threads."""

    profile: str | None = None
    """A profile of these keys by its name, of those that cellwright knows or of the file `profiles`; keys beside it
    override it."""
    cpu: Cpu = "2"
    cpu_request: Cpu | None = None
    """CPUs of a node that are reserved; all of `cpu` by default."""
    memory: Memory = "2Gi"
    scratch: Memory = "10Gi"
    """Disk of a pod, for prepared data, checkpoints and models: a pod that uses more is evicted."""
    gpus: int = Field(default=0, ge=0)
    gpu_resource: str = "nvidia.com/gpu"
    """Name of the extended resource that stands for a GPU."""
    node_selector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    affinity: dict[str, Any] = {}
    """A Kubernetes affinity, as in a pod's spec."""
    priority_class: Annotated[str, AfterValidator(_is_not_of_the_system)] | None = None
    service_account: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    spot: bool = False
    """Run on nodes that may be reclaimed: an evicted pod restarts from its checkpoint, and does not count as failed."""

    @model_validator(mode="after")
    def _request_is_within_the_limit(self) -> Self:
        if self.cpu_request is not None and count_cpus(self.cpu_request) > count_cpus(self.cpu):
            raise ValueError(f"cpu_request must be at most cpu, {self.cpu}, got {self.cpu_request}")
        return self

    @property
    def threads(self) -> int:
        """Return the whole number of CPUs, at least 1."""
        return max(1, int(count_cpus(self.cpu)))


def _is_step(name: str) -> str:
    if name not in STEPS:
        raise ValueError(f"must be one of {', '.join(STEPS)}, got {name!r}")
    return name


StepName = Annotated[str, AfterValidator(_is_step), Field(json_schema_extra={"enum": list(STEPS)})]


class Pipeline(DeployedSection):
    """The steps as tasks of Kubeflow Pipelines."""

    image: str | None = None
    """Image of the steps; by default the released one of this version."""
    service_account: str | None = None
    """Identity of the steps' pods, in the namespace of the pipeline's runs; KFP's own by default."""
    resources: dict[StepName, Resources] = {}
    """What single steps may use; the spec's `resources` for the others."""
    max_seconds: int = Field(default=7 * 86400, ge=1)
    """Time limit of one attempt at a step."""
    retries: int = Field(default=2, ge=0)
    """How often a failed step is retried, from its checkpoint."""
    spot_retries: int = Field(default=20, ge=0)
    """The same for steps on spot nodes, which may be reclaimed at any time."""
