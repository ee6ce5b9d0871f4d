"""The Optuna sampler through which proposals become trials.

An ensemble somebody proposed enters a trial as the parameters it is encoded to; where nobody
proposes, Optuna's own sampler draws. All chance depends on the seed and the trial's number
alone, so a search that was killed asks again exactly what it would have asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from moa.ensemble import Ensemble
from optimizer.seeds import seed_of
from optimizer.space import Space, Value

Pick = Callable[[int], Ensemble | None]

ENSEMBLE = "ensemble"  # user attribute of a trial whose parameters cannot say what it tries


class EnsembleSampler(BaseSampler):
    """Gives a trial the ensemble picked for it, else what the inner sampler draws.

    Not thread-safe: `ask` and every suggest of a trial belong in one thread, one trial at a time.

    Args:
        space: Encodes ensembles.
        pick: Number of the trial → the ensemble somebody proposed for it, or None.
        inner: Seed → Optuna's sampler for one trial.
    """

    def __init__(self, space: Space, pick: Pick, inner: Callable[[int], BaseSampler]) -> None:
        self._space = space
        self._pick = pick
        self._make = inner
        self._inner: BaseSampler = RandomSampler(seed=0)
        self._picked: Ensemble | None = None

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Settle who proposes this trial; one asked before its process died has its parameters."""
        self._picked = None if "digest" in trial.user_attrs else self._pick(trial.number)
        self._inner = self._make(trial.number)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters of the picked ensemble, or the inner sampler's."""
        if self._picked is not None:
            return self._space.distributions(len(self._picked.layers))
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the picked ensemble's parameters, or the inner sampler's draw."""
        if self._picked is not None:
            return dict(self._space.encode(self._picked))
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:  # noqa: ANN401 - Optuna's signature
        """Draw one parameter the relative sample left out."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)


def tpe(seed: int) -> Callable[[int], BaseSampler]:
    """Return a maker of Optuna's multivariate TPE, a fresh one for each trial's number.

    A fresh sampler has no memory but the study's trials, so nothing is lost with the process.
    """

    def make(number: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return TPESampler(
                seed=seed_of(seed, number), multivariate=True, group=True, constant_liar=True
            )

    return make


def uniform(seed: int) -> Callable[[int], BaseSampler]:
    """Return a maker of Optuna's random sampler, a fresh one for each trial's number."""
    return lambda number: RandomSampler(seed=seed_of(seed, number))


def suggest(trial: optuna.Trial, space: Space) -> Ensemble:
    """Ask the trial for every parameter, in the space's order, and decode them."""
    layers = trial.suggest_int("layers", 0, space.layers) if space.layers else 0
    asked = space.distributions(layers)
    values = {name: _ask(trial, name, asked[name]) for name in asked}
    return space.decode({"layers": layers, **values})


def carry(trial: optuna.Trial, ensemble: Ensemble, space: Space) -> None:
    """Write beside a trial's parameters what they cannot say: a discovered prompt."""
    if space.decode(space.encode(ensemble)) != ensemble:
        trial.set_user_attr(ENSEMBLE, ensemble.to_json())


def tried(trial: optuna.Trial | FrozenTrial, space: Space) -> Ensemble:
    """Return what a trial tries whose parameters were all suggested."""
    carried = trial.user_attrs.get(ENSEMBLE)
    if carried is not None:
        return Ensemble.from_json(carried, prompt=space.ours[0])
    return space.decode(trial.params)


def _ask(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Value:
    if isinstance(distribution, optuna.distributions.IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high)
    assert isinstance(distribution, optuna.distributions.CategoricalDistribution)
    value = trial.suggest_categorical(name, distribution.choices)
    assert value is not None
    return value
