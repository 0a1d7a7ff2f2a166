"""The base model and its tokenizer, and the adapter that training starts from."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from peft.utils import load_peft_weights
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig, set_seed

from . import gguf_tokenizer
from .errors import RequestError
from .request import Lora, Request

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class Base:
    """Where a base model is. Of the last two, a GGUF file has `file` and everything else does not."""

    name: str
    """What transformers opens: a folder, or the name of a repository of the hub."""
    file: str | None

    @property
    def path(self) -> Path:
        return Path(self.name) / self.file if self.file else Path(self.name)


def locate(base: str) -> Base:
    """Find out what `base` names, before anything slow is done."""
    path = Path(base).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise RequestError(f"`base`: there is no file {path}")
        return Base(str(path.parent), path.name)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise RequestError(f"`base`: {path} holds no config.json, so it is not a model in Hugging Face layout")
        return Base(str(path), None)
    if path.is_absolute() or not _HUB_ID.fullmatch(base):
        raise RequestError(f"`base`: {base} is neither a .gguf file, nor a folder, nor the name of a repository of the hub (OWNER/NAME)")
    return Base(base, None)


def load_tokenizer(base: Base) -> Any:
    try:
        return gguf_tokenizer.load(base.path) if base.file else AutoTokenizer.from_pretrained(base.name)
    except (OSError, ValueError) as error:
        raise RequestError(f"`base`: cannot load the tokenizer of {base.path}: {error}") from error


def _without_dropout(config: Any) -> Any:
    """The base's own dropout is turned off: only the adapter's, which the request names, is used."""
    for part in (config, config.get_text_config()):
        for name, value in vars(part).items():
            if re.search(r"(dropout|_pdrop)$", name) and isinstance(value, float):
                setattr(part, name, 0.0)
    return config


def load_model(base: Base, dtype: Any) -> Any:
    """The base with its weights unpacked, in one type of number."""
    where: dict[str, Any] = {"gguf_file": base.file} if base.file else {}
    try:
        config = _without_dropout(AutoConfig.from_pretrained(base.name, **where))
        if base.file:
            # Without this they may stay packed, and cannot be trained.
            where["quantization_config"] = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(base.name, config=config, dtype=dtype, **where)
    except (OSError, ValueError) as error:
        raise RequestError(f"`base`: cannot load {base.path}: {error}") from error
    if base.file:
        _forget_packing(model)
    return model


def _forget_packing(model: Any) -> None:
    """The weights are plain numbers now: what is said of their blocks would keep the model from being trained and saved."""
    model.is_quantized = False
    model.hf_quantizer = None
    model.quantization_method = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def check_fit(model: Any, longest: int, highest_token: int) -> None:
    """Whether the rows are such that the model can read them."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and longest > positions:
        raise RequestError(f"the longest row has {longest} tokens, and the base reads {positions}: lower `max_tokens`")
    embeddings = model.get_input_embeddings().weight.shape[0]
    if highest_token >= embeddings:
        raise RequestError(f"the tokenizer gives token {highest_token}, and the base has {embeddings}: they do not belong together")


def lora_config(lora: Lora) -> Any:
    """LoRA on all linear layers, except the one that gives the next token."""
    return LoraConfig(
        r=lora.rank,
        # Readers of adapters expect a whole number where it is one.
        lora_alpha=int(lora.alpha) if lora.alpha.is_integer() else lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        bias="none",
        task_type="CAUSAL_LM",
    )


def add_adapter(model: Any, lora: Lora, seed: int, initial: Path | None) -> Any:
    """The base with an adapter whose A is drawn with the seed and whose B is 0, or with the one in a folder."""
    set_seed(seed)
    model = get_peft_model(model, lora_config(lora))
    if initial is not None:
        _load_adapter(model, initial, lora)
    return model


def _load_adapter(model: Any, folder: Path, lora: Lora) -> None:
    try:
        config = LoraConfig.from_pretrained(folder)
        weights = load_peft_weights(str(folder), device="cpu")
    except (OSError, ValueError, TypeError) as error:
        raise RequestError(f"`initial_adapter`: cannot load {folder}: {error}") from error
    if (config.r, float(config.lora_alpha)) != (lora.rank, lora.alpha):
        raise RequestError(
            f"`initial_adapter`: {folder} has rank {config.r} and alpha {config.lora_alpha:g}, "
            f"and the request rank {lora.rank} and alpha {lora.alpha:g}"
        )
    try:
        result = set_peft_model_state_dict(model, weights)
    except RuntimeError as error:
        raise RequestError(f"`initial_adapter`: {folder} does not fit the base: {error}") from error
    missing = [name for name in result.missing_keys if "lora_" in name]
    if missing or result.unexpected_keys:
        name = (missing or result.unexpected_keys)[0]
        raise RequestError(f"`initial_adapter`: {folder} {'lacks' if missing else 'has, and the base has not,'} {name}")


def load_for(request: Request, base: Base) -> Any:
    """The model that a request trains, without an adapter yet. Frozen weights are in the request's precision, trained ones in f32."""
    halved = request.precision == "bf16" and request.method == "lora"
    return load_model(base, torch.bfloat16 if halved else torch.float32)
