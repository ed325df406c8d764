"""The steps as KFP components: each unpacks its artifacts, calls one function, and hands its folder on."""

from cellwright_components.baselines import baselines
from cellwright_components.evaluate import evaluate
from cellwright_components.finish import finish
from cellwright_components.prepare import prepare
from cellwright_components.register import register
from cellwright_components.retrain import retrain
from cellwright_components.search import search

__all__ = ["baselines", "evaluate", "finish", "prepare", "register", "retrain", "search"]
