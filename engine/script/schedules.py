"""The schedules as source: the factor on the learning rate as a function of the step."""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalog import Params, number
from engine.errors import InputError
from engine.script.layout import fill

_EASE = '''
    def ease(start, end, share):
        """From start to end along half a cosine, for a share from 0 to 1."""
        return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
'''
_CONSTANT = '''
    def $name(step):
        """The learning rate as it is."""
        return 1.0
'''
_STEP = '''
    def $name(step):
        """The learning rate times $factor every $epochs."""
        epoch = step // STEPS_PER_EPOCH
        return $factor ** (epoch // $every)
'''
_COSINE = '''
    def $name(step):
        """Along half a cosine to the end of the run."""
        return ease(1.0, $final, step / TOTAL_STEPS)
'''
_WARM_COSINE = '''
    def $name(step):
        """Up in a straight line, then along half a cosine to the end of the run."""
        if step < $warm:
            return (step + 1) / ($warm + 1)
        return ease(1.0, $final, (step - $warm) / max(TOTAL_STEPS - $warm, 1))
'''
_ONE_CYCLE = '''
    def $name(step):
        """Up to the learning rate and down to almost nothing (Smith and Topin 2018)."""
        start = 1 / $start
        final = start / $final
        peak = $warm * TOTAL_STEPS - 1
        if step < peak:
            return ease(start, 1.0, step / peak)
        return ease(1.0, final, (step - peak) / (TOTAL_STEPS - 1 - peak))
'''
_PLATEAU = '''
    class $name:
        """Reduces the learning rate when the loss has stopped falling."""

        def __init__(self):
            self.factor = 1.0
            self.best = None
            self.bad_epochs = 0

        def __call__(self, step):
            return self.factor

        def observe(self, loss):
            """To be called with the loss at the end of each epoch."""
            if self.best is None or loss < self.best * (1 - $threshold):
                self.best, self.bad_epochs = loss, 0
            elif self.bad_epochs < $patience:
                self.bad_epochs += 1
            else:
                self.factor = min(max(self.factor * $factor, $minimum), self.factor)
                self.bad_epochs = 0
'''


class Schedules:
    """The schedules of one run: that of the set-up, and those it was changed to.

    Args:
        total: updates in the whole run, as it was planned.
    """

    def __init__(self, *, total: int) -> None:
        self._total = total
        self._made: dict[tuple[str, tuple[tuple[str, object], ...]], str] = {}
        self._codes: list[str] = []
        self.watches = False  # one of them observes losses

    def add(self, name: str, params: Params) -> str:
        """The expression for the schedule: a function from the number of the step to a factor.

        Raises InputError for one that is not ours.
        """
        key = (name, tuple(params.items()))
        if key not in self._made:
            self._made[key] = self._write(name, params)
        made = self._made[key]
        return f"{made}()" if name == "reduce_on_plateau" else made

    @property
    def code(self) -> str:
        codes = "\n\n\n".join(self._codes)
        return f"{fill(_EASE)}\n\n\n{codes}" if "ease(" in codes else codes

    def _write(self, name: str, params: Params) -> str:
        template, values = self._template(name, params)
        title = "ReduceOnPlateau" if name == "reduce_on_plateau" else {"step": "staircase"}.get(name, name)
        same = sum(title in other for other in self._made.values())
        title += str(same + 1) if same else ""
        self._codes.append(fill(template, name=title, **values))
        self.watches |= name == "reduce_on_plateau"
        return title

    def _template(self, name: str, params: Params) -> tuple[str, Mapping[str, object]]:
        match name:
            case "constant":
                return _CONSTANT, {}
            case "step":
                every = int(number(params, "every_epochs"))
                epochs = "epoch" if every == 1 else f"{every} epochs"
                return _STEP, {"factor": repr(params["factor"]), "every": every, "epochs": epochs}
            case "cosine":
                warm = round(number(params, "warm_up") * self._total)
                values = {"warm": warm, "final": repr(params["final"])}
                return (_WARM_COSINE if warm else _COSINE), values
            case "one_cycle" if self._total <= 1:
                return _CONSTANT, {}
            case "one_cycle":
                names = {"start": "start_divisor", "final": "final_divisor", "warm": "warm_up"}
                return _ONE_CYCLE, {short: repr(params[long]) for short, long in names.items()}
            case "reduce_on_plateau":
                return _PLATEAU, {key: repr(params[key]) for key in ("factor", "patience", "threshold", "minimum")}
        raise InputError(
            "script",
            f"the schedule {name!r} comes from another package, whose code cannot be written out",
            "these can be written: constant, step, cosine, one_cycle, reduce_on_plateau",
        )
