"""The teaching itself. The only module that imports torch, transformers and peft; it runs in a child process."""

from __future__ import annotations

import io
import pickle
import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jinja2.sandbox
import msgspec
import numpy as np
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import LlamaConfig, LlamaForCausalLM

from evals.distill.example import Example
from evals.distill.folder import write_json, write_whole
from evals.distill.trainers.base import Student, Tell, TrainingError
from evals.distill.trainers.files import sha256_of
from evals.distill.trainers.gguf_check import check_vocabulary
from evals.distill.trainers.gguf_tensors import Changed, Floats, Tensor, numbers_of, tensors_of, write_like
from evals.distill.trainers.llama_gguf import (
    Base,
    checkpoint_name,
    heads_of,
    read_base,
    to_rotary_halves,
    to_rotary_pairs,
    tokenizer_of,
)
from evals.distill.trainers.local import Recipe
from evals.distill.trainers.rows import dataset_hash, labelled, recipe_hash, settings_of, teacher_of

_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_LEAST = 0.02  # probability of an answer that is worth a sequence of its own


class Tokens(NamedTuple):
    """A row in tokens: ``ids`` from ``begin`` on are learned, with this weight."""

    ids: list[int]
    begin: int
    weight: float


def teach(path: Path, rows: Path, out: Path, recipe: Recipe, held: Sequence[Path], tell: Tell) -> Student:
    """Teach the model at ``path``; see ``Local.train``."""
    begun = time.monotonic()
    base = read_base(path)
    found = labelled(rows, *held)
    out.mkdir(parents=True, exist_ok=True)
    key = {"data": dataset_hash(rows), "recipe": recipe_hash(recipe), "base": sha256_of(path)}
    learned = _sequences(found, base, recipe)
    torch.manual_seed(recipe.seed)
    tell("loading", 0.0)
    model = _adapted(_load(path, base), base, recipe)
    losses, before = _learn(model, learned, recipe, key, out / "checkpoint.pt", tell)
    tell("writing", 0.97)
    weights = out / "model.gguf"
    _write(path, weights, base, get_peft_model_state_dict(model), recipe)
    sha256 = sha256_of(weights)
    student = Student(
        kind="gguf", name=f"student-{sha256[:12]}", weights=weights.name, sha256=sha256, base=path.stem,
        teacher=teacher_of(found), dataset_hash=key["data"], recipe_hash=key["recipe"],
        seconds=round(before + time.monotonic() - begun, 1), rows=len(found), losses=tuple(losses),
        settings=settings_of(recipe) | {"base_sha256": key["base"], "sequences": len(learned)},
    )  # fmt: skip
    write_json(out / "student.json", msgspec.to_builtins(student))
    (out / "checkpoint.pt").unlink(missing_ok=True)
    tell("done", 1.0)
    return student


# --- rows --------------------------------------------------------------------------------------------


def _sequences(rows: Sequence[Example], base: Base, recipe: Recipe) -> list[Tokens]:
    tokenizer = tokenizer_of(base)
    template = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(
        base.template
    )
    special = {"bos_token": base.tokens[base.begin], "eos_token": base.tokens[base.end]}
    made: list[Tokens] = []
    for row in rows:
        messages = [{"role": m.role, "content": m.content} for m in row.messages]
        asked = template.render(messages=messages, add_generation_prompt=True, **special)
        head = tokenizer.encode(asked, add_special_tokens=False).ids
        for answer, weight in _answers(row, soft=recipe.soft):
            ids = [*head, *tokenizer.encode(answer, add_special_tokens=False).ids, base.end]
            if len(ids) <= recipe.longest:
                made.append(Tokens(ids, len(head), weight))
    if not made:
        raise TrainingError(f"every row is longer than {recipe.longest} tokens")
    return made


def _answers(row: Example, *, soft: bool) -> list[tuple[str, float]]:
    """The cross-entropy to a teacher's probabilities of whole answers is the weighted sum over those answers."""
    assert row.answer is not None
    if not soft or not row.soft:
        return [(row.answer, 1.0)]
    nats = np.array(list(row.soft.values()))
    shares = np.exp(nats - nats.max())
    shares /= shares.sum()
    kept = [(text, float(share)) for text, share in zip(row.soft, shares, strict=True) if share >= _LEAST]
    total = sum(share for _, share in kept)
    return [(text, share / total) for text, share in kept]


# --- learning ----------------------------------------------------------------------------------------


def _learn(
    model: Any, learned: list[Tokens], recipe: Recipe, key: dict[str, str], checkpoint: Path, tell: Tell
) -> tuple[list[tuple[int, float]], float]:
    """Gives back the losses, and the seconds of runs before this one."""
    begun = time.monotonic()
    free = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(free, lr=recipe.rate, weight_decay=0.0)
    a_pass = -(-len(learned) // recipe.batch)
    steps = min(recipe.epochs * a_pass, recipe.most_steps or recipe.epochs * a_pass)
    warm = max(1, steps // 20)
    losses: list[tuple[int, float]] = []
    first, before = 0, 0.0
    if checkpoint.exists():
        kept = _kept(checkpoint)
        if kept.get("key") == key:
            set_peft_model_state_dict(model, kept["adapter"])
            optimizer.load_state_dict(kept["optimizer"])
            first, before, losses = kept["step"], kept["seconds"], [tuple(pair) for pair in kept["losses"]]
    model.train()
    for step in range(first, steps):
        epoch, at = divmod(step, a_pass)
        order = random.Random(f"{recipe.seed}/{epoch}").sample(range(len(learned)), len(learned))  # noqa: S311
        batch = [learned[place] for place in order[at * recipe.batch : (at + 1) * recipe.batch]]
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * min((step + 1) / warm, (steps - step) / max(1, steps - warm))
        loss = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(free, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append((step + 1, round(float(loss.detach()), 5)))
        tell(f"step {step + 1} of {steps}, loss {losses[-1][1]:.3f}", 0.05 + 0.9 * (step + 1) / steps)
        if (step + 1) % recipe.every == 0 or step + 1 == steps:
            seconds = before + time.monotonic() - begun
            _keep(checkpoint, {"key": key, "step": step + 1, "adapter": get_peft_model_state_dict(model),
                               "optimizer": optimizer.state_dict(), "losses": losses, "seconds": seconds})  # fmt: skip
    return losses, before


def _kept(checkpoint: Path) -> dict[str, Any]:
    """What a run before this one left; nothing where it cannot be read, for then we begin anew."""
    try:
        found: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        return {}
    return found


def _keep(checkpoint: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint as a whole.

    Raises:
        OSError: it cannot be written (torch itself would say so by a RuntimeError); the one before stays.
    """
    data = io.BytesIO()
    torch.save(state, data)
    write_whole(checkpoint, data.getvalue())


def _loss(model: Any, batch: Sequence[Tokens]) -> torch.Tensor:
    """Mean over rows of the negative log-likelihood of the answer's tokens, in nats a token."""
    longest = max(len(one.ids) for one in batch)
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    weight = torch.zeros((len(batch), longest))
    for at, one in enumerate(batch):
        ids[at, : len(one.ids)] = torch.tensor(one.ids)
        mask[at, : len(one.ids)] = 1
        weight[at, one.begin : len(one.ids)] = one.weight
    hidden = model.base_model.model.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]
    wanted = weight[:, 1:] > 0  # the vocabulary is the largest matrix: only the answer's places meet it
    scores = model.base_model.model.lm_head(hidden[wanted]).float()
    nats = torch.nn.functional.cross_entropy(scores, ids[:, 1:][wanted], reduction="none")
    weights = weight[:, 1:][wanted]
    return (nats * weights).sum() / weights.sum()


# --- weights -----------------------------------------------------------------------------------------


def _load(path: Path, base: Base) -> LlamaForCausalLM:
    tensors = tensors_of(path)
    tied = "output.weight" not in tensors
    config = LlamaConfig(
        vocab_size=len(base.tokens), hidden_size=base.width, intermediate_size=base.inner,
        num_hidden_layers=base.layers, num_attention_heads=base.heads, num_key_value_heads=base.kv_heads,
        max_position_embeddings=base.context, rms_norm_eps=base.epsilon, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": base.theta}, attn_implementation="sdpa",
    )  # fmt: skip
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model = model.to_empty(device="cpu")  # 32 bits: without AMX, 16 take ten times as long on a processor
    model.model.rotary_emb = type(model.model.rotary_emb)(config)  # its frequencies are no weights
    state = {}
    for tensor in tensors.values():
        rows = numbers_of(tensor)
        heads = heads_of(tensor.name, base)
        rows = rows if heads is None else to_rotary_halves(rows, heads)
        state[checkpoint_name(tensor.name)] = torch.from_numpy(np.ascontiguousarray(rows))
    missing, unexpected = model.load_state_dict(state, strict=False)
    left = set(missing) - ({"lm_head.weight"} if tied else set())
    if left or unexpected:
        raise TrainingError(f"the file's tensors are not those of a Llama: {sorted([*left, *unexpected])[:3]}")
    model.tie_weights()
    return model


def _adapted(model: LlamaForCausalLM, base: Base, recipe: Recipe) -> Any:
    upper = list(range(base.layers - max(1, round(base.layers * recipe.layers)), base.layers))
    return get_peft_model(
        model,
        LoraConfig(
            r=recipe.rank, lora_alpha=round(recipe.scale * recipe.rank), target_modules=_LINEAR,
            layers_to_transform=upper, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
        ),
    )  # fmt: skip


def _write(path: Path, target: Path, base: Base, adapter: dict[str, torch.Tensor], recipe: Recipe) -> None:
    """The base's file with the adapters merged in, as 16-bit floats; what was not adapted keeps its own numbers.

    The sum is made in 32 bits, from the file's own weights.
    """
    new = target.with_suffix(".new")
    try:
        write_like(path, new, _merged(path, base, adapter, recipe))
        check_vocabulary(new, path)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def _merged(path: Path, base: Base, adapter: dict[str, torch.Tensor], recipe: Recipe) -> dict[str, Changed]:
    """Of each tensor that has an adapter, how its new numbers are made."""
    scale = round(recipe.scale * recipe.rank) / recipe.rank

    def sum_of(tensor: Tensor, name: str) -> Floats:
        up, down = adapter[f"{name}.lora_B.weight"].float(), adapter[f"{name}.lora_A.weight"].float()
        change = (scale * (up @ down)).numpy()
        heads = heads_of(tensor.name, base)
        merged: Floats = numbers_of(tensor) + (change if heads is None else to_rotary_pairs(change, heads))
        return merged

    changed: dict[str, Changed] = {}
    for tensor in tensors_of(path).values():
        name = f"base_model.model.{checkpoint_name(tensor.name)}".removesuffix(".weight")
        if f"{name}.lora_A.weight" in adapter:
            changed[tensor.name] = partial(sum_of, tensor, name)
    return changed
