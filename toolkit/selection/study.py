"""The trials of a search in a file, Optuna's journal: what to try next, and what came of it.

A trial that was under way when its search was killed is tried again, with the same settings.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import ToolkitError
from toolkit.selection import search_space
from toolkit.selection.search_space import Space
from toolkit.selection.trial import GivenUp, Verdict

if TYPE_CHECKING:
    import optuna

DEATHS = 2  # of the process over a trial, after which it is not begun again

Asked = tuple["optuna.Trial", dict[str, object]]  # a trial, and its settings


def begin(file: Path) -> "optuna.Study":
    """The study in a file, a new one if there is none.

    Raises:
        ToolkitError: Optuna is not installed.
    """
    optuna = _optuna()
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(file)))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1)
    how = {"storage": storage, "pruner": pruner, "direction": "maximize", "load_if_exists": True}
    study = optuna.create_study(study_name="tune", **how)
    _begin_again(study, deaths=1)
    return study


def enqueue(study: "optuna.Study", space: Space, points: Iterable[tuple]) -> None:
    """Have these values of the settings tried next, in this order, but for those that were tried."""
    for point in points:
        study.enqueue_trial(dict(zip(space, point, strict=True)), skip_if_exists=True)


def ask(study: "optuna.Study", space: Space, *, method: str, seed: int) -> Asked:
    """The next trial: one that waits, else one by chance or, with "tpe", where those so far were good."""
    samplers = _optuna().samplers
    study.sampler = samplers.TPESampler(seed=seed) if method == "tpe" else samplers.RandomSampler(seed=seed)
    trial = study.ask()
    return trial, {setting: search_space.suggest(trial, setting, choice) for setting, choice in space.items()}


def prune(trial: "optuna.Trial", accuracy: float, epoch: int) -> None:
    """Take the accuracy after an epoch.

    Raises:
        GivenUp: most others were better at that time.
    """
    trial.report(accuracy, epoch)
    if trial.should_prune():
        raise GivenUp


def told(study: "optuna.Study", asked: list[Asked], verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """The verdicts, each written down as it comes."""
    state = _optuna().trial.TrialState
    try:
        for (trial, _), verdict in zip(asked, verdicts, strict=True):
            if verdict.state == "complete":
                trial.set_user_attr("loss", verdict.loss)
                study.tell(trial, verdict.accuracy)
            else:
                trial.set_user_attr("reason", verdict.reason)
                study.tell(trial, state=state.PRUNED if verdict.state == "pruned" else state.FAIL)
            yield verdict
    except KeyboardInterrupt:  # a person's wish, which says nothing against the settings
        _begin_again(study, deaths=0)
        raise


def ended(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    """The trials that came to an end, be it a bad one; those that were killed did not."""
    return [trial for trial in study.trials if state(trial) in ("complete", "pruned", "failed")]


def state(trial: "optuna.trial.FrozenTrial") -> str:
    """What became of a trial: "complete", "pruned", "failed", "killed" or "waiting"."""
    names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed" if "reason" in trial.user_attrs else "killed"}
    return names.get(trial.state.name, "waiting")


def _begin_again(study: "optuna.Study", *, deaths: int) -> None:
    """Have trials that were under way tried next, but for those over which the process died more than once."""
    from optuna.trial import TrialState, create_trial

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        died = trial.user_attrs.get("deaths", 0) + deaths
        if died < DEATHS:
            study.enqueue_trial(trial.params, user_attrs={"deaths": died})
        else:
            how = {"params": trial.params, "distributions": trial.distributions}
            reason = {"reason": f"expected a process that lives through this trial, it died {died} times over it"}
            study.add_trial(create_trial(state=TrialState.FAIL, user_attrs=reason, **how))


def _optuna() -> "optuna":
    try:
        import optuna
    except ImportError as error:
        raise ToolkitError(
            'expected Optuna for a search, found none; run `pip install "image-classifier-toolkit[tune]"`'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
