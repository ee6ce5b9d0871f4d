"""What makes a study the study it is, read from settings; `db.pins` keeps and compares it."""

from __future__ import annotations

from data.digest import digest
from data.suites import Suite
from judges import prompts, rules
from judges.language import LANGUAGE_VERSION
from judges.score import Judge
from judges.verdict import PARSER_VERSION
from kumiawase.judging import judging
from kumiawase.members import asked, identity
from kumiawase.settings import Settings
from kumiawase.settings.forms import JudgeForm
from optimizer.space import Space


def pins_of(
    settings: Settings, suite: Suite, space: Space, judge: Judge, report_judge: Judge | None
) -> dict[str, object]:
    """Return what makes the study the study it is, field by field."""
    form = settings.form
    names = asked(settings)
    return {
        "suite": {
            "name": suite.name,
            "digest": suite.digest,
            "search_items": len(suite.half("search")),
            "held_out_items": len(suite.half("held_out")),
            "weights": dict(suite.weights),
            "references": digest([[i.id, i.target, i.rubric, i.reference] for i in suite.items]),
        },
        "judge": _judge_pin(settings, form.judge, judge),
        "report_judge": _judge_pin(settings, form.report_judge, report_judge),
        "baselines": list(form.baselines),
        "models": {name: identity(settings, settings.models[name]) for name in names},
        "families": _families(settings),
        "contexts": {name: form.models[name].context for name in names},
        "space": space.to_json(),
        "max_tokens": form.max_tokens.model_dump(),
        "seed": form.search.seed,
    }


def _judge_pin(
    settings: Settings, form: JudgeForm | None, judge: Judge | None
) -> dict[str, object] | None:
    if form is None or judge is None:
        return None
    names = [model.name for model in judging(settings, form)]
    baseline = settings.compared_with(form)
    against = {"baseline": baseline} if baseline else {}
    texts = prompts.PAIRWISE if form.kind == "pairwise" else prompts.RUBRIC
    parts = {
        "served": {name: identity(settings, settings.models[name]) for name in names},
        "prompts": prompts.digests(texts),
        "verdicts": {name: settings.models[name].verdicts for name in names},
        "parser": PARSER_VERSION,
        "rules": rules.RULES_VERSION,
        "language": LANGUAGE_VERSION,
        "max_tokens": settings.form.max_tokens.judge,
    }
    judged = {"kind": form.kind, "models": names, **against, "parts": parts}
    return {**judged, "digest": judge.digest}


def _families(settings: Settings) -> dict[str, str]:
    """Return the family of every model that answers or judges."""
    forms = (settings.form.judge, settings.form.report_judge)
    judges = {model.name for form in forms if form for model in judging(settings, form)}
    return {name: settings.models[name].family for name in sorted({*asked(settings), *judges})}
