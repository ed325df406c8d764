"""The classical baseline for texts: TF-IDF of words and pairs of words, and a linear model."""

from typing import TYPE_CHECKING, Any

from cellwright.tasks.classical import classifier_or_regressor

if TYPE_CHECKING:
    from cellwright.tasks.text.task import Text

INVERSE_STRENGTH = 10.0
"""Of the logistic regression's regularisation."""


def build_classical(task: "Text") -> Any:
    """Return the unfitted model, which reads texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    model = classifier_or_regressor(
        task, lambda: LogisticRegression(C=INVERSE_STRENGTH, max_iter=1000), Ridge
    )
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), model)
