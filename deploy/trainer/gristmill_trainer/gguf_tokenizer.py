"""The tokenizer of a GGUF file, built from the vocabulary and the merges in it.

Conversions by rule of thumb get details wrong (a space before the first word, digits that stay together), and a tokenizer that is slightly
wrong trains a model that is slightly wrong. So each way of splitting text is listed here by the name that the file gives it, and a name that is
not listed is an error.
"""

from pathlib import Path
from typing import Any

from gguf import GGUFReader
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from .errors import RequestError

_CONTROL, _USER_DEFINED = 3, 4

_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def _split(pattern: str) -> Any:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def _splitting(name: str) -> Any:
    """How text is split before merging, by `tokenizer.ggml.pre`."""
    match name:
        case "gpt-2":
            return pre_tokenizers.ByteLevel(add_prefix_space=False)
        case "smollm":
            return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
        case "llama-bpe":
            return _split(_LLAMA3)
        case "qwen2":
            return _split(_QWEN2)
        case _:
            return None


def _byte_pairs(fields: dict[str, Any], path: Path) -> Tokenizer:
    name = str(fields.get("tokenizer.ggml.pre", ""))
    splitting = _splitting(name)
    if splitting is None:
        raise RequestError(
            f"{path}: its tokenizer splits text in a way that is not known here (tokenizer.ggml.pre is `{name}`): "
            "give the model as a folder in Hugging Face layout instead"
        )
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in fields.get("tokenizer.ggml.merges", [])]
    # Llama 3 takes a word that is in the vocabulary as it is.
    model = BPE({token: index for index, token in enumerate(tokens)}, merges, ignore_merges=name == "llama-bpe")
    tokenizer = Tokenizer(model)
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = splitting
    tokenizer.decoder = decoders.ByteLevel()
    kinds: list[int] = fields["tokenizer.ggml.token_type"]
    tokenizer.add_special_tokens([AddedToken(tokens[i], special=True, normalized=False) for i, kind in enumerate(kinds) if kind == _CONTROL])
    tokenizer.add_tokens([AddedToken(tokens[i], normalized=False) for i, kind in enumerate(kinds) if kind == _USER_DEFINED])
    return tokenizer


def _check_ids(tokenizer: Any, tokens: list[str], path: Path) -> None:
    """Each token of the file must have its place in the tokenizer, or rows would be other tokens to the model than they are here."""
    for index, token in enumerate(tokens):
        if tokenizer.convert_tokens_to_ids(token) != index and tokens.index(token) == index:
            raise RequestError(f"{path}: token {index} of its vocabulary ({token!r}) has another number in the tokenizer built from it")


def load(path: Path) -> Any:
    """The tokenizer of a GGUF file, as transformers knows them, with the file's chat template."""
    reader = GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items() if name.startswith("tokenizer.")}
    if "tokenizer.ggml.tokens" not in fields:
        raise RequestError(f"{path}: holds no tokenizer: give the model as a folder in Hugging Face layout instead")
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    if fields.get("tokenizer.ggml.model") == "gpt2":
        special = {}
        for role in ("bos", "eos", "unknown", "padding"):
            index = fields.get(f"tokenizer.ggml.{role}_token_id")
            if index is not None:
                special[{"unknown": "unk", "padding": "pad"}.get(role, role) + "_token"] = tokens[index]
        tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=_byte_pairs(fields, path), **special)
        tokenizer.chat_template = fields.get("tokenizer.chat_template")
    else:
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    _check_ids(tokenizer, tokens, path)
    return tokenizer
