"""The Katib Experiment of a search."""

from kubeflow_katib_api import models
from kubeflow_katib_api.models import V1beta1Experiment as Experiment

from cellwright.katib.assignments import SECONDS, STATE
from cellwright.katib.settings import SearchSettings
from cellwright.runners.kubernetes.pods import CONTAINER, TrialPods
from cellwright.runners.kubernetes.section import KatibSection
from cellwright.spec import SearchSpec
from cellwright.spec.estimators import COSTS

GROUP, VERSION = "kubeflow.org", "v1beta1"
TRIAL_NAME = "trial"


def build_experiment(
    spec: SearchSpec,
    settings: SearchSettings,
    pods: TrialPods,
    *,
    max_trials: int,
    max_failures: int | None,
) -> Experiment:
    """Return the Experiment, named after the search.

    Trials report their metrics themselves, so that those of short trials are not lost. The Experiment has no goal,
    since Katib would end it before the finalists are evaluated on fresh seeds.

    Args:
        spec: the search.
        settings: the search in the form of our suggestion service.
        pods: the common properties of the trials' pods.
        max_trials: maximum number of trials.
        max_failures: maximum number of failed trials, None for unlimited; Katib fails the Experiment *at* its own
            limit.
    """
    assert isinstance(spec.runner, KatibSection)
    estimated = (name for e in spec.estimators for name in e.metrics(spec.augment.objective))
    metrics = [*COSTS, *estimated] if spec.is_sampled else []
    first = settings.objectives[0]
    metrics = list(dict.fromkeys([*(o.metric for o in settings.objectives), *metrics, STATE, SECONDS]))
    arguments = ["--report-to", spec.runner.db_manager, "--katib-trial", f"${{trialParameters.{TRIAL_NAME}}}"]
    for name in settings.parameters[1:]:
        arguments += [f"--{name}", f"${{trialParameters.{name}}}"]
    return Experiment(
        apiVersion=f"{GROUP}/{VERSION}",
        kind="Experiment",
        metadata=models.IoK8sApimachineryPkgApisMetaV1ObjectMeta(
            name=pods.search,
            # Katib also adds these to the suggestion service's pods, which are not trials
            labels=pods.runner.all_labels or None,
        ),
        spec=models.V1beta1ExperimentSpec(
            objective=models.V1beta1ObjectiveSpec(
                type=first.direction,
                objectiveMetricName=first.metric,
                additionalMetricNames=metrics[1:],
                metricStrategies=[
                    models.V1beta1MetricStrategy(name=name, value="latest") for name in metrics
                ],
            ),
            algorithm=models.V1beta1AlgorithmSpec(
                algorithmName=settings.algorithm_name,
                algorithmSettings=[
                    models.V1beta1AlgorithmSetting(name=name, value=value)
                    for name, value in settings.to_settings().items()
                ],
            ),
            parameters=[_parameter(name, settings) for name in settings.parameters],
            parallelTrialCount=min(settings.parallel, max_trials),
            maxTrialCount=max_trials,
            maxFailedTrialCount=None if max_failures is None else min(max_failures, max_trials),
            resumePolicy="LongRunning",
            metricsCollectorSpec=models.V1beta1MetricsCollectorSpec(
                collector=models.V1beta1CollectorSpec(kind="Push")
            ),
            trialTemplate=models.V1beta1TrialTemplate(
                primaryContainerName=CONTAINER,
                retain=True,
                trialParameters=[
                    *(
                        models.V1beta1TrialParameterSpec(
                            name=name, description=_DESCRIPTIONS[name], reference=name
                        )
                        for name in settings.parameters
                    ),
                    models.V1beta1TrialParameterSpec(
                        name=TRIAL_NAME,
                        description="What Katib calls the trial",
                        reference="${trialSpec.Name}",
                    ),
                ],
                trialSpec=pods.job("${trialParameters.number}-0", arguments),
            ),
        ),
    )


_DESCRIPTIONS = {
    "number": "Place in the order of suggestions, or of the seeds of a one-shot search",
    "genotype": "The architecture, in its one-line form",
    "fidelity": "How thoroughly it is evaluated",
}


def _parameter(name: str, settings: SearchSettings) -> models.V1beta1ParameterSpec:
    """Return Katib's description of a parameter. Its possible values are known to our service only."""
    if name == "number":
        space = models.V1beta1FeasibleSpace(min="0", max=str(2**31 - 1))
        return models.V1beta1ParameterSpec(name=name, parameterType="int", feasibleSpace=space)
    space = models.V1beta1FeasibleSpace(list=[settings.space.kind if name == "genotype" else "full"])
    return models.V1beta1ParameterSpec(name=name, parameterType="categorical", feasibleSpace=space)
