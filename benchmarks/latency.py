"""How well a latency table tells what is measured, and whether limits are kept; prints and writes a table."""

import argparse
import random
import statistics
from pathlib import Path

import numpy as np
import torch

from cellwright.data import Split
from cellwright.estimators import Setting
from cellwright.estimators._latency import Latency, measure_in_turns, parts_of
from cellwright.nn.skeleton import ImageTask
from cellwright.progress import Silent
from cellwright.spec import Augment, DartsSpace, LatencyEstimator, Retrain
