"""A row as each format writes it, or why the format has no place for it. Pure.

Sources of the shapes: OpenAI's chat format for supervised fine-tuning; Amazon Bedrock's user guide, "Prepare your
training datasets for distillation" (``bedrock-conversation-2024``: one turn for Anthropic and Llama students, several
for Nova); TRL's conversational prompt-only and preference formats; ShareGPT's ``conversations``.
"""

from __future__ import annotations

from typing import Any, Final

from evals.distill.example import Example, Message

Row = dict[str, Any]
SCHEMA: Final = "bedrock-conversation-2024"
_SYSTEM: Final = frozenset({"system", "developer"})
_SHAREGPT: Final = {"system": "system", "developer": "system", "user": "human", "assistant": "gpt"}


class Unfit(ValueError):
    """The format has no place for this row. The message is the reason that is counted."""


def openai(row: Example) -> Row:
    """``{"messages": [..., {"role": "assistant", ...}]}``."""
    return {"messages": [*_turns(row), _turn("assistant", _answer(row))]}


def prompts(row: Example) -> Row:
    """``{"prompt": [...]}``: no answer, so that the trainer's own teacher gives it."""
    return {"prompt": _turns(row)}


def preference(row: Example) -> Row:
    """``{"prompt": [...], "chosen": [...], "rejected": [...]}``."""
    answer = _answer(row)
    if row.rejected is None or not row.rejected.strip():
        raise Unfit("no rejected answer")
    if row.rejected.strip() == answer.strip():
        raise Unfit("both answers are the same")
    return {
        "prompt": _turns(row),
        "chosen": [_turn("assistant", answer)],
        "rejected": [_turn("assistant", row.rejected)],
    }


def sharegpt(row: Example) -> Row:
    """``{"conversations": [{"from": "human", "value": ...}, {"from": "gpt", ...}]}``."""
    _text_only(row)
    said = [{"from": _SHAREGPT[m.role], "value": m.content} for m in row.messages]
    return {"conversations": [*said, {"from": "gpt", "value": _answer(row)}]}


def bedrock(row: Example) -> Row:
    """One question with its answer, as Anthropic and Llama students take it."""
    return _one_turn(row) | {"messages": [*_one_turn(row)["messages"], _part("assistant", _answer(row))]}


def bedrock_prompts(row: Example) -> Row:
    """One question; Bedrock asks the teacher."""
    return _one_turn(row)


def nova(row: Example) -> Row:
    """A conversation with its answer, as Nova students take it."""
    made = _conversation(row)
    return made | {"messages": [*made["messages"], _part("assistant", _answer(row))]}


def _one_turn(row: Example) -> Row:
    made = _conversation(row)
    if len(made["messages"]) > 1:
        raise Unfit("more than one turn")
    return made


def _conversation(row: Example) -> Row:
    """System texts joined to one, then the turns; two of one role in a row are joined, for roles must alternate."""
    _text_only(row)
    system = "\n\n".join(m.content for m in row.messages if m.role in _SYSTEM)
    turns: list[Message] = []
    for message in row.messages:
        if message.role in _SYSTEM:
            continue
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(message.role, f"{turns[-1].content}\n\n{message.content}")
        else:
            turns.append(message)
    if not turns or turns[0].role != "user":
        raise Unfit("does not begin with the user")
    head: Row = {"schemaVersion": SCHEMA}
    if system.strip():
        head["system"] = [{"text": system}]
    return head | {"messages": [_part(m.role, m.content) for m in turns]}


def _turns(row: Example) -> list[Row]:
    _text_only(row)
    return [_turn(m.role, m.content) for m in row.messages]


def _text_only(row: Example) -> None:
    if any(m.role == "tool" for m in row.messages):
        raise Unfit("a tool's turn without the call it answers")
    if not row.messages or row.messages[-1].role != "user":
        raise Unfit("does not end with the user")


def _answer(row: Example) -> str:
    if row.answer is None or not row.answer.strip():
        raise Unfit("no answer")
    return row.answer


def _turn(role: str, content: str) -> Row:
    return {"role": role, "content": content}


def _part(role: str, text: str) -> Row:
    return {"role": role, "content": [{"text": text}]}
