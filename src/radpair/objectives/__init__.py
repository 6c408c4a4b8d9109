"""Floor 4: losses between images and their partners; tensors only."""

from radpair.objectives.config import ObjectiveConfig, Temperature
from radpair.objectives.objective import NAMES, share, whole
from radpair.objectives.rows import Rows, Share

__all__ = ["NAMES", "ObjectiveConfig", "Rows", "Share", "Temperature", "share", "whole"]
