"""How well familiarity tells strangers, and whether what is promised of answers holds, on features of real pictures.

python benchmarks/trust.py strangers PICTURES NETWORK   another dataset, and each class left out, for each candidate
python benchmarks/trust.py promises  PICTURES NETWORK   false alarms and sets on pictures kept aside, in 20 divisions
python benchmarks/trust.py run       PICTURES RUN       another dataset, for a network that was trained on cars_tanks
python benchmarks/trust.py exported  RUN                difference, time and bytes of the second output

`--weights FILE` for those of the network, `--only DATASET` for what is known in one of the datasets alone.

PICTURES holds the folders cars_tanks, sign_digits and cifar. Features are computed once and kept in `build/trust`. The
candidates: largest softmax and energy of a head on the features (the base lines), the distance to the fifth neighbour,
that to the nearest class mean under a shared covariance, that less the one to the mean of all (relative), the part of
the features outside the span of the known ones, cleanlab's OutOfDistribution, and what the toolkit stores,
`familiarity`.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import table
import trust_features
from cleanlab.outlier import OutOfDistribution
from scipy.special import logsumexp, softmax
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.neighbors import NearestNeighbors
from trust_features import KEPT, KNOWN, Set

from toolkit import manifest, networks
from toolkit.evaluation.significance import wilson
from toolkit.model import bundle, familiarity, sets
from toolkit.training import probe

DIVISIONS = 20
MAIN = 200  # principal directions in which class means and covariances are looked at
DATASETS = ("cars_tanks", "sign_digits", "cifar")
Scores = Callable[[np.ndarray], np.ndarray]  # of features: the larger, the stranger


def main() -> None:
    """Run one of the four."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("strangers", "promises", "run", "exported"))
    parser.add_argument("pictures", type=Path, help="the folder of the datasets, or the run")
    parser.add_argument("network", nargs="?", default="efficientnet_lite0", help="its name, or DATASET/RUN")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--only", choices=DATASETS, help="what is known (default: each dataset in turn)")
    parser.add_argument("--most", type=int, help="strangers of each kind that a run is asked about (default: all)")
    parser.add_argument("--format", help="that is measured (default: all that were exported)")
    arguments = parser.parse_args()
    act = {"strangers": strangers, "promises": promises, "run": of_a_run, "exported": exported}
    act[arguments.what](arguments)


def strangers(arguments: Namespace) -> None:
    """AUROC, and false alarms where 95 of 100 strangers are caught, for each candidate."""
    data = trust_features.of(arguments)
    first = networks.get(arguments.network).middle
    named = data["cifar"][0][~np.isin(data["cifar names"][0], KNOWN)]
    cases = [("cars_tanks", other, own, odd) for other, own, odd in across(data, named)]
    cases += [("sign_digits", f"sign {left} left out", own, odd) for left, own, odd in left_out(data["sign_digits"])]
    cases += [("cifar", f"class {left} left out", own, odd) for left, own, odd in left_out(data["cifar"])]
    rows = []
    for dataset, case, own, odd in cases:
        if arguments.only not in (None, dataset):
            continue
        learned, asked = split(own, seed=0)
        for name, score in candidates(*learned, first).items():
            known, strange = score(asked[0]), score(odd)
            rows.append((dataset, case, name, *judged(known, strange), len(known), len(strange)))
            print(*rows[-1], sep="\t", flush=True)
    summarized(rows)


def across(data: dict[str, Set], named: np.ndarray) -> Iterator[tuple[str, Set, np.ndarray]]:
    """Cars and tanks against everything else."""
    for other, odd in (("hand signs", data["sign_digits"][0]), ("CIFAR-10", named), ("drawings", data["drawings"][0])):
        yield other, data["cars_tanks"], odd


def left_out(whole: Set) -> Iterator[tuple[int, Set, np.ndarray]]:
    """Each class as a stranger to the others."""
    vectors, labels = whole
    for index in range(int(labels.max()) + 1):
        kept = labels != index
        yield index, (vectors[kept], labels[kept] - (labels[kept] > index)), vectors[~kept]


def split(whole: Set, *, seed: int) -> tuple[Set, Set]:
    """Seven of ten pictures to learn from, and the others to ask about."""
    vectors, labels = whole
    divided = StratifiedShuffleSplit(1, test_size=0.3, random_state=seed)
    learned, asked = next(divided.split(vectors, labels))
    return (vectors[learned], labels[learned]), (vectors[asked], labels[asked])


def candidates(vectors: np.ndarray, labels: np.ndarray, first: int) -> dict[str, Scores]:
    """The scores, all learned from the same pictures."""
    head = fitted(vectors, labels)
    known = stored(vectors, labels, first)
    near = NearestNeighbors(n_neighbors=5).fit(unit(vectors))
    others = OutOfDistribution()
    others.fit_score(features=vectors, verbose=False)
    main = PCA(MAIN, random_state=0).fit(unit(vectors))
    along = main.transform(unit(vectors))
    means = np.stack([along[labels == index].mean(axis=0) for index in range(labels.max() + 1)])
    within, around = precision(along - means[labels]), precision(along)

    def from_classes(asked: np.ndarray) -> np.ndarray:
        rows = main.transform(unit(asked))
        return np.min([distance(rows - mean, within) for mean in means], axis=0)

    def from_all(asked: np.ndarray) -> np.ndarray:
        return distance(main.transform(unit(asked)), around)

    return {
        "largest softmax": lambda asked: -softmax(scores(head, asked), axis=1).max(axis=1),
        "energy": lambda asked: -logsumexp(scores(head, asked), axis=1),
        "fifth neighbour": lambda asked: near.kneighbors(unit(asked))[0][:, -1],
        "class means": from_classes,
        "relative": lambda asked: from_classes(asked) - from_all(asked),
        "outside the span": lambda asked: familiarity.measured(asked, known)[1],
        "cleanlab": lambda asked: -others.score(features=asked),
        "familiarity": known.distances,
    }


def fitted(vectors: np.ndarray, labels: np.ndarray) -> probe.Probe:
    """A head as the toolkit fits it."""
    return probe.regularization_path(vectors, labels, Cs=(0.01,))[0][1]


def scores(head: probe.Probe, asked: np.ndarray) -> np.ndarray:
    """Logits of a head."""
    return asked @ head.kernel + head.bias


def stored(vectors: np.ndarray, labels: np.ndarray, first: int) -> familiarity.Familiarity:
    """Familiarity as a training stores it."""
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(vectors, labels))
    known = familiarity.fit(vectors, labels, folds=folds, channels=vectors.shape[1], first=first)
    if known is None:
        raise ValueError(f"expected pictures enough for a promise, got {len(vectors)}")
    return known


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def precision(rows: np.ndarray) -> np.ndarray:
    """Inverse of a covariance that is drawn a little towards a multiple of the identity."""
    covariance = rows.T @ rows / len(rows)
    return np.linalg.inv(covariance + np.eye(len(covariance)) * np.trace(covariance) / len(covariance) * 1e-2)


def distance(rows: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distance from 0."""
    return np.einsum("ij,ij->i", rows @ inverse, rows)


def judged(known: np.ndarray, strange: np.ndarray) -> tuple[float, float, float, float]:
    """AUROC, its 95 % interval (Hanley and McNeil, 1982), and false alarms where 95 of 100 strangers are caught."""
    truth = np.repeat([0, 1], [len(known), len(strange)])
    both = np.concatenate([known, strange])
    area = roc_auc_score(truth, both)
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (len(strange) - 1) * (one - area**2) + (len(known) - 1) * (two - area**2)
    reach = 1.96 * np.sqrt(max(variance, 0) / len(known) / len(strange))
    alarms, caught, _ = roc_curve(truth, both)
    return area, max(0, area - reach), min(1, area + reach), float(alarms[np.argmax(caught >= 0.95)])


def summarized(rows: list[tuple]) -> None:
    """Mean and worst AUROC of each candidate: across datasets, and with a class left out."""
    print()
    kinds = {"other pictures": "cars_tanks", "a hand sign left out": "sign_digits", "a class of CIFAR-10": "cifar"}
    for kind, dataset in kinds.items():
        for name in dict.fromkeys(row[2] for row in rows if row[0] == dataset):
            areas = [row[3] for row in rows if row[0] == dataset and row[2] == name]
            alarms = np.mean([row[6] for row in rows if row[0] == dataset and row[2] == name])
            worst = f"{min(areas):.3f} at least"
            print(f"{kind:22} {name:18} {np.mean(areas):.3f}, {worst}; false alarms {alarms:.1%}")


def promises(arguments: Namespace) -> None:
    """Whether 5 of 100 false alarms and 95 of 100 sets hold on pictures kept aside, in 20 divisions."""
    data, first = trust_features.of(arguments), networks.get(arguments.network).middle
    for dataset in (arguments.only,) if arguments.only else DATASETS:
        rows = [kept(data[dataset], first, seed) for seed in range(DIVISIONS)]
        alarms, plain, covered, size, count = np.array(rows).T
        within = sum(low <= familiarity.FALSE_ALARMS <= high for low, high in map(interval, alarms, count))
        print(
            f"{dataset}: false alarms {alarms.mean():.1%} ({alarms.min():.1%} to {alarms.max():.1%}), 5 % within the "
            f"interval in {within} of {DIVISIONS}; sets hold {plain.mean():.1%} ({plain.min():.1%} to "
            f"{plain.max():.1%}) by the limit alone, {covered.mean():.1%} as given, {size.mean():.2f} labels each; "
            f"{int(count[0])} pictures kept aside",
            flush=True,
        )


def kept(whole: Set, first: int, seed: int) -> tuple[float, float, float, float, int]:
    """What became of both promises in one division."""
    learned, asked = split(whole, seed=seed)
    known = stored(*learned, first)
    held = np.zeros((len(learned[1]), learned[1].max() + 1))
    for own, other in StratifiedKFold(5, shuffle=True, random_state=seed).split(*learned):
        head = fitted(learned[0][own], learned[1][own])
        held[other] = softmax(scores(head, learned[0][other]), axis=1)
    least = sets.limit(held, learned[1])
    answers = softmax(scores(fitted(*learned), asked[0]), axis=1)
    strange = known(asked[0]) < familiarity.FAMILIAR
    plain = answers[np.arange(len(asked[1])), asked[1]] >= least
    given = sets.covered(answers, asked[1], least)
    return strange.mean(), plain.mean(), given.mean(), sets.sizes(answers, least).mean(), len(strange)


def interval(share: float, count: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    return wilson(round(share * count), int(count))


def of_a_run(arguments: Namespace) -> None:
    """AUROC of a run's largest softmax and familiarity for strangers to cars and tanks, beside its test pictures."""
    run = bundle.load(arguments.network)
    table_of_run = manifest.load(run.facts["dataset"]).where(split="test", status="ok")
    known = run.ask(np.stack([run.prepare(file) for file in table_of_run.files]))
    for name, whole in trust_features.strangers(arguments.pictures).items():
        pictures = [whole[index] for index in np.random.default_rng(0).permutation(len(whole))[: arguments.most]]
        strange = run.ask(np.stack([run.prepare(picture) for picture in pictures]))
        for score in ("largest softmax", "familiarity"):
            both = [
                -(one.familiarity if score == "familiarity" else one.probabilities.max(axis=1))
                for one in (known, strange)
            ]
            print(name, score, *judged(*both), len(both[0]), len(both[1]), sep="\t", flush=True)
    print(f"false alarms {(known.familiarity < familiarity.FAMILIAR).mean():.1%}")


def exported(arguments: Namespace) -> None:
    """What the second output costs in each format, and how far it is from the run's own."""
    import time

    from toolkit.export import FORMATS, OFFLINE, files
    from toolkit.export import load as record

    run = bundle.load(arguments.pictures)
    rows = record(run)
    for name in (arguments.format,) if arguments.format else OFFLINE:
        if not rows.get(name, {}).get("file") or rows[name]["verdicts"] is None:
            print(f"{name}: without familiarity")
            continue
        form, both = FORMATS[name], run.folder / "export" / rows[name]["file"]
        plain = KEPT / f"{name}{both.suffix}"
        run.probabilities(sample(run)[:1])  # Keras writes only a network that was asked
        files.remove(plain)
        KEPT.mkdir(parents=True, exist_ok=True)
        form.write(run.model, plain, facts=form.load(both).facts, sample=lambda: sample(run))
        models = form.load(plain), form.load(both)
        pictures = sample(run)[:1]
        times: list[list[float]] = [[], []]
        for turn in range(120):
            for place, model in enumerate(models):
                started = time.perf_counter()
                model.ask(pictures)
                times[place].append(time.perf_counter() - started)
            if turn == 20:  # what came before is not counted
                times = [[], []]
        before, after = (1000 * float(np.median(each)) for each in times)
        more = files.size(both) - files.size(plain)
        told = rows[name]
        print(
            f"{name}: familiarity differs by {told['familiarity']:.1e} at most, verdicts agree on "
            f"{told['verdicts']:.1%} of {told['pictures']} pictures; {before:.2f} ms before, {after:.2f} ms with it "
            f"({after / before - 1:+.1%}), {more / 1e6:+.2f} MB",
            flush=True,
        )


def sample(run: bundle.Bundle) -> np.ndarray:
    """Noise, which costs as much time as pictures do."""
    return np.random.default_rng(0).integers(0, 256, (100, run.size, run.size, 3)).astype(np.uint8)


if __name__ == "__main__":
    print(table.in_words(table.machine()))
    main()
