"""Figure one as a picture: where the time of both stages goes, engines through ours against `.pt`.

python -m tests.gpu.figure_one_plot figure_one.png "FP16, level 0=figure_one_level0.json" …
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PARTS = (
    ("one pinned upload", "#d9a441"),
    ("engine, vehicle, batch 1", "#2f5d8a"),
    ("engine, plate, batch 3", "#7aa6c2"),
)
OURS, PT = "ours, frame in pinned memory", ".pt through ultralytics"


def main(target: str, *named: str) -> None:
    figure = Figure(figsize=(11, 1.5 + 1.1 * len(named)), layout="constrained")
    FigureCanvasAgg(figure)
    axes, labels = figure.subplots(), []
    for title, _, file in (each.partition("=") for each in named):
        said: dict[str, Any] = json.loads(Path(file).read_text())
        at, left = len(labels), 0.0
        for name, colour in PARTS:
            part = said["ms"][name]["p50"]
            axes.barh(at, part, left=left, color=colour, label=name if at == 0 else None)
            left += part
        ours, pt = said["ms"][OURS]["p50"], said["ms"][PT]
        axes.barh(at, ours - left, left=left, color="#b0b0b0", label="all else of ours" if at == 0 else None)
        told = f" {ours:.2f} ms: {said['speedup']} times as fast, {said['overhead']} of engines and upload"
        axes.annotate(told, (ours, at), va="center", fontsize=9)
        axes.barh(at + 1, pt["p50"], color="#8a4b2f", label=PT if at == 0 else None)
        axes.plot(pt["p99"], at + 1, "k|", markersize=12)
        axes.annotate(f" {pt['p50']:.2f} ms (p99 {pt['p99']:.1f})", (pt["p50"], at + 1), va="center", fontsize=9)
        labels += [title, f".pt, FP32, same run as {title}"]
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("ms for one 1080p frame with three vehicles, both stages: medians")
    axes.set_title(f"{said['gpu']}, TensorRT {said['tensorrt']}, torch {said['torch']}", fontsize=10)
    axes.legend(loc="upper right", fontsize=8)
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
