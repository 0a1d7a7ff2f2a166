"""The trainers of TRL, with events, validations, checkpoints and stopping as the request asks for them."""

import json
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import Trainer, TrainerCallback
from trl import DPOTrainer, SFTTrainer

from .errors import RunError, Terminated
from .events import Events
from .request import Request
from .run_folder import Progress, RunFolder, publish
from .stop import Stop
from .validation import Validation


@dataclass
class Plan:
    """What the loop needs to know beside what TRL does."""

    request: Request
    folder: RunFolder
    events: Events
    stop: Stop
    progress: Progress
    validation: Validation | None
    step_tokens: list[int]
    """Tokens of answers of each step."""

    def validates_at(self, step: int) -> bool:
        every = self.request.validate_every
        return self.validation is not None and every is not None and (step % every == 0 or step == self.request.steps)


def save_weights(model: Any, folder: Path, *, halved: bool = False) -> None:
    """The adapter in PEFT layout, or a whole model in Hugging Face layout."""
    if isinstance(model, PeftModel):
        # "ref" is the copy that preference training compares with. Whether embeddings were resized would be asked of the hub.
        model.save_pretrained(folder, selected_adapters=["default"], save_embedding_layers=False)
        # A form to fill in, which nobody does.
        (folder / "README.md").unlink(missing_ok=True)
    elif halved:
        _save_halved(model, folder)
    else:
        model.save_pretrained(folder)


def _save_halved(model: Any, folder: Path) -> None:
    weights: dict[str, Any] = {}
    converted: dict[int, Any] = {}
    for name, tensor in model.state_dict().items():
        # Weights under two names, as embeddings often are, must stay one.
        weights[name] = converted.setdefault(tensor.data_ptr(), tensor.to(torch.bfloat16))
    model.save_pretrained(folder, state_dict=weights)
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "bfloat16"}, indent=2) + "\n")


class Rhythm(TrainerCallback):
    """Says after each step what comes next."""

    def __init__(self, trainer: "Loop") -> None:
        self._trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.begin()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.step_began = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        plan = self._trainer.plan
        control.should_evaluate = plan.validates_at(state.global_step)
        control.should_save = state.global_step % plan.request.checkpoint_every == 0
        if plan.stop.agreed(self._trainer.accelerator):
            self._trainer.terminate()


class Loop(Trainer):
    """What both objectives have in common."""

    plan: Plan
    terminated = False
    step_began = 0.0

    def follow(self, plan: Plan) -> None:
        self.plan = plan
        # The loss is divided by the tokens of the whole batch, whatever the model's own loss can do.
        self.model_accepts_loss_kwargs = True
        self.add_callback(Rhythm(self))

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # It is encoded.

    def begin(self) -> None:
        """A validation before the first step, or one that a stop interrupted."""
        step = self.state.global_step
        if self.plan.validates_at(step) and self.plan.progress.validated_step != step:
            self.evaluate()
            if self.terminated:
                raise Terminated

    def terminate(self) -> None:
        """Write a checkpoint and leave the loop."""
        self.terminated = True
        self.control.should_save = True
        self.control.should_evaluate = False
        self.control.should_training_stop = True

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        self._metrics["train"].clear()
        if "loss" not in logs:
            return
        step = self.state.global_step
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs["grad_norm"]):
            raise RunError(f"step {step}: the loss is {logs['loss']} and its gradient {logs['grad_norm']}: lower `learning_rate`")
        self.plan.events.emit(
            "step",
            step=step,
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            grad_norm=logs["grad_norm"],
            tokens=self.plan.step_tokens[step - 1],
            seconds=round(time.monotonic() - self.step_began, 3),
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        self.control.should_evaluate = False
        loss = self._validation_loss()
        if loss is not None:
            self._book(loss)
        return {}

    def _validation_loss(self) -> float | None:
        """The loss of all validation rows, or `None` if the process was asked to stop meanwhile."""
        assert self.plan.validation is not None
        self.model.eval()
        total, weight = 0.0, 0
        for batch in self.plan.validation.batches:
            if self.plan.stop.agreed(self.accelerator):
                self.terminate()
                return None
            inputs = self._prepare_inputs(self.data_collator(batch.rows))
            with torch.no_grad(), self.compute_loss_context_manager():
                total += float(self.compute_loss(self.model, inputs)) * batch.weight
            weight += batch.weight
        self._metrics["eval"].clear()
        if self.accelerator.num_processes > 1:
            sums = torch.tensor([[total, weight]], dtype=torch.float64, device=self.accelerator.device)
            total, weight = self.accelerator.gather(sums).sum(dim=0).tolist()
        return total / weight

    def _book(self, loss: float) -> None:
        plan, step = self.plan, self.state.global_step
        assert plan.validation is not None
        if not math.isfinite(loss):
            raise RunError(f"step {step}: the validation loss is {loss}: lower `learning_rate`")
        plan.events.emit("validation", step=step, loss=loss, tokens=plan.validation.tokens)
        progress = plan.progress
        progress.validated_step = step
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_step, progress.best_loss, progress.misses = step, loss, 0
            self._save_best(step)
        else:
            progress.misses += 1
        if plan.request.patience is not None and progress.misses >= plan.request.patience and step < plan.request.steps:
            progress.stopped_early = True
            self.control.should_training_stop = True

    def _save_best(self, step: int) -> None:
        folder = self.plan.folder
        self._publish(folder.staging_best(), folder.best(step))

    def save_last(self) -> None:
        """Without validation the result is what the last step left."""
        folder = self.plan.folder
        self._publish(folder.path / f".partial-{folder.result.name}", folder.result)

    def _publish(self, staging: Path, final: Path) -> None:
        if self.accelerator.is_main_process:
            shutil.rmtree(staging, ignore_errors=True)
            model = self.accelerator.unwrap_model(self.model)
            save_weights(model, staging, halved=self.plan.request.precision == "bf16")
            if not isinstance(model, PeftModel):
                self.processing_class.save_pretrained(staging)
            publish(staging, final)
        self.accelerator.wait_for_everyone()

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        assert output_dir is not None
        save_weights(self.accelerator.unwrap_model(self.model), Path(output_dir))

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.plan.folder.path / "checkpoints")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        plan, step = self.plan, self.state.global_step
        if self.accelerator.is_main_process:
            shutil.rmtree(plan.folder.staging, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._write_state(plan.folder.staging)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            plan.folder.finish_checkpoint(step, plan.progress, plan.request.keep_checkpoints)
        self.accelerator.wait_for_everyone()
        self.control.should_save = False
        plan.events.emit("checkpoint", step=step)

    def _write_state(self, staging: Path) -> None:
        """What `Trainer.train` reads when it goes on from a checkpoint."""
        if self.accelerator.is_main_process:
            self._save(str(staging))
            self.state.save_to_json(str(staging / "trainer_state.json"))
        self._save_optimizer_and_scheduler(str(staging))
        self._save_rng_state(str(staging))


class SftLoop(Loop, SFTTrainer):
    pass


class DpoLoop(Loop, DPOTrainer):
    pass
