"""How a part of the run begins: its numbers at the script's head, and what `main` does before its epochs."""

from __future__ import annotations

from dataclasses import dataclass

from engine.augmentation import AUGMENTATIONS
from engine.datasets import DATASETS
from engine.losses import LOSSES
from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES
from engine.script.layout import comment, fill, literal
from engine.script.loop import RMSPROP_MOMENTUM_NOW, Loop
from engine.script.past import Past
from engine.script.plan import group_setting

_EVERYWHERE = ("lr", "weight_decay")  # settings that all groups of Muon with AdamW have


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a part begins with.

    Attributes:
        loop: the part.
        number: of the part, from 1; 0 where it is the only one.
        network, optimizer: the expressions that make them.
        load: the expression for its data.
        threads: of torch.
        past: what the part goes on from, and `before`, that part; None where it is the first.
    """

    loop: Loop
    number: int
    network: str
    optimizer: str
    load: str
    threads: int
    past: Past | None = None
    before: Beginning | None = None

    def constants(self) -> list[str]:
        """The numbers at the script's head, which a reader may want to change, a definition each."""
        loop, config = self.loop, self.loop.config
        training, length = config.training, loop.length
        found = [f"SEED = {training.seed}  # the initial weights and the order of the data follow from it"]
        if self.past is not None:
            found = [f"SEED = {training.seed}"]
            if self.before is not None and training.seed == self.before.loop.config.training.seed:
                found = [self.before.constants()[0]]
        planned = ""
        if loop.entry is not None:
            planned = "  # counted from the first one"
        elif loop.last and length.epochs != training.epochs:
            planned = f"  # of at most {training.epochs} that were planned"
        found.append(f"EPOCHS = {length.epochs}{planned}")
        if length.steps is not None:
            ends = "the run ends after so many updates, within an epoch"
            found.append(f"STEPS = {length.steps}  # {ends if loop.last else 'updates, then the next part begins'}")
        found.append(f"BATCH_SIZE = {training.batch_size}")
        found.append(f"LEARNING_RATE = {config.optimizer.params['learning_rate']!r}")
        if loop.patience and loop.last:
            found.append(f"PATIENCE = {loop.patience}  # epochs without a better validation loss")
        if loop.setting.moved:
            found.append(f'DEVICE = "{loop.setting.device}"')
        else:
            why = comment("Another number of threads adds up in another order: the last digits differ.")
            found.append(f"{why}\nTHREADS = {self.threads}")
        if "STEPS_PER_EPOCH" in loop.steering.code:
            found.append(f"STEPS_PER_EPOCH = {length.per_epoch}")
        if "TOTAL_STEPS" in loop.steering.code:
            found.append(f"TOTAL_STEPS = {length.planned}  # updates from the first to the last")
        return found

    def lines(self) -> str:
        """What `main` does before the part's epochs."""
        if self.past is not None and self.before is not None:
            return self._going_on(self.past, self.before)
        title = ""
        if self.number:
            title = comment(f"Part {self.number}: the run up to the step at which another one branches off.", levels=1)
        data = "\n".join(filter(None, (title, self._data())))
        return "\n\n".join(filter(None, (data, self._network(), self.loop.before())))

    # The first part.

    def _data(self) -> str:
        threads = [] if self.loop.setting.moved else ["torch.set_num_threads(THREADS)"]
        return "\n".join([*threads, *self._loading()])

    def _loading(self) -> list[str]:
        splits = "train, validation, test" if self.loop.info.validation_size else "train, test"
        load = self.load
        if self.loop.setting.moved:
            load = f"[(x.to(DEVICE), y.to(DEVICE)) for x, y in {load}]"
        return [f"{splits} = {load}", "inputs, targets = train"]

    def _network(self) -> str:
        setting = self.loop.setting
        lines = [
            "# The weights are drawn right after the seed is set, in the order of the layers.",
            "torch.manual_seed(SEED)",
            f"network = {self.network}",
        ]
        if self.loop.config.initial_parameters:
            lines += [
                "# This run starts from given weights instead.",
                "with torch.no_grad():",
                "    for name, values in INITIAL_PARAMETERS.items():",
                "        parameter = network.get_parameter(name)",
                "        parameter.copy_(torch.tensor(values, dtype=torch.float32))",
            ]
        if setting.moved:
            lines.append("network.to(DEVICE)")
        if setting.channels_last:
            lines.append("network.to(memory_format=torch.channels_last)")
        lines.append(f"optimizer = {self.optimizer}")
        if setting.scaled:
            lines.append("scaler = torch.amp.GradScaler(DEVICE)")
        return "\n".join(lines)

    # A part that goes on.

    def _going_on(self, past: Past, before: Beginning) -> str:
        setting, was, entry = self.loop.setting, before.loop.setting, self.loop.entry
        assert entry is not None
        lines = []
        if not setting.moved and self.threads != before.threads:
            lines.append("torch.set_num_threads(THREADS)")
        if entry.new_dataset or setting.channels_last != was.channels_last:
            lines += self._loading()
        if entry.reseeded:
            lines += ["# From here on random numbers come from another seed.", "torch.manual_seed(SEED)"]
        if setting.channels_last != was.channels_last:
            layout = "channels_last" if setting.channels_last else "contiguous_format"
            lines.append(f"network.to(memory_format=torch.{layout})")
        if entry.begins_optimizer:
            lines.append(f"optimizer = {self.optimizer}")
        else:
            lines += self._settings(before)
        if setting.scaled and not was.scaled:
            lines.append("scaler = torch.amp.GradScaler(DEVICE)")
        place = self._place(before)
        title = comment(f"Part {self.number}: after step {past.step} the run goes on {self._said(past)}.", levels=1)
        pieces = ["\n".join([title, *lines]), "\n".join(place), self.loop.before()]
        return "\n\n".join(filter(None, pieces))

    def _settings(self, before: Beginning) -> list[str]:
        """Of the optimizer, whose state stays."""
        loop, entry = self.loop, self.loop.entry
        assert entry is not None
        name = loop.config.optimizer.name
        settings: dict[str, str] = {}
        for change in entry.settings:
            key, value = group_setting(loop.config, change)
            if key != "lr":
                settings[key] = literal(value)
        changes = before.loop.steering
        rate = any(change.name == "learning_rate" for change in entry.settings)
        if not loop.steering.follows and (rate or changes.follows or "lr" in changes.changes):
            settings["lr"] = "LEARNING_RATE"
        averaged = name == "asgd" and settings.pop("lr", "") != ""
        lines = ["# The optimizer keeps what it remembers."] if settings or averaged else []
        if settings:
            lines.append("for group in optimizer.param_groups:")
            for key, source in settings.items():
                if name == "muon" and key not in _EVERYWHERE:
                    lines += [f'    if "{key}" in group:', f'        group["{key}"] = {source}']
                else:
                    lines.append(f'    group["{key}"] = {source}')
        if name == "rmsprop" and settings.get("momentum", "0.0") != "0.0":
            lines.append(fill(RMSPROP_MOMENTUM_NOW))
        if averaged:
            lines.append("set_learning_rate(optimizer, LEARNING_RATE)")
        return lines

    def _place(self, before: Beginning) -> list[str]:
        """Where in the epochs it begins."""
        loop, entry = self.loop, self.loop.entry
        assert entry is not None
        if not loop.length.epochs:
            return []
        lines = []
        if entry.moved and (loop.counts or entry.scale is not None):
            lines.append(comment("Steps are counted as if every epoch so far had had batches of this size.", levels=1))
        if loop.counts and (entry.moved or not before.loop.counts or not before.loop.length.epochs):
            lines.append(f"step = {entry.step}")
        if entry.resumes:
            lines.append(f"seen = {entry.seen}  # batches of epoch {entry.epoch} that are behind it")
        if entry.scale is not None:
            lines.append(f"loss_sum = loss_sum * {entry.scale.samples} / {entry.scale.seen}")
        return lines

    def _said(self, past: Past) -> str:
        """In what way it goes on."""
        entry, config = self.loop.entry, self.loop.config
        assert entry is not None
        said = []
        if entry.begins_optimizer:
            said.append(f"a new {OPTIMIZERS[config.optimizer.name].label}")
        else:
            params = {param.name: param for param in OPTIMIZERS[config.optimizer.name].params}
            said += [
                f"{params[change.name].label.lower()} = {config.optimizer.params[change.name]}"
                for change in entry.settings
            ]
        if entry.new_schedule:
            said.append(f"the schedule {SCHEDULES[config.schedule.name].label}")
        if config.training.batch_size != past.config.training.batch_size:
            said.append(f"batches of {config.training.batch_size}")
        if entry.new_dataset:
            said.append(f"the dataset {DATASETS[config.dataset.name].label}")
        if config.augmentation != past.config.augmentation:
            said.append(f"the augmentation {AUGMENTATIONS[config.augmentation.name].label}")
        if entry.new_loss:
            said.append(f"the loss {LOSSES[config.loss.name].label}")
        if entry.reseeded:
            said.append(f"seed {config.training.seed}")
        if not said:
            return "as it was"
        return "with " + (", ".join(said[:-1]) + " and " if said[1:] else "") + said[-1]
