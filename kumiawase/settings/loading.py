"""kumiawase.yaml as typed settings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from data import catalogue
from data.errors import ConfigError, SuiteError
from data.suites import Suite, load_suite
from endpoints.specs import EndpointSpec, ModelSpec
from kumiawase.settings import yaml_lines
from kumiawase.settings.faults import finding
from kumiawase.settings.forms import (
    EndpointForm,
    JudgeForm,
    ModelForm,
    SettingsForm,
    loopback,
)
from kumiawase.settings.yaml_lines import Document

_LINE = re.compile(r":\d+$")


class Settings:
    """A checked kumiawase.yaml.

    Attributes:
        folder: Relative paths start here.
        form: The values as written, defaults filled in.
        endpoints, models: What the rooms below need to know of them, by name.
    """

    def __init__(self, form: SettingsForm, document: Document, folder: Path) -> None:
        self.form = form
        self.folder = folder
        self._document = document
        self.endpoints = {n: endpoint_spec(n, e) for n, e in form.endpoints.items()}
        self.models = {n: self._model(n, m) for n, m in form.models.items()}
        self._check()

    @property
    def study(self) -> str:
        """Name of the study."""
        return self.form.study

    @property
    def storage(self) -> str:
        """URL of the database, a relative SQLite path made absolute."""
        return absolute_storage(self.form.storage, self.folder)

    def suite(self) -> Suite:
        """Return the suite that is asked.

        Raises:
            SuiteError: It cannot be used.
        """
        try:
            return load_suite(self.form.suite, self.folder)
        except SuiteError as error:
            if _LINE.search(error.place):  # of the suite's own file: nearer than ours
                raise
            place = f"{self._document.place(('suite',))}: {error.place}"
            raise SuiteError(error.fault, place=place, remedy=error.remedy) from None

    @property
    def proposers(self) -> tuple[str, ...]:
        """Members that may propose."""
        return tuple(n for n in self._members if "proposer" in self.form.models[n].roles)

    @property
    def aggregators(self) -> tuple[str, ...]:
        """Members that may aggregate."""
        return tuple(n for n in self._members if "aggregator" in self.form.models[n].roles)

    @property
    def _members(self) -> list[str]:
        return sorted(set(self.form.models) - self._outsiders)

    @property
    def _outsiders(self) -> set[str]:
        """Models named only as judge, baseline or discoverer: no members unless given roles."""
        form = self.form
        named = set(form.baselines)
        for judge in (form.judge, form.report_judge):
            if judge is not None and judge.kind != "self":  # self: members judge
                named |= set(judge.models)
        named |= {form.search.discoverer} if form.search.discoverer else set()
        return {
            n for n in named if n in form.models and "roles" not in form.models[n].model_fields_set
        }

    def compared_with(self, judge: JudgeForm) -> str | None:
        """Return the model a pairwise judge compares with, which the settings always name."""
        if judge.kind != "pairwise":
            return None
        return judge.baseline or next(iter(self.form.baselines), None)

    def _model(self, name: str, form: ModelForm) -> ModelSpec:
        if form.endpoint not in self.form.endpoints:
            raise self._unknown(form.endpoint, ("models", name, "endpoint"), self.form.endpoints)
        if form.catalogue and catalogue.find(form.catalogue) is None:
            raise self._error(
                f"{form.catalogue!r} is not in the catalogue",
                ("models", name, "catalogue"),
                "find it with `kumiawase models --search`, or leave it out",
            )
        return model_spec(name, form, self.folder)

    def _check(self) -> None:
        form = self.form
        for path, names in (
            (("baselines",), form.baselines),
            (("search", "discoverer"), [form.search.discoverer] if form.search.discoverer else []),
        ):
            self._check_named(names, path)
        self._check_judge("judge", form.judge)
        if form.report_judge:
            self._check_judge("report_judge", form.report_judge)
        if not self.proposers or not self.aggregators:
            raise self._error("no model may propose, or none aggregate", ("models",), "give roles")
        self._check_prices()
        if form.search.sampler == "discovery" and not form.search.discoverer:
            raise self._error(
                "sampler `discovery` without a discoverer",
                ("search", "sampler"),
                "name one under search.discoverer",
            )

    def _check_named(self, names: Iterable[str], path: tuple[str, ...]) -> None:
        for name in names:
            if name not in self.form.models:
                raise self._unknown(name, path, self.form.models)

    def _check_prices(self) -> None:
        """Refuse a limit in money where nobody knows what a model costs: it would not hold."""
        if self.form.budget.usd is None:
            return
        for name, model in self.form.models.items():
            host = self.form.endpoints[model.endpoint]
            local = loopback(urlsplit(host.base_url).hostname or "")
            if model.price is None and host.usd_per_hour is None and not local:
                raise self._error(
                    f"budget.usd needs the price of {name!r}",
                    ("models", name),
                    "give `price: {input: …, output: …}` in USD per million tokens, 0 where it is"
                    f" free, or `usd_per_hour` of endpoint {model.endpoint}",
                )

    def _check_judge(self, field: str, judge: JudgeForm) -> None:
        self._check_named(judge.models, (field, "models"))
        fault = ""
        if judge.kind in ("rubric", "pairwise") and len(judge.models) != 1:
            fault = f"a {judge.kind} judge is one model"
        elif judge.kind == "panel" and len(set(judge.models)) < 2:
            fault = "a panel is two models or more"
        elif judge.kind == "self" and len({m.family for m in self._judging(judge)}) < 2:
            fault = "self-judging needs models of two families (none judges its own)"
        if fault:
            raise self._error(fault, (field,), "name them under `models`")
        self._check_baseline(field, judge)

    def _check_baseline(self, field: str, judge: JudgeForm) -> None:
        if judge.baseline is None:
            if judge.kind == "pairwise" and not self.form.baselines:
                raise self._error(
                    "a pairwise judge needs a baseline to compare with",
                    (field,),
                    "name a model as `baseline` there or under `baselines`",
                )
            return
        path = (field, "baseline")
        if judge.kind != "pairwise":
            raise self._error(f"a {judge.kind} judge takes no baseline", path, "remove it")
        self._check_named([judge.baseline], path)
        if judge.baseline not in {*self._members, *self.form.baselines}:
            raise self._error(
                f"{judge.baseline!r} is neither in the pool nor a baseline",
                path,
                "list it under `baselines`",
            )

    def _judging(self, judge: JudgeForm) -> list[ModelSpec]:
        return [self.models[n] for n in judge.models or self._members]

    def _unknown(
        self, name: str, path: tuple[str, ...], known: Mapping[str, object]
    ) -> ConfigError:
        close = difflib.get_close_matches(name, known, 1)
        remedy = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        what = "endpoint" if path[-1] == "endpoint" else "model"
        return self._error(f"{what} {name!r} is not defined", path, remedy)

    def _error(self, fault: str, path: tuple[str, ...], remedy: str) -> ConfigError:
        return ConfigError(fault, place=self._document.place(path), remedy=remedy)


def load(
    file: Path,
    *,
    study: str | None = None,
    storage: str | None = None,
    trials: int | None = None,
) -> Settings:
    """Read kumiawase.yaml.

    Args:
        file: The file.
        study: Replaces what the file says, if given.
        storage: The same.
        trials: The same for `search.trials`.

    Raises:
        ConfigError: It cannot be used; the text names file, line, fault and remedy.
    """
    document = yaml_lines.load(file)
    if not isinstance(document.value, dict):
        raise ConfigError(
            "holds no settings", place=str(file), remedy="write them with `kumiawase init`"
        )
    value = dict(document.value)
    value |= {k: v for k, v in (("study", study), ("storage", storage)) if v is not None}
    if trials is not None and isinstance(value.get("search", {}), dict):
        value["search"] = value.get("search", {}) | {"trials": trials}
    try:
        form = SettingsForm.model_validate(value)
    except ValidationError as error:
        raise finding(error, document) from None
    return Settings(form, document, file.resolve().parent)


def absolute_storage(url: str, folder: Path) -> str:
    """Return a database URL with a relative SQLite path made absolute from `folder`."""
    prefix = "sqlite:///"
    if not url.startswith(prefix) or url.startswith(prefix + "/"):
        return url
    return prefix + str((folder / url.removeprefix(prefix)).resolve())


def endpoint_spec(name: str, form: EndpointForm) -> EndpointSpec:
    """Return what the rooms below need to know of an endpoint."""
    return EndpointSpec(
        name=name,
        base_url=form.base_url,
        api_key_env=form.api_key_env,
        headers=form.headers,
        max_concurrency=form.max_concurrency,
        timeout=form.timeout,
        identity=form.identity,
        token_limit_param=form.token_limit_param,
        resident=form.resident,
        usd_per_hour=form.usd_per_hour or 0.0,
    )


def model_spec(name: str, form: ModelForm, folder: Path) -> ModelSpec:
    """Return what the rooms below need to know of a model, the catalogue's facts included."""
    known = catalogue.find(form.catalogue or form.served_name or name)
    folds = known is not None and known.system_role in ("dropped", "refused")
    return ModelSpec(
        name=name,
        endpoint=form.endpoint,
        served_name=form.served_name or name,
        family=form.family or (known.family if known else "") or name,
        context=form.context or (known.context if known else None),
        input_price=form.price.input if form.price else 0.0,
        output_price=form.price.output if form.price else 0.0,
        extra_body=form.extra_body,
        system_role="fold" if form.system_role == "auto" and folds else form.system_role,
        tools=form.tools,
        verdicts=form.verdicts,
        tokenizer=str((folder / form.tokenizer).resolve()) if form.tokenizer else None,
    )
