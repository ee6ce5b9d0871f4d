"""The judges that settings name, as objects: rules and the language gate before them."""

from __future__ import annotations

from data.digest import digest
from endpoints.request import Completer
from endpoints.specs import ModelSpec
from judges.combined import CombinedJudge
from judges.language import LanguageGate
from judges.pairwise import Answering, PairwiseJudge
from judges.panel import PanelJudge, choose_members
from judges.rubric import RubricJudge
from kumiawase.members import asked, identity, members
from kumiawase.settings import Settings
from kumiawase.settings.forms import JudgeForm
from moa.ensemble import single


def judge_of(
    settings: Settings, form: JudgeForm, completions: Completer, answering: Answering
) -> CombinedJudge:
    """Return the judge that `judge` or `report_judge` names, rules before it.

    Args:
        settings: The user's.
        form: Which judge.
        completions: Sends its requests.
        answering: Lets the baseline of a pairwise judge answer.
    """
    if form.kind == "pairwise":
        return CombinedJudge(LanguageGate(_pairwise(settings, form, completions, answering)))

    def member(model: ModelSpec) -> RubricJudge:
        return RubricJudge(
            completions,
            model.name,
            identity=identity(settings, model),
            family=model.family,
            max_tokens=settings.form.max_tokens.judge,
            verdicts=model.verdicts,
        )

    judges = [member(model) for model in judging(settings, form)]
    if form.kind == "rubric":
        return CombinedJudge(LanguageGate(judges[0]))
    families = {name: settings.models[name].family for name in asked(settings)}
    panel = PanelJudge(judges, families, exclude_own_family=form.kind == "self")
    return CombinedJudge(LanguageGate(panel))


def _pairwise(
    settings: Settings, form: JudgeForm, completions: Completer, answering: Answering
) -> PairwiseJudge:
    (model,) = judging(settings, form)
    baseline = settings.compared_with(form)
    assert baseline is not None  # `Settings` refuses a pairwise judge without
    limits = settings.form.max_tokens
    return PairwiseJudge(
        completions,
        model.name,
        # As every search evaluates it, so that its answers are asked for once.
        baseline=single(baseline, min(settings.form.search.temperatures)),
        answering=answering,
        identity=identity(settings, model),
        baseline_identity=digest(
            [identity(settings, settings.models[baseline]), limits.aggregator]
        ),
        max_tokens=limits.judge,
        verdicts=model.verdicts,
    )


def judging(settings: Settings, form: JudgeForm) -> tuple[ModelSpec, ...]:
    """Return the models that judge: those named, or those chosen from the pool."""
    if form.models:
        return tuple(settings.models[name] for name in dict.fromkeys(form.models))
    return choose_members([settings.models[name] for name in members(settings)])


def verdicts(settings: Settings, form: JudgeForm) -> list[str]:
    """Return the model of each call that a turn's score takes: both orders are compared."""
    names = [model.name for model in judging(settings, form)]
    return names * (2 if form.kind == "pairwise" else 1)


def verdicts_a_turn(settings: Settings, form: JudgeForm) -> int:
    """Return how many calls a turn's score takes."""
    return len(verdicts(settings, form))
