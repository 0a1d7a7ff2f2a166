"""A GGUF file as the base: its tokenizer, its weights, and a run on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from conftest import TEMPLATE, Request, Trainer, losses
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from gristmill_trainer import base as bases
from gristmill_trainer import gguf_tokenizer
from gristmill_trainer.errors import RequestError

SPECIAL = ["<|im_start|>", "<|im_end|>"]


def write_tokenizer(writer: gguf.GGUFWriter, splitting: str, merges: list[str]) -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *SPECIAL, *(merge.replace(" ", "") for merge in merges)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitting)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_chat_template(TEMPLATE)


def finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tokenizer_file(path: Path, splitting: str, merges: list[str]) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    write_tokenizer(writer, splitting, merges)
    return finish(writer, path)


def pieces(path: Path, text: str) -> list[str]:
    return [str(piece) for piece in gguf_tokenizer.load(path).tokenize(text)]


def test_digits_stay_apart_and_no_space_is_added(tmp_path: Path) -> None:
    merges = ["Ġ 1", "1 2", "u s", "e r", "us er"]
    smollm = tokenizer_file(tmp_path / "smollm.gguf", "smollm", merges)
    assert pieces(smollm, "<|im_start|>user\n") == ["<|im_start|>", "user", "Ċ"]
    assert pieces(smollm, "a 123") == ["a", "Ġ", "1", "2", "3"]
    assert pieces(tokenizer_file(tmp_path / "gpt2.gguf", "gpt-2", merges), "a 123") == ["a", "Ġ1", "2", "3"]
    assert pieces(tokenizer_file(tmp_path / "qwen.gguf", "qwen2", merges), "a 123") == ["a", "Ġ", "1", "2", "3"]
    assert pieces(tokenizer_file(tmp_path / "llama.gguf", "llama-bpe", merges), "a 123") == ["a", "Ġ", "12", "3"]
    tokenizer = gguf_tokenizer.load(smollm)
    text = "<|im_start|>user\nIn 2023, 12,345 of 67  (3.5%)\n\n  é½<|im_end|>\n"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_an_unknown_way_to_split_text_is_refused(tmp_path: Path) -> None:
    path = tokenizer_file(tmp_path / "odd.gguf", "odd-bpe", [])
    with pytest.raises(RequestError, match=r"`odd-bpe`.*folder in Hugging Face layout"):
        gguf_tokenizer.load(path)


NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def interleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows in the order in which GGUF files of Llama models keep them."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def write_model(model: Any, path: Path) -> Path:
    """A model of the tests as a GGUF file, with its matrices in blocks of 8 bits."""
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    write_tokenizer(writer, "smollm", [])
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
    for name, tensor in model.state_dict().items():
        weight = tensor.float()
        if name in whole:
            stored = whole[name]
        else:
            _, _, layer, rest = name.split(".", 3)
            stored = f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"
            if "q_proj" in name or "k_proj" in name:
                weight = interleaved(weight, config.num_attention_heads if "q_proj" in name else config.num_key_value_heads)
        kind = gguf.GGMLQuantizationType.Q8_0 if weight.dim() == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(stored, gguf.quants.quantize(weight.numpy(), kind), raw_dtype=kind)
    return finish(writer, path)


def rounded(weight: torch.Tensor) -> torch.Tensor:
    """What is left of a matrix once it was stored in blocks of 8 bits."""
    kind = gguf.GGMLQuantizationType.Q8_0
    return torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(weight.numpy(), kind), kind))


@pytest.fixture
def gguf_model(tmp_path: Path, model_folder: Path) -> Path:
    return write_model(LlamaForCausalLM.from_pretrained(model_folder), tmp_path / "model.gguf")


def test_weights_are_unpacked_and_in_their_places(gguf_model: Path, model_folder: Path) -> None:
    unpacked = bases.load_model(bases.locate(str(gguf_model)), torch.float32).eval()
    plain = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    for parameter in plain.parameters():
        if parameter.dim() == 2:
            parameter.data = rounded(parameter.data)
    ids = torch.arange(0, 64)[None]
    with torch.no_grad():
        torch.testing.assert_close(unpacked(ids).logits, plain(ids).logits, atol=1e-4, rtol=1e-4)
    assert {type(module).__name__ for module in unpacked.modules() if hasattr(module, "in_features")} == {"Linear"}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_run_on_a_gguf_file(request_of: Callable[..., Request], trainer: Trainer, gguf_model: Path, method: str) -> None:
    request = request_of(base=str(gguf_model), method=method, steps=2, learning_rate=1e-3)
    events = trainer.run(request)
    plain = trainer.run(request_of(method=method, steps=2, learning_rate=1e-3) | {"out": request["out"] + "-plain"})
    assert losses(events)[1] == pytest.approx(losses(plain)[1], rel=0.05)
    if method == "full":
        saved = AutoModelForCausalLM.from_pretrained(f"{request['out']}/model")
        assert not hasattr(saved.config, "quantization_config")
