"""What editors and type checkers see of `toolkit`; `PUBLIC` in `__init__.py` is what holds."""

from toolkit import app as app
from toolkit import errors as errors
from toolkit import export as export
from toolkit import images as images
from toolkit import networks as networks
from toolkit import plot as plot
from toolkit import practice as practice
from toolkit import report as report
from toolkit import review as review
from toolkit import scrape as scrape
from toolkit import serve as serve
from toolkit.core import parallel as parallel
from toolkit.core import paths as paths
from toolkit.dataset import changes as changes
from toolkit.dataset import credits as credits
from toolkit.dataset import manifest as manifest
from toolkit.dataset import quality as quality
from toolkit.dataset import resize as resize
from toolkit.dataset import split as split
from toolkit.dataset import verify as verify
from toolkit.duplicates import copies as copies
from toolkit.duplicates import dedup as dedup
from toolkit.evaluation import compare as compare
from toolkit.evaluation import drift as drift
from toolkit.evaluation import embedding as embedding
from toolkit.evaluation import evaluate as evaluate
from toolkit.evaluation import explain as explain
from toolkit.evaluation import failures as failures
from toolkit.evaluation import memory as memory
from toolkit.evaluation import robustness as robustness
from toolkit.model import bundle as bundle
from toolkit.model import calibrate as calibrate
from toolkit.model import live as live
from toolkit.model import predict as predict
from toolkit.model import runtime as runtime
from toolkit.pipeline import demo as demo
from toolkit.pipeline import run as run
from toolkit.pipeline.learn import learn as learn
from toolkit.selection import blame as blame
from toolkit.selection import crossval as crossval
from toolkit.selection import enough as enough
from toolkit.selection import labels as labels
from toolkit.selection import shortcuts as shortcuts
from toolkit.selection import tune as tune
from toolkit.training import augment as augment
from toolkit.training import mixing as mixing
from toolkit.training import recipes as recipes
from toolkit.training import train as train

__version__: str
PUBLIC: dict[str, str]
__all__: list[str]
