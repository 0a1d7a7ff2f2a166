"""Which tokens of a row count."""

from conftest import build_tokenizer, dpo_row, says, sft_row

from gristmill_trainer.encode import IGNORED, Encoder
from gristmill_trainer.rows import Row


def row(answer: str, prompt: str = "hi") -> Row:
    return Row("r", [says("user", prompt)], ([says("assistant", answer)],), "rows.jsonl:1")


def test_the_answer_and_the_end_of_its_turn_count() -> None:
    tokenizer = build_tokenizer()
    example = Encoder(tokenizer, "sft", 128).encode(row("yes"))
    ids, labels = example.columns["input_ids"].tolist(), example.columns["labels"].tolist()
    assert tokenizer.decode(ids) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"
    counted = [label for label in labels if label != IGNORED]
    assert tokenizer.decode(counted) == "yes<|im_end|>\n"
    assert labels == [IGNORED] * (len(ids) - len(counted)) + counted
    assert (example.length, example.tokens) == (len(ids), len(counted))


def test_what_the_template_adds_only_before_an_open_turn_is_left_out() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>{% endif %}")
    columns = Encoder(tokenizer, "sft", 128).encode(row("yes")).columns
    assert tokenizer.decode([label for label in columns["labels"] if label != IGNORED]) == "yes<|im_end|>\n"


def test_both_answers_of_a_pair_follow_one_prompt() -> None:
    tokenizer = build_tokenizer()
    given = dpo_row(3)
    pair = Row("r", given["prompt"], (given["chosen"], given["rejected"]), "rows.jsonl:1")
    example = Encoder(tokenizer, "dpo", 128).encode(pair)
    assert tokenizer.decode(example.columns["prompt_ids"].tolist()).endswith("<|im_start|>assistant\n")
    assert tokenizer.decode(example.columns["chosen_ids"].tolist()) == "6<|im_end|>\n"
    assert tokenizer.decode(example.columns["rejected_ids"].tolist()) == "no idea<|im_end|>\n"
    assert example.tokens == len("6" + "no idea") + 4
    assert sft_row(3)["completion"] == given["chosen"]
