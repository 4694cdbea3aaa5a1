"""The trials of a search in a file, Optuna's journal: what to try next, and the result of each.

A trial that was running when its search was killed is tried again, with the same settings.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from toolkit.core import extras
from toolkit.errors import ToolkitError
from toolkit.selection import search_space
from toolkit.selection.search_space import Space
from toolkit.selection.trial import Pruned, TrialResult

if TYPE_CHECKING:
    import optuna

MAX_CRASHES = 2  # of the process during a trial, after which it is not tried again
STATES = {"COMPLETE": "complete", "PRUNED": "pruned"}  # of Optuna, where the name alone tells

Asked = tuple["optuna.Trial", dict[str, object]]  # a trial, and its settings


def open_journal(file: Path) -> "optuna.Study":
    """The study in a file, a new one if there is none.

    Raises:
        ToolkitError: Optuna is not installed.
    """
    optuna = _optuna()
    study = optuna.create_study(
        study_name="tune",
        storage=optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(file))),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
        direction="maximize",
        load_if_exists=True,
    )
    _retry_running(study, crashes=1)
    return study


def enqueue(study: "optuna.Study", space: Space, points: Iterable[tuple]) -> None:
    """Have these values of the settings tried next, in this order, except those that were tried."""
    for point in points:
        study.enqueue_trial(dict(zip(space, point, strict=True)), skip_if_exists=True)


def ask(study: "optuna.Study", space: Space, *, method: str, seed: int) -> Asked:
    """The next trial: one that waits, else a random one or, with "tpe", one where results so far were good."""
    samplers = _optuna().samplers
    study.sampler = samplers.TPESampler(seed=seed) if method == "tpe" else samplers.RandomSampler(seed=seed)
    trial = study.ask()
    return trial, {setting: search_space.suggest(trial, setting, choice) for setting, choice in space.items()}


def prune(trial: "optuna.Trial", accuracy: float, epoch: int) -> None:
    """Take the accuracy after an epoch.

    Raises:
        Pruned: most other trials were better at that epoch.
    """
    trial.report(accuracy, epoch)
    if trial.should_prune():
        raise Pruned


def record(study: "optuna.Study", asked: list[Asked], results: Iterable[TrialResult]) -> Iterator[TrialResult]:
    """The results, each written to the journal as it comes."""
    state = _optuna().trial.TrialState
    try:
        for (trial, _), result in zip(asked, results, strict=True):
            if result.state == "complete":
                trial.set_user_attr("loss", result.loss)
                study.tell(trial, result.accuracy)
            else:
                trial.set_user_attr("reason", result.reason)
                study.tell(trial, state=state.PRUNED if result.state == "pruned" else state.FAIL)
            yield result
    except KeyboardInterrupt:  # a person's wish, which says nothing against the settings
        _retry_running(study, crashes=0)
        raise


def finished(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    """The trials that have a result, even a bad one; those that were killed have none."""
    return [trial for trial in study.trials if state(trial) in ("complete", "pruned", "failed")]


def state(trial: "optuna.trial.FrozenTrial") -> str:
    """The state of a trial: "complete", "pruned", "failed", "killed" or "waiting"."""
    if trial.state.name == "FAIL":
        return "failed" if "reason" in trial.user_attrs else "killed"
    return STATES.get(trial.state.name, "waiting")


def _retry_running(study: "optuna.Study", *, crashes: int) -> None:
    """Have trials that were running tried next, except those during which the process died too often."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        count = trial.user_attrs.get("crashes", 0) + crashes
        if count < MAX_CRASHES:
            study.enqueue_trial(trial.params, user_attrs={"crashes": count})
        else:
            study.add_trial(_failed(trial.params, trial.distributions, count))


def _failed(
    params: dict[str, object], distributions: Mapping[str, "optuna.distributions.BaseDistribution"], crashes: int
) -> "optuna.trial.FrozenTrial":
    """A trial that failed because the process died so many times during it."""
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.FAIL,
        params=params,
        distributions=dict(distributions),
        user_attrs={"reason": f"expected a process that survives this trial, it died {crashes} times during it"},
    )


def _optuna() -> ModuleType:
    try:
        import optuna
    except ImportError as error:
        raise ToolkitError(f"expected Optuna for a search, found none; {extras.remedy('optuna')}") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
