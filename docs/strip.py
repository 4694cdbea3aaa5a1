"""Draw docs/strip.png, the picture at the top of the README, from a practice run.

python docs/strip.py practice/vgg
"""

import sys
from pathlib import Path

from toolkit import bundle, paths, plot, practice, predict

SEEDS = (("cars", 20_260_003), ("tanks", 20_260_020), ("cars", 20_260_010), ("tanks", 20_260_014))


def main() -> None:
    """Draw vehicles that no dataset holds, and what the network of the given run makes of them."""
    trained = bundle.load(sys.argv[1])
    cells, answers = [], []
    for label, seed in SEEDS:
        picture = practice.vehicle(label, seed=seed).picture
        file = paths.home() / "build" / f"{label}-{seed}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file)
        answer = predict.picture(trained, file)
        cells.append((file, f"a new picture, {picture.width}×{picture.height}"))
        answers.append((answer.pixels, f"{answer.label}, {answer.probability:.0%}"))
    row = [cell for pair in zip(cells, answers, strict=True) for cell in pair]
    figure = plot.gallery([row], columns=len(row), side=1.5)
    paths.write(Path(__file__).parent / "strip.png", plot.png(figure, dots_per_inch=100))


if __name__ == "__main__":
    main()
