"""The `register`, `tracking`, `resources` and `pipeline` sections, which configure the platform."""

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
"""A Kubernetes quantity of CPUs, in KFP's format."""
Memory = Annotated[
    str,
    Form(
        r"^[0-9]+(K|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
        "a whole number of bytes, or one with K, M, G, T, Ki, Mi, Gi or Ti, such as 4Gi",
    ),
    _numbers_too,
]
"""A Kubernetes quantity of bytes, in KFP's format."""


_FACTORS = {"": 1} | {
    unit + suffix: base**power
    for suffix, base in (("", 1000), ("i", 1024))
    for power, unit in enumerate("KMGTPE", start=1)
}


def count_bytes(memory: str) -> int:
    """Return the number of bytes of a Kubernetes quantity."""
    number, unit = re.fullmatch(r"([0-9]+)(.*)", memory).groups()  # type: ignore[union-attr]
    return int(int(number) * _FACTORS[unit])


MLFLOW_NAME_LENGTH = 256

KFP_RUN_TAG = "kfp.run_id"
"""The MLflow tag with the id of the run in Kubeflow Pipelines."""


def count_cpus(cpu: str) -> float:
    """Return the number of CPUs of a Kubernetes quantity."""
    return float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)


def _is_mlflow_name(name: str) -> str:
    """Reject names that MLflow or its database would reject at the end of the run."""
    if not name.strip() or name == "." or name.startswith("..") or len(name) > MLFLOW_NAME_LENGTH:
        raise ValueError(
            f"must be 1 to {MLFLOW_NAME_LENGTH} characters that MLflow takes: not blank, not '.', and not beginning "
            f"with '..', got '{name:.40}{'…' * (len(name) > 40)}' of {len(name)} characters"
        )
    return name


class Register(Section):
    """Registration of the model."""

    name: (
        Annotated[str, Form(r"^[^/:?]+$", "a name without /, : and ?"), AfterValidator(_is_mlflow_name)]
        | None
    ) = None
    """Name of the registered model; the spec's name by default."""
    only_if_better_than: Literal["none", "classical", "hand-designed", "any"] = "none"
    """Refuse to register the found network if one of these baselines has a better score on the test split: those of
    another family, the hand-designed network, or any baseline. A tie is no refusal."""
    data_summary: Literal["features", "rows"] = "features"
    """What a version keeps of its training data for `policy.drift`: the values of each feature, sorted by themselves;
    or with `rows` those of each of 2000 examples together, so that a change of how features go together is found. The
    rows of tables are the examples themselves: ask yourself whether you may keep them."""


TRACKING_ADDRESS = Form(
    r"^(sqlite:.+|(https?|postgresql|mysql|mssql)(\+\w+)?://\S+|databricks(:\S+)?)$",
    "the http(s) address of an MLflow server, or that of a database such as sqlite:////PATH/mlflow.db",
)
"""Where MLflow can keep both runs and registered models."""


class Tracking(Section):
    """The MLflow server."""

    uri: Annotated[str, TRACKING_ADDRESS] | None = None
    """Tracking URI; by default a SQLite database in the folder of runs."""
    experiment: Annotated[str, AfterValidator(_is_mlflow_name)] | None = None
    """Name of the MLflow experiment; the spec's name by default."""
    secret: Annotated[str, AfterValidator(without_templates)] | None = None
    """Kubernetes Secret for steps on a cluster, with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."""
    tags: dict[str, str] = {}
    """Tags for the MLflow run and the model version; the command line adds the git commit of the spec's folder."""
    run_id: str | None = None
    """An existing MLflow run to log into, or a nested run, as created by KFP's MLflow plugin; by default, a new run."""

    def completed(self, environ: MutableMapping[str, str], *, kfp_run_id: str | None = None) -> Self:
        """Return the section with missing keys set from a step's environment.

        An existing run is used only with the server that the environment names along with it.

        Args:
            environ: `MLFLOW_TRACKING_URI` and `MLFLOW_RUN_ID`. KFP's MLflow plugin sets them too, to the run of the
                task. The user and password in a URI are moved to MLflow's own variables.
            kfp_run_id: id of the run in Kubeflow Pipelines, which becomes a tag.
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
    """Key of the taint that is tolerated."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """`Equal` compares `value` with the taint's; `Exists` tolerates any value."""
    value: str | None = None
    """Value of the taint, for `Equal`."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; null for every effect."""


class Resources(DeployedSection):
    """Resources of one step. In a local run, `cpu` limits its threads."""

    profile: str | None = None
    """Name of a profile, built in or from the file `profiles`; other keys override it."""
    cpu: Cpu = "2"
    """Maximum number of CPUs, as a Kubernetes quantity such as 2 or 500m."""
    cpu_request: Cpu | None = None
    """CPUs that are reserved on a node; all of `cpu` by default."""
    memory: Memory = "2Gi"
    """Memory, as a Kubernetes quantity such as 4Gi; a pod that uses more is killed."""
    scratch: Memory = "10Gi"
    """Disk space of a pod, for prepared data, checkpoints and models. A pod that uses more is evicted."""
    gpus: int = Field(default=0, ge=0)
    """Number of GPUs."""
    gpu_resource: str = "nvidia.com/gpu"
    """Name of the extended resource for GPUs."""
    node_selector: dict[str, str] = {}
    """Labels of the nodes that pods may run on."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of nodes that pods tolerate."""
    affinity: dict[str, Any] = {}
    """A Kubernetes affinity, as in a pod's spec."""
    priority_class: Annotated[str, AfterValidator(_is_not_of_the_system)] | None = None
    """Kubernetes PriorityClass of the pods."""
    service_account: str | None = None
    """Kubernetes service account of the pods of trials."""
    image_pull_secrets: tuple[str, ...] = ()
    """Kubernetes Secrets for pulling images from a private registry."""
    spot: bool = False
    """Use nodes that may be reclaimed: an evicted pod restarts from its checkpoint, and does not count as failed."""

    @model_validator(mode="after")
    def _request_is_within_the_limit(self) -> Self:
        if self.cpu_request is not None and count_cpus(self.cpu_request) > count_cpus(self.cpu):
            raise ValueError(f"cpu_request must be at most cpu, {self.cpu}, got {self.cpu_request}")
        return self

    @property
    def threads(self) -> int:
        """Return the number of whole CPUs, at least 1."""
        return max(1, int(count_cpus(self.cpu)))


def _is_step(name: str) -> str:
    if name not in STEPS:
        raise ValueError(f"must be one of {', '.join(STEPS)}, got {name!r}")
    return name


KnownStep = Annotated[str, AfterValidator(_is_step), Field(json_schema_extra={"enum": list(STEPS)})]


class Pipeline(DeployedSection):
    """The steps as tasks of Kubeflow Pipelines."""

    image: str | None = None
    """Image of the steps; by default, the released one of this version."""
    service_account: str | None = None
    """Service account of the steps' pods, in the namespace of the pipeline's runs; KFP's own by default."""
    resources: dict[KnownStep, Resources] = {}
    """Resources of individual steps; by default, the spec's `resources`."""
    max_seconds: int = Field(default=7 * 86400, ge=1)
    """Time limit of one attempt of a step."""
    retries: int = Field(default=2, ge=0)
    """Number of retries of a failed step, from its checkpoint."""
    spot_retries: int = Field(default=20, ge=0)
    """Number of retries of steps on spot nodes, which may be reclaimed at any time."""
