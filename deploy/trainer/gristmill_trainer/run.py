"""A run from its request to its result."""

import contextlib
import math
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
import torch.utils.deterministic
from accelerate import PartialState
from datasets import Dataset, Features, List, Value
from transformers.utils.logging import disable_progress_bar
from trl import DPOConfig, SFTConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from . import base as bases
from .encode import Encoder, Examples
from .errors import RequestError, Terminated
from .events import Events, log
from .request import Request
from .run_folder import Progress, RunFolder
from .stop import Stop
from .trainers import DpoLoop, Plan, SftLoop, save_weights
from .validation import deal


@dataclass(frozen=True)
class Options:
    """What a run is told beside its request, and what changes no loss."""

    gradient_checkpointing: bool | None


def on_gpu() -> bool:
    return bool(torch.cuda.is_available())


def micro_batch(request: Request, processes: int) -> int:
    """Rows of a process at a time: as many as allowed, such that each process has the same number each time."""
    if request.batch_rows % processes:
        raise RequestError(f"`batch_rows` is {request.batch_rows}, which {processes} processes cannot share evenly")
    share = request.batch_rows // processes
    size = next(size for size in range(min(request.micro_batch_rows, share), 0, -1) if share % size == 0)
    if size < request.micro_batch_rows:
        log(f"rows go through the model {size} at a time, so that {processes} process(es) share {request.batch_rows} rows a step evenly")
    return size


def arguments(request: Request, options: Options, processes: int) -> dict[str, Any]:
    """The arguments of TRL that both objectives share."""
    size = micro_batch(request, processes)
    saves_memory = on_gpu() if options.gradient_checkpointing is None else options.gradient_checkpointing
    return {
        "output_dir": str(request.out / "checkpoints"),
        "max_steps": request.steps,
        "per_device_train_batch_size": size,
        "gradient_accumulation_steps": request.batch_rows // processes // size,
        "train_sampling_strategy": "sequential",
        "learning_rate": request.learning_rate,
        "weight_decay": request.weight_decay,
        "optim": "adamw_torch",
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "max_grad_norm": request.max_grad_norm,
        "lr_scheduler_type": request.schedule,
        "warmup_steps": math.ceil(request.warmup * request.steps),
        "bf16": request.precision == "bf16",
        "use_cpu": not on_gpu(),
        "seed": request.seed,
        "gradient_checkpointing": saves_memory,
        # A batch's rows are in this process already; workers would only be one more thing to wait for.
        "dataloader_num_workers": 0,
        "average_tokens_across_devices": True,
        "router_aux_loss_coef": 0.0,
        "logging_strategy": "steps",
        "logging_steps": 1,
        # A loss that is not a number must be seen.
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "max_length": None,
    }


def dataset(examples: Examples) -> Any:
    """Distinct examples once, and their order on top."""
    names = list(examples.distinct[0].columns)
    columns = {name: [numpy.asarray(example.columns[name]) for example in examples.distinct] for name in names}
    held = Dataset.from_dict(columns, features=Features({name: List(Value("int32")) for name in names}))
    return held.select(examples.order)


def steps_tokens(examples: Examples, request: Request) -> list[int]:
    starts = range(0, len(examples), request.batch_rows)
    return [examples.tokens(range(start, start + request.batch_rows)) for start in starts]


def settle() -> None:
    """The same request must give the same losses each time, also on a GPU, as far as its kernels can. Logs are for files, not for screens."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    disable_progress_bar()


def build(request: Request, options: Options, base: bases.Base, tokenizer: Any, training: Examples, processes: int) -> Any:
    """The trainer of the request's objective."""
    model = bases.load_for(request, base)
    bases.check_fit(model, training.longest(), training.highest_token())
    shared = arguments(request, options, processes)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    given: dict[str, Any] = {"processing_class": tokenizer, "train_dataset": dataset(training)}
    if request.lora and (request.objective == "sft" or request.initial_adapter):
        given["model"] = bases.add_adapter(model, request.lora, request.seed, request.initial_adapter)
    else:
        given["model"] = model
        # Given an adapter, TRL would keep a copy to compare with. A new one changes nothing, so the base itself will do.
        given["peft_config"] = bases.lora_config(request.lora) if request.lora else None
    if request.objective == "sft":
        return SftLoop(args=SFTConfig(**shared), data_collator=DataCollatorForLanguageModeling(pad_token_id=pad), **given)
    if request.method == "full":
        given["ref_model"] = bases.load_for(request, base)
    config = DPOConfig(**shared, beta=request.beta, loss_type=["sigmoid"], disable_dropout=False)
    trainer = DpoLoop(args=config, data_collator=DataCollatorForPreference(pad_token_id=pad), **given)
    still_reference(trainer.model)
    return trainer


def still_reference(model: Any) -> None:
    """What an adapter in training is compared with must not be noisy: no dropout in the copy."""
    for module in model.modules():
        if "ref" in getattr(module, "lora_dropout", {}):
            module.lora_dropout["ref"] = torch.nn.Identity()


def peak_memory(accelerator: Any) -> int:
    """Bytes at the peak: of the GPU where there is one, else of the process. Of several processes, the most."""
    if on_gpu():
        peak = int(torch.cuda.max_memory_allocated())
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if accelerator.num_processes == 1:
        return peak
    return int(accelerator.gather(torch.tensor([peak], device=accelerator.device)).max().item())


def write_initial_adapter(request: Request, folder: str) -> None:
    """The adapter that a request starts from, for another trainer to start from the same."""
    if request.lora is None:
        raise RequestError('an initial adapter needs `method` "lora"')
    settle()
    base = bases.locate(request.base)
    model = bases.add_adapter(bases.load_for(request, base), request.lora, request.seed, request.initial_adapter)
    save_weights(model, Path(folder))


def encode(request: Request, tokenizer: Any) -> tuple[Examples, Examples | None]:
    encoder = Encoder(tokenizer, request.objective, request.max_tokens)
    training = encoder.encode_file(request.rows)
    wanted = request.steps * request.batch_rows
    if len(training) != wanted:
        raise RequestError(
            f"{request.rows} has {len(training)} rows, and {request.steps} steps of {request.batch_rows} rows need {wanted}: "
            "repeat the rows in the order in which they are to be trained on"
        )
    return training, encoder.encode_file(request.validation) if request.validation else None


def run(request: Request, options: Options, events: Events, stop: Stop) -> None:
    """Train, or go on training, until the request is fulfilled or the process is asked to stop."""
    began = time.monotonic()
    settle()
    state = PartialState(cpu=not on_gpu())
    if os.environ.get("ACCELERATE_USE_FSDP") == "true" or os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        raise RequestError("FSDP and DeepSpeed are not supported: launch with `--multi_gpu`, so that each process holds the whole base")
    folder = RunFolder(request.out, request.method)
    if not state.is_main_process:
        state.wait_for_everyone()
        _train(request, options, events, stop, folder, state, began)
        return
    with folder.lock():
        folder.claim(request.fingerprint)
        state.wait_for_everyone()
        _train(request, options, events, stop, folder, state, began)


def _train(request: Request, options: Options, events: Events, stop: Stop, folder: RunFolder, state: Any, began: float) -> None:
    base = bases.locate(request.base)
    # One process fetches what is not here yet, before the others need it.
    first_fetches = contextlib.nullcontext if base.path.exists() else state.main_process_first
    with first_fetches():
        tokenizer = bases.load_tokenizer(base)
    training, validation = encode(request, tokenizer)
    with first_fetches():
        trainer = build(request, options, base, tokenizer, training, state.num_processes)
    checkpoint = folder.newest_checkpoint()
    progress = folder.progress(checkpoint)
    size = trainer.args.per_device_train_batch_size
    dealt = deal(validation, request.objective, size, state.process_index, state.num_processes) if validation else None
    if validation:
        bases.check_fit(trainer.model, validation.longest(), validation.highest_token())
    trainer.follow(Plan(request, folder, events, stop, progress, dealt, steps_tokens(training, request)))
    trainable = sum(parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad)
    finished = folder.done()
    resumed = request.steps if finished else folder.step(checkpoint)
    events.emit("start", steps=request.steps, resumed=resumed, trainable=trainable, tokens=training.tokens(range(len(training))))
    if finished:
        log(f"{request.out} is done already")
        events.emit(**finished)
        return
    if checkpoint:
        log(f"resuming from {checkpoint}")
    stop.defer()
    if not progress.stopped_early:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if trainer.terminated:
            raise Terminated
    _finish(trainer, folder, progress, began)


def _finish(trainer: Any, folder: RunFolder, progress: Progress, began: float) -> None:
    accelerator, plan = trainer.accelerator, trainer.plan
    best = progress.best_step
    if best is None:
        trainer.save_last()
        best = plan.request.steps
    elif accelerator.is_main_process:
        folder.publish_best(best)
    event = {
        "event": "done",
        "best_step": best,
        "reason": "early_stopping" if progress.stopped_early else "steps",
        "seconds": round(time.monotonic() - began, 3),
        "peak_memory_bytes": peak_memory(accelerator),
    }
    if accelerator.is_main_process:
        folder.finish(event)
    accelerator.wait_for_everyone()
    plan.events.emit(**event)
