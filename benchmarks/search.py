"""Finding the nearest of 100,000 vectors: by comparing all, and by the graph."""

from __future__ import annotations

import argparse
import time

import numpy as np
import numpy.typing as npt

from benchmarks.reporting import Report, Table, Target, run_as_command, say
from benchmarks.timing import Spread, milliseconds, times_in_turns
from lablr.search.nearest import Graph, largest

METHOD = """\
{n:,} unit vectors of d = {d}, drawn around {clusters:,} centres as photos lie around
their kinds, and {queries} queries drawn the same way. "All compared" is what an index
of that many photos does, "graph" what a larger one does (`lablr.search.nearest`).
Recall is the share of the ten nearest that the graph finds. One thread."""

N_LATENT = 176
K = 10


def draw(
    n: int, n_clusters: int, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Unit vectors around centres that `generator`'s seed fixes."""
    centres = np.random.default_rng(7).normal(size=(n_clusters, N_LATENT))
    chosen = generator.integers(n_clusters, size=n)
    rows = centres[chosen] + generator.normal(size=(n, N_LATENT))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows, np.float32)


def measure(words: argparse.Namespace) -> Report:
    n, n_queries = (5_000, 50) if words.quick else (100_000, 500)
    n_clusters = n // 50
    vectors = draw(n, n_clusters, np.random.default_rng(0))
    queries = draw(n_queries, n_clusters, np.random.default_rng(1))
    say(f"building the graph of {n:,} vectors")
    begin = time.perf_counter()
    graph = Graph.of(vectors)
    build_s = time.perf_counter() - begin
    turn = iter(range(10**9))

    def query() -> npt.NDArray[np.float32]:
        return queries[next(turn) % n_queries]

    ways = {
        "all compared": lambda: largest(vectors @ query(), K),
        "graph": lambda: graph.nearest(query(), K),
    }
    times = times_in_turns(ways, 20 if words.quick else n_queries)
    recall = np.mean(
        [
            len(set(largest(vectors @ one, K)) & set(graph.nearest(one, K))) / K
            for one in queries
        ]
    )
    rows = [
        [
            name,
            milliseconds(times[name]).text(),
            Spread.of(times[name] / times["all compared"]).text(3),
            "1.000" if name == "all compared" else f"{recall:.3f}",
        ]
        for name in ways
    ]
    return Report(
        title="Search",
        method=METHOD.format(n=n, d=N_LATENT, clusters=n_clusters, queries=n_queries)
        + f" The graph was built in {build_s:.0f} s.",
        tables=[Table(("way", "ms a query", "ratio", "recall@10"), rows)],
        targets=[
            Target("the graph's recall@10", 0.99, float(recall), "", at_most=False),
            Target(
                "a query by the graph", 2, milliseconds(times["graph"]).median, "ms"
            ),
        ],
    )


if __name__ == "__main__":
    run_as_command(measure)
