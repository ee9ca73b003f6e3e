"""A lesson: set-ups to run one after the other, and a text that says what to do, what to look at and why.

A lesson is a text file that carries no code: a JSON object between two lines `---`, then Markdown. See `parse_lesson`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr
from pydantic import ValidationError as PydanticError

from engine.config import RunConfig, make_config, settings_of
from engine.errors import InputError
from engine.files import write_atomically
from engine.losses import LOSSES
from engine.parts import PARTS

LESSON_VERSION = 1
SUFFIX = ".lesson.md"
TOOLS = (
    "points",
    "microscope",
    "autograd",
    "first_look",
    "distance",
    "functions",
    "descent",
    "compare",
    "confusion",
    "activations",
)
HIDEABLE = (*PARTS, "canvas", "filters", "curves", "speed")

_MOST_CHARACTERS = 1_000_000
_MOST_STAGES = 50
_SINGLE = 2.0**-23  # relative distance of neighbouring numbers in single precision
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DIGITS = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_UNUSABLE = "the part between the two lines --- is not usable JSON"
_EXPECTED = "a lesson file: a JSON object between two lines ---, then the text in Markdown"

Quantity = Literal["loss", "accuracy", "gradient", "parameter", "test_loss", "test_accuracy"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Printed(_Frozen):
    """A number that the tutorial printed, to be laid beside the one obtained by this run.

    Attributes:
        what: `loss` and `accuracy` of a step's batch before its update; `gradient` and `parameter` of a step, by
            `name`; `test_loss` and `test_accuracy` of the evaluation after that step.
        stage, step: where it was printed; steps count from 1, and 0 is the evaluation before the first.
        value: the digits as they were printed.
        label: what to call it, where the quantity and the step do not say enough.
    """

    what: Quantity
    stage: StrictInt = Field(default=1, ge=1)
    step: StrictInt = Field(ge=0)
    value: StrictStr
    name: StrictStr = ""
    label: StrictStr = ""

    @property
    def decimals(self) -> int:
        return len(self.value.partition(".")[2])

    def agrees(self, obtained: float) -> bool:
        """Whether `obtained` has the printed digits.

        It may lie half a unit of the last digit from the printed value, and as far again as four roundings in single
        precision reach: another order of additions, as another processor has it, moves the last digits of large sums.
        """
        printed = float(self.value)
        return abs(obtained - printed) <= 0.5 * 10.0**-self.decimals + 4 * _SINGLE * abs(printed)


class Stage(_Frozen):
    """One run of the lesson: what is picked and set, as `make_config` takes it.

    Attributes:
        speed: steps a second that show well in the window; None is as fast as it goes.
        goes_on: its checkpoints are kept after every epoch, and the next start picks it up where the last one ended.
    """

    title: StrictStr = ""
    picks: Mapping[str, StrictStr] = Field(default_factory=dict)
    settings: Mapping[str, bool | StrictInt | StrictFloat | StrictStr | tuple[StrictInt, ...]] = Field(
        default_factory=dict
    )
    initial_parameters: Mapping[str, object] | None = None
    speed: float | None = Field(default=None, gt=0, le=1000)
    goes_on: bool = False

    def config(self, picks: Mapping[str, str] | None = None, settings: Mapping[str, object] | None = None) -> RunConfig:
        """The stage's set-up, with other picks and settings over its own. Raises InputError."""
        own_picks: dict[str, str] = dict(self.picks)
        own_settings: dict[str, object] = dict(self.settings)
        initial = self.initial_parameters
        for part, name in (picks or {}).items():
            if own_picks.get(part, name) != name:  # another entry brings its own settings
                own_settings = {key: value for key, value in own_settings.items() if not key.startswith(f"{part}.")}
                initial = None if part in ("network", "dataset") else initial
        given = {**own_picks, **(picks or {})}
        config = make_config(given, {**own_settings, **(settings or {})}, initial_parameters=initial)
        before, loss = self.picks.get("loss"), config.loss.name
        if initial is None or before is None or before == loss:
            return config
        info = config.dataset_info()
        same = LOSSES[before].outputs(info) == LOSSES[loss].outputs(info)  # else the starting values have no place
        return config if same else config.model_copy(update={"initial_parameters": None})


class Lesson(_Frozen):
    """A lesson as its file says it. `text` is Markdown, with formulas between dollar signs.

    Attributes:
        name: as the file is called, words of small letters with hyphens between them.
        tools: panels to open and what each is told, by name.
        log_loss: the loss is best seen on a logarithmic axis.
        hides: controls that the lesson does not need; the reader can bring them back.
        order: its place in the menu.
    """

    name: str
    title: StrictStr
    summary: StrictStr = ""
    chapter: StrictStr = "Other lessons"
    order: StrictInt = 1000
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=_MOST_STAGES)
    printed: tuple[Printed, ...] = ()
    tools: Mapping[str, Mapping[str, object]] = Field(default_factory=dict)
    log_loss: bool = False
    hides: tuple[StrictStr, ...] = ()
    text: str

    def stage(self, number: int) -> Stage:
        """Stage `number`, counted from 1. Raises InputError."""
        if not 1 <= number <= len(self.stages):
            has = f"{self.name} has {len(self.stages)} stage{'s' * (len(self.stages) > 1)}"
            raise InputError("stage", f"{has} and {number} is not among them", f"1 to {len(self.stages)}")
        return self.stages[number - 1]

    def to_text(self) -> str:
        """The lesson as its file has it."""
        head = self.model_dump(mode="json", exclude={"name", "text"}, exclude_defaults=True)
        written = json.dumps({"version": LESSON_VERSION, **head}, indent=2, ensure_ascii=False)
        return f"---\n{written}\n---\n\n{self.text.strip()}\n"


def parse_lesson(source: str, *, name: str) -> Lesson:
    """The lesson in a file's text, every stage checked as if it had been typed.

    Args:
        source: the text.
        name: what the lesson is called; a file's name without its ending.

    Raises InputError that says what is wrong and in which line or field.
    """
    field = f"lesson {name}"
    if not _NAME.fullmatch(name):
        raise InputError(
            "lesson", f"{name!r} cannot be a lesson's name", "small letters and digits with hyphens between"
        )
    if len(source) > _MOST_CHARACTERS:
        raise InputError(field, "the file is too long", f"up to {_MOST_CHARACTERS:,} characters")
    lines = source.lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        raise InputError(field, "line 1 is not ---", _EXPECTED)
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.strip() == "---"), None)
    if end is None:
        raise InputError(field, "there is no second line ---", _EXPECTED)
    try:
        head = json.loads("\n".join(lines[1:end]), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise InputError(field, f"{error.msg} in line {error.lineno + 1}", "JSON between the two lines ---") from None
    except (ValueError, RecursionError):
        raise InputError(field, _UNUSABLE, _EXPECTED) from None
    if not isinstance(head, dict):
        raise InputError(field, "the part between the two lines --- is not a JSON object", _EXPECTED)
    version = head.pop("version", LESSON_VERSION)
    if type(version) is not int or version < 1:
        raise InputError(f"{field}: version", f"{version!r} is not a version", f"{LESSON_VERSION}")
    if version > LESSON_VERSION:
        raise InputError(
            f"{field}: version", f"a newer Learnscope wrote it (version {version})", f"up to {LESSON_VERSION}"
        )
    text = "\n".join(lines[end + 1 :]).strip()
    for name_of, place in (("name", "the file's name says it"), ("text", "it stands below the second line ---")):
        if name_of in head:
            raise InputError(f"{field}: {name_of}", "is not a field of the JSON", place)
    try:
        lesson = Lesson.model_validate_json(json.dumps({**head, "name": name, "text": text}))
    except PydanticError as error:
        raise _unreadable(error, field) from None
    except RecursionError:
        raise InputError(field, _UNUSABLE, _EXPECTED) from None
    _check(lesson, field)
    return lesson


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity, which Python's reader takes and JSON does not have


def _unreadable(error: PydanticError, field: str) -> InputError:
    """The first of pydantic's complaints, under the lesson's own names. Places in lists count from 1."""
    first = error.errors(include_url=False)[0]
    where = [str(piece + 1) if isinstance(piece, int) else piece for piece in first["loc"]]
    if not where:  # what the JSON holds cannot be text, or lies too deep
        return InputError(field, _UNUSABLE, _EXPECTED)
    if len(where) > 4 and where[2] == "settings":  # the rest of the path names the types that a value may have
        value = json.dumps(first["input"])[:40]
        problem = f"{value} is not accepted"
        return InputError(
            f"{field}: stage {where[1]}: {where[3]}", problem, "a number, a text or a list of whole numbers"
        )
    return InputError(f"{field}: {'.'.join(where)}", first["msg"][:1].lower() + first["msg"][1:])


def _check(lesson: Lesson, field: str) -> None:
    for tool in lesson.tools:
        if tool not in TOOLS:
            raise InputError(f"{field}: tools", f"unknown tool {tool!r}", "known are " + ", ".join(TOOLS))
    for hidden in lesson.hides:
        if hidden not in HIDEABLE:
            raise InputError(f"{field}: hides", f"unknown control {hidden!r}", "known are " + ", ".join(HIDEABLE))
    for number, stage in enumerate(lesson.stages, start=1):
        try:
            stage.config()
        except InputError as error:
            raise InputError(f"{field}: stage {number}: {error.field}", error.problem, error.accepted) from None
    for number, printed in enumerate(lesson.printed, start=1):
        where = f"{field}: printed {number}"
        if printed.stage > len(lesson.stages):
            raise InputError(f"{where}: stage", f"there is no stage {printed.stage}", f"1 to {len(lesson.stages)}")
        if not _DIGITS.fullmatch(printed.value):
            raise InputError(f"{where}: value", f"{printed.value!r} is not a number", "digits as they were printed")


def load_lesson(path: Path) -> Lesson:
    """The lesson in a file. Raises InputError."""
    name = path.name.removesuffix(SUFFIX).removesuffix(".md")
    try:
        if path.stat().st_size > 4 * _MOST_CHARACTERS:
            raise InputError(f"lesson {name}", "the file is too long", f"up to {_MOST_CHARACTERS:,} characters")
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError("lesson", f"{path.name} cannot be read: {reason}") from None
    return parse_lesson(source, name=name)


def save_lesson(path: Path, lesson: Lesson) -> None:
    """Write the lesson as others can open it. Raises OSError."""
    write_atomically(path, lesson.to_text().encode())


def stage_of(config: RunConfig, *, title: str = "", speed: float | None = None) -> Stage:
    """A stage that runs `config`."""
    picks, settings = settings_of(config)
    return Stage.model_validate(
        {
            "title": title,
            "picks": picks,
            "settings": settings,
            "initial_parameters": config.initial_parameters,
            "speed": speed,
        }
    )
