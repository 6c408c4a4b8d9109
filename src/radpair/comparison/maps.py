"""Embeddings on a plane: t-SNE of a model's features of the tested studies."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from radpair.comparison.bench import Seen
from radpair.comparison.kept import Unit

MOST = 1000
LEAST = 20
_AXES = 50


def why_no_map(studies: int) -> str | None:
    """Why there is no map, or None."""
    return None if studies >= LEAST else f"fewer than {LEAST} tested studies"


def draw_map(seen: Seen, seed: int) -> Unit:
    """``points [studies, 2]`` in 0 to 1, and which tested studies they are (``places``).

    At most 1,000, chosen by the seed; the features are standardised and reduced to 50 principal
    axes first. Distances between far groups mean little in t-SNE (van der Maaten and Hinton 2008).
    """
    count = len(seen.bench.test)
    places = np.sort(np.random.default_rng([seed, 4]).permutation(count)[:MOST])
    features = seen.features[seen.bench.test[places]].astype(np.float64)
    spread = features.std(axis=0)
    features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    axes = min(_AXES, *features.shape)
    reduced = PCA(axes, svd_solver="full").fit_transform(features)
    perplexity = min(30.0, (len(places) - 1) / 3)
    made = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    points = made.astype(np.float64)
    extent = float((points.max(axis=0) - points.min(axis=0)).max()) or 1.0
    centred = (points - (points.max(axis=0) + points.min(axis=0)) / 2) / extent + 0.5
    return Unit({"points": centred, "places": places}, {"perplexity": perplexity})
