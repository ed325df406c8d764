"""The built-in kinds of every family. A kind is built in if it is listed here."""

from cellwright.spec.data import DataSection
from cellwright.spec.estimators import EstimatorSection
from cellwright.spec.family import Family
from cellwright.spec.runner import RunnerSection
from cellwright.spec.space import SpaceSection
from cellwright.spec.strategy import StrategySection
from cellwright.spec.task import TaskFamily, TaskSection

SOURCES = Family(
    DataSection,
    {
        "audio": "cellwright.tasks.audio.sources.audio:AudioSection",
        "digits": "cellwright.tasks.images.sources.digits:DigitsSection",
        "npz": "cellwright.tasks.images.sources.npz:NpzSection",
        "idx": "cellwright.tasks.images.sources.idx:IdxSection",
        "parquet": "cellwright.tasks.images.sources.parquet:ParquetSection",
        "images": "cellwright.tasks.images.sources.folder:FolderSection",
        "csv": "cellwright.tasks.images.sources.csv:CsvSection",
        "table": "cellwright.tasks.tables.sources.table:TableSection",
        "series": "cellwright.tasks.series.sources.series:SeriesSection",
        "forecast": "cellwright.tasks.forecasting.sources.forecast:ForecastSection",
        "text": "cellwright.tasks.text.sources.text:TextSection",
    },
    tag="source",
)
TASKS = TaskFamily(
    TaskSection,
    {
        "images": "cellwright.tasks.images.section:ImagesSection",
        "images-regression": "cellwright.tasks.images.section:ImageNumbersSection",
        "images-labels": "cellwright.tasks.images.section:ImageLabelsSection",
        "table-classification": "cellwright.tasks.tables.section:TableClassesSection",
        "table-regression": "cellwright.tasks.tables.section:TableNumbersSection",
        "table-labels": "cellwright.tasks.tables.section:TableLabelsSection",
        "series-classification": "cellwright.tasks.series.section:SeriesClassesSection",
        "series-regression": "cellwright.tasks.series.section:SeriesNumbersSection",
        "forecasting": "cellwright.tasks.forecasting.section:ForecastingSection",
        "text-classification": "cellwright.tasks.text.section:TextClassesSection",
        "text-regression": "cellwright.tasks.text.section:TextNumbersSection",
        "text-labels": "cellwright.tasks.text.section:TextLabelsSection",
        "audio": "cellwright.tasks.audio.section:AudioAugment",
    },
    sources=SOURCES,
)
SPACES = Family(
    SpaceSection,
    {
        "darts": "cellwright.spaces.darts.section:DartsSection",
        "nasbench201": "cellwright.spaces.nasbench201.section:NasBench201Section",
        "chain": "cellwright.spaces.chain.section:ChainSection",
        "stages": "cellwright.spaces.stages.section:StagesSection",
        "dense": "cellwright.spaces.dense.section:DenseSection",
        "kernels": "cellwright.spaces.kernels.section:KernelsSection",
        "tokens": "cellwright.spaces.tokens.section:TokensSection",
    },
    default="darts",
)
STRATEGIES = Family(
    StrategySection,
    {
        "darts": "cellwright.strategies.one_shot.darts.section:DartsStrategySection",
        "pc-darts": "cellwright.strategies.one_shot.pc_darts.section:PcDartsSection",
        "gdas": "cellwright.strategies.one_shot.gdas.section:GdasSection",
        "drnas": "cellwright.strategies.one_shot.drnas.section:DrnasSection",
        "beta-darts": "cellwright.strategies.one_shot.beta_darts.section:BetaDartsSection",
        "spos": "cellwright.strategies.one_shot.spos.section:SposSection",
        "random-ws": "cellwright.strategies.one_shot.random_ws.section:RandomWsSection",
        "enas": "cellwright.strategies.one_shot.enas.section:EnasSection",
        "elastic": "cellwright.strategies.one_shot.elastic.section:ElasticSection",
        "random": "cellwright.strategies.sampled.random:RandomSearchSection",
        "regularized-evolution": "cellwright.strategies.sampled.regularized_evolution:RegularizedEvolutionSection",
        "local-search": "cellwright.strategies.sampled.local_search:LocalSearchSection",
        "reinforce": "cellwright.strategies.sampled.reinforce:ReinforceSection",
        "tpe": "cellwright.strategies.sampled.tpe:TpeSection",
        "predictor": "cellwright.strategies.sampled.predictor:PredictorSection",
        "race": "cellwright.strategies.sampled.race:RaceSection",
        "nsga2": "cellwright.strategies.sampled.nsga2:Nsga2Section",
    },
    default="beta-darts",
)
ESTIMATORS: Family[EstimatorSection] = Family(
    EstimatorSection,  # type: ignore[type-abstract]
    {
        "short-training": "cellwright.estimators.short_training.section:ShortTrainingSection",
        "training-speed": "cellwright.estimators.training_speed.section:TrainingSpeedSection",
        "shared-weights": "cellwright.estimators.shared_weights.section:SharedWeightsSection",
        "zero-cost": "cellwright.estimators.zero_cost.section:ZeroCostSection",
        "latency": "cellwright.estimators.latency.section:LatencySection",
        "surrogate": "cellwright.estimators.surrogate.section:SurrogateSection",
        "tabular": "cellwright.estimators.tabular.section:TabularSection",
    },
    default="short-training",
)
RUNNERS = Family(
    RunnerSection,
    {
        "local": "cellwright.runners.local:LocalSection",
        "jobs": "cellwright.runners.kubernetes.section:JobsSection",
        "katib": "cellwright.runners.kubernetes.section:KatibSection",
    },
    default="local",
)
STORES = {
    "s3": "cellwright.stores.s3:S3Store",
    "": "cellwright.stores.folder:FolderStore",
}
"""Import path of each store's class by URI scheme; empty for a plain path."""
