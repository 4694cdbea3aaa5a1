"""Three lines from a folder of pictures to a trained classifier with an honest figure.

>>> import toolkit  # doctest: +SKIP
>>> model = toolkit.learn("pictures/")
>>> model.predict("photo.jpg")

A thin face over the stages: it leaves the same dataset and the same run behind as they do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from toolkit import export, images, networks, report
from toolkit.core import paths
from toolkit.dataset import manifest
from toolkit.dataset.manifest import Manifest
from toolkit.errors import SourceError
from toolkit.evaluation import evaluate
from toolkit.model import predict
from toolkit.model.bundle import Bundle
from toolkit.pipeline import run
from toolkit.scrape import Options
from toolkit.selection import auto
from toolkit.training.config import Config
from toolkit.training.recipes import configs_for

NETWORK = networks.USUAL


@dataclass(frozen=True, eq=False, repr=False)
class Learned:
    """A trained classifier, with the dataset it was trained on and how well it does.

    Args:
        bundle: the model, see `toolkit.bundle`.
        manifest: the dataset, see `toolkit.manifest`.
        evaluation: its answers on the test pictures, see `toolkit.evaluate`.
    """

    bundle: Bundle
    manifest: Manifest
    evaluation: evaluate.Report

    def predict(self, picture: images.Picture) -> predict.Prediction:
        """The classes of a new picture with their probabilities, see `predict.picture`."""
        return predict.picture(self.bundle, picture)

    def report(self, into: str | Path | None = None) -> Path:
        """Write one page on the data and the network, and give its path, see `report.write`."""
        return report.write(self.manifest, [self.bundle], into=Path(into) if into else None)

    def export(self, *formats: str) -> export.Export:
        """Write it for phones, browsers and services, LiteRT unless `formats` says otherwise, see `export.write`."""
        return export.write(self.bundle, self.manifest, to=formats or ("litert-float16",))

    def __repr__(self) -> str:
        return f"{self.evaluation}\n{self.bundle.folder}"


def learn(
    pictures: str | Path | Sequence[str],
    *,
    into: str | Path | None = None,
    network: str = NETWORK,
    name: str | None = None,
    overwrite: bool = False,
    options: Options | None = None,
    log: Callable[[str], None] = print,
    **settings: object,
) -> Learned:
    """Train a classifier: make a dataset of pictures, clean it, split it, train a network, and measure it.

    What is done already is not done again, so after an interruption the same call goes on. With more pictures it trains
    again, beside the earlier run, which stays and is compared.

    Args:
        pictures: a folder with a folder of pictures per class, a zip or tar of that, sources as in `scrape.collect`, or
            a dataset that is there already, by its name or folder.
        into: name of the dataset in `data/`, or the path of its folder; None takes the name of the pictures' folder.
        network: one of `networks.names()`, or "auto" for the best of the pretrained ones at hand, see `auto.choose`.
        name: of the run; None takes the network's.
        overwrite: replace the run if its settings or pictures have changed.
        options: of the sources.
        log: takes a line on each stage when it is done.
        settings: of `train.Config`, such as `epochs` or `seed`, and options of the network, such as `weights`.

    Returns:
        The trained classifier.

    Raises:
        SourceError: there are no pictures.
        ValueError: a setting that does not exist, or is out of range.

    >>> learn("pictures/").predict("photo.jpg").label  # doctest: +SKIP
    'tanks'
    """
    _sources(pictures)  # a wrong path is told before a wrong setting
    configured = partial(_configured, settings)
    config = configured if network == auto.NAME else configured(network, {})
    return with_config(config, pictures, into=into, name=name, overwrite=overwrite, options=options, log=log)


def with_config(
    config: Config | auto.Configure,
    pictures: str | Path | Sequence[str],
    *,
    into: str | Path | None = None,
    name: str | None = None,
    overwrite: bool = False,
    options: Options | None = None,
    log: Callable[[str], None] = print,
) -> Learned:
    """The same as `learn`, with settings that are made already, or with what makes them for each network of `auto`."""
    sources, dataset = _sources(pictures), _dataset(pictures)
    if dataset and into:
        raise ValueError(f"expected pictures to put into {into}, got the dataset {pictures}; leave --into out")
    into = dataset or into
    folder = Path(sources[0].partition(":")[2].partition("=")[0]).resolve().name.partition(".")[0]
    configs = [config] if isinstance(config, Config) else partial(_chosen, config, log)
    table, (trained,) = run.train_all(
        [] if dataset else sources,
        into=into or folder,
        configs=configs,
        name=name,
        options=options,
        overwrite=overwrite,
        log=log,
    )
    return Learned(trained, table, evaluate.load(trained))


def _configured(settings: Mapping[str, object], network: str, own: networks.Options) -> Config:
    """The config of a network, of whose settings some may be options of its own."""
    given = {name: settings[name] for name in networks.get(network).options if name in settings}
    rest = {name: value for name, value in settings.items() if name not in given}
    (config,) = configs_for([network], settings=rest, options={**given, **own})
    return config


def _chosen(configure: auto.Configure, log: Callable[[str], None], table: Manifest) -> list[Config]:
    """The config of the backbone that is chosen for these pictures."""
    choice = auto.choose(table, configure, log=lambda line: log(f"auto      {line}"))
    log(f"auto      takes {choice}")
    return [choice.config]


def _sources(pictures: str | Path | Sequence[str]) -> list[str]:
    return [_source(source) for source in ([pictures] if isinstance(pictures, str | Path) else pictures)]


def _dataset(pictures: str | Path | Sequence[str]) -> Path | None:
    """The folder of a dataset, if that is what is named: no folder of that name holds other pictures."""
    named = [pictures] if isinstance(pictures, str | Path) else list(pictures)
    if len(named) != 1 or ":" in str(named[0]):
        return None
    here, folder = Path(named[0]), paths.dataset(named[0])
    return next((root for root in ([here] if here.exists() else [folder]) if manifest.base(root).is_file()), None)


def _source(pictures: str | Path) -> str:
    """A source as `scrape` writes it; a bare path is a folder or an archive."""
    if isinstance(pictures, str) and not Path(pictures).exists() and ":" in pictures:
        return pictures
    if not Path(pictures).exists() and not _dataset(pictures):
        raise SourceError(f"expected a folder with a folder of pictures per class, found nothing at {pictures}")
    return f"folder:{pictures}"
