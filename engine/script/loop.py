"""The epochs of a part of the run, as the script's `main` has them, and the evaluation after each."""

from __future__ import annotations

from dataclasses import dataclass

from engine.config import RunConfig
from engine.datasets.data import DatasetInfo
from engine.parts import NO_AUGMENTATION
from engine.script.layout import call, fill, indented
from engine.script.past import Entry
from engine.script.plan import Length, Steering


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how the run computed.

    Attributes:
        device: `cpu`, `cuda` or `mps`.
        channels_last: images lie (N, H, W, C) in memory.
        autocast: the lower precision's dtype, `bfloat16` or `float16`; empty for float32.
    """

    device: str
    channels_last: bool
    autocast: str

    @property
    def moved(self) -> bool:
        return self.device != "cpu"

    @property
    def scaled(self) -> bool:
        return self.autocast == "float16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A part of the run: all of it, or what lies between two branchings.

    Attributes:
        entry: how it goes on from the part before; None: it is the first one.
        last: the run ends with it.
        classes: the expression for the classes that outputs mean; empty in regression.
        patience: of early stopping; 0 where there is none, or it cannot end this part, nor does a later one heed it.
    """

    config: RunConfig
    info: DatasetInfo
    setting: Setting
    length: Length
    steering: Steering
    entry: Entry | None
    last: bool
    classes: str
    patience: int

    # Evaluation.

    def evaluate(self) -> str:
        network = "network(x.permute(0, 3, 1, 2))" if self.setting.channels_last else "network(x)"
        if not self.classes:
            return fill(
                '''
                @torch.inference_mode()
                def evaluate(network, samples):
                    """The mean loss, computed a thousand samples at a time."""
                    inputs, targets = samples
                    network.eval()
                    loss_sum = 0.0
                    for x, y in zip(inputs.split(1000), targets.split(1000)):
                        loss_sum += loss_function($network, y).item() * len(x)
                    network.train()
                    return loss_sum / len(inputs)
                ''',
                network=network,
            )
        return fill(
            '''
            @torch.inference_mode()
            def evaluate(network, samples):
                """Mean loss and accuracy, computed a thousand samples at a time."""
                inputs, targets = samples
                network.eval()
                loss_sum, correct = 0.0, 0
                for x, y in zip(inputs.split(1000), targets.split(1000)):
                    outputs = $network
                    loss_sum += loss_function(outputs, y).item() * len(x)
                    correct += ($classes == y).sum().item()
                network.train()
                return loss_sum / len(inputs), correct / len(inputs)
            ''',
            network=network,
            classes=self.classes,
        )

    # The run.

    def before(self) -> str:
        """What is kept from step to step, at its beginning."""
        lines, entry = [], self.entry
        trains = bool(self.length.epochs)
        if self.counts and trains and entry is None:
            lines.append("step = 0  # updates so far")
        if self._keeps_rate and trains:
            lines.append("learning_rate = LEARNING_RATE")
        if self.steering.schedule and self._keeps_schedule and not (entry and entry.keeps_plateau):
            lines.append(f"schedule = {self.steering.schedule}")
        if self.patience and not (entry and entry.keeps_best):
            lines.append("best_loss, best, waited = math.inf, None, 0")
        if self.config.training.evaluate_first and entry is None:
            lines += self.report("untrained", train_loss=False).splitlines()
        return "\n".join(lines)

    @property
    def counts(self) -> bool:
        """The script knows the number of the step."""
        steers = self.steering.changes or self.steering.follows or self.length.steps is not None
        return bool(steers or self._augments)

    @property
    def _augments(self) -> bool:
        return self.config.augmentation.name != NO_AUGMENTATION

    @property
    def _keeps_rate(self) -> bool:
        return self.steering.follows and "learning_rate" in self.steering.changes

    @property
    def _keeps_schedule(self) -> bool:
        return "schedule" in self.steering.changes or self.steering.watches

    def report(self, when: str, *, train_loss: bool) -> str:
        """Evaluate on the test set, and print what came of it."""
        names = "test_loss, accuracy" if self.classes else "test_loss"
        accuracy = ", test accuracy {accuracy:.2%}" if self.classes else ""
        figures = f"test loss {{test_loss:.4f}}{accuracy}"
        if not train_loss:
            line = f'print(f"{when}: {figures}")'
        elif self.classes or self.length.print_every > 1:
            line = call("print", [f'f"{when}: train loss {{train_loss:.4f}},"', f'f"{figures}"'], levels=4)
        else:
            line = f'print(f"{when}: train loss {{train_loss:.4f}}, {figures}")'
        return f"{names} = evaluate(network, test)\n{line}"

    # The epochs.

    def epochs(self) -> str:
        """All of them; empty where not one is begun."""
        if not self.length.epochs:
            return ""
        entry = self.entry
        resumes = entry is not None and entry.resumes
        lines = [f"for epoch in range({entry.epoch if entry else 1}, EPOCHS + 1):"]
        if self._waits_before:
            lines += ["    if waited >= PATIENCE:", "        break"]
        lines.append(indented(self._order()))
        batches = "order.split(BATCH_SIZE)"
        if resumes:
            batches += "[seen:]"
        else:
            lines.append("    loss_sum = 0.0")
        lines += [f"    for batch in {batches}:", indented(self._step(), 2)]
        lines.append(indented(self._epoch_end()))
        if resumes:
            lines.append("    loss_sum, seen = 0.0, 0")
        return "\n".join(lines)

    @property
    def _waits_before(self) -> bool:
        """Early stopping has a past, and may end the run before the first epoch."""
        return bool(self.patience and self.last and self.entry and self.entry.keeps_best)

    def _order(self) -> str:
        moved = ".to(DEVICE)" if self.setting.moved else ""
        if not self.config.training.shuffle:
            return f"order = torch.arange(len(inputs)){moved}"
        return "\n".join(
            [
                "# The order of the samples in an epoch depends on the seed and the epoch alone.",
                "generator = torch.Generator().manual_seed(SEED * 1_000_003 + epoch)",
                f"order = torch.randperm(len(inputs), generator=generator){moved}",
            ]
        )

    def _step(self) -> str:
        lines = []
        if self.length.steps is not None:
            lines += ["if step == STEPS:", "    break"]
        if self.steering.changes:
            lines += ["for name, value in CHANGES.get(step, {}).items():", indented(self._change())]
        if self.steering.follows:
            lines += self._rate().splitlines()
        x = "inputs[batch].permute(0, 3, 1, 2)" if self.setting.channels_last else "inputs[batch]"
        lines.append(f"x, y = {x}, targets[batch]")
        if self._augments:
            lines.append("x = augment(x, step)")
        lines += self._update().splitlines()
        lines.append("loss_sum += loss.item() * len(batch)")
        if self.counts:
            lines.append("step += 1")
        return "\n".join(lines)

    def _update(self) -> str:
        loss = "loss = loss_function(network(x), y)"
        if self.setting.autocast:
            device = "DEVICE" if self.setting.moved else '"cpu"'
            loss = f"with torch.autocast({device}, dtype=torch.{self.setting.autocast}):\n    {loss}"
        if self.config.optimizer.name == "lbfgs":
            body = f"optimizer.zero_grad()\n{loss}\nloss.backward()\nreturn loss"
            return f"\ndef closure():\n{indented(body)}\n\nloss = optimizer.step(closure)"
        update = "loss.backward()\noptimizer.step()"
        if self.setting.scaled:
            update = "scaler.scale(loss).backward()\nscaler.step(optimizer)\nscaler.update()"
        return f"optimizer.zero_grad()\n{loss}\n{update}"

    def _change(self) -> str:
        own = [name for name in ("learning_rate", "schedule") if name in self.steering.changes]
        own = own if self.steering.follows else []
        lines: list[str] = []
        for name in own:
            lines += [f'{"elif" if lines else "if"} name == "{name}":', f"    {name} = value"]
        if self.steering.changes - set(own):
            setting = "for group in optimizer.param_groups:\n    if name in group:\n        group[name] = value"
            if self.config.optimizer.name == "rmsprop" and "momentum" in self.steering.changes:
                setting += "\n" + fill(_RMSPROP_MOMENTUM)
            lines += ["else:", indented(setting)] if lines else [setting]
        return "\n".join(lines)

    def _rate(self) -> str:
        rate = "learning_rate" if self._keeps_rate else "LEARNING_RATE"
        if self.steering.schedule:
            schedule = "schedule" if self._keeps_schedule else self.steering.schedule
            rate = f"{rate} * {schedule}(step)"
        if self.config.optimizer.name == "asgd":
            return f"set_learning_rate(optimizer, {rate})"
        return f'for group in optimizer.param_groups:\n    group["lr"] = {rate}'

    def _epoch_end(self) -> str:
        lines = []
        if self.length.steps is not None:
            lines += ["if step == STEPS:", "    break  # within the epoch"]
        lines.append("train_loss = loss_sum / len(inputs)")
        report = self.report("epoch {epoch}", train_loss=True)
        if self.length.print_every > 1:
            lines.append(f"if epoch % {self.length.print_every} == 0 or epoch == EPOCHS:")
            report = indented(report)
        lines.append(report)
        if self.patience or self.steering.watches:
            lines += self._watch().splitlines()
        return "\n".join(lines)

    def _watch(self) -> str:
        lines = []
        watched = "train_loss"
        if self.info.validation_size:
            watched = "validation_loss"
            names = "validation_loss, _" if self.classes else "validation_loss"
            lines.append(f"{names} = evaluate(network, validation)")
        if self.steering.watches:
            observe = f"schedule.observe({watched})"
            if "schedule" in self.steering.changes:
                observe = f'if hasattr(schedule, "observe"):\n    {observe}'
            lines.append(observe)
        if self.patience:
            about = "keep the best weights."
            if self.last:
                about = "keep the best weights, give up after PATIENCE worse epochs."
            lines.append(fill(_EARLY_STOPPING, watched=watched, about=about))
            if self.last and not self._waits_before:
                lines.append("    if waited == PATIENCE:\n        break")
        return "\n".join(lines)

    def after(self) -> str:
        """The end of the run: the weights are saved, and their hash is printed."""
        lines = []
        if self.patience:
            lines += ["if best is not None:", "    network.load_state_dict(best)"]
            lines += self.report("best epoch", train_loss=False).splitlines()
        elif self.length.steps is not None:
            lines += self.report("step {step}", train_loss=False).splitlines()
        state = "network.state_dict()"
        if self.setting.moved:
            state = "{name: tensor.cpu() for name, tensor in network.state_dict().items()}"
            lines += [f"state = {state}"]
            state = "state"
        lines += [f"torch.save({state}, options.save)", 'print(f"weights {weight_hash(network)}")']
        return "\n".join(lines)


_EARLY_STOPPING = """
    # Early stopping: $about
    if $watched < best_loss:
        best_loss, waited = $watched, 0
        best = copy.deepcopy(network.state_dict())
    else:
        waited += 1
"""

_RMSPROP_MOMENTUM = """
    # RMSprop itself makes what momentum remembers at its first step only.
    if name == "momentum" and value:
        for state in optimizer.state.values():
            empty = torch.zeros_like(state["square_avg"])
            state.setdefault("momentum_buffer", empty)
"""

RMSPROP_MOMENTUM_NOW = """
    # RMSprop itself makes what momentum remembers at its first step only.
    for state in optimizer.state.values():
        empty = torch.zeros_like(state["square_avg"])
        state.setdefault("momentum_buffer", empty)
"""

SET_LEARNING_RATE = '''
    def set_learning_rate(optimizer, rate):
        """ASGD prepares the rate of a step at the end of the one before: renew it."""
        for group in optimizer.param_groups:
            if group["lr"] == rate:
                continue
            group["lr"] = rate
            for state in optimizer.state.values():
                falling = 1 + group["lambd"] * rate * float(state["step"])
                state["eta"].fill_(rate / falling ** group["alpha"])
'''
