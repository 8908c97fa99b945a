"""Chains of thought, under every name that servers of Chat Completions give them.

`reasoning_details` (OpenRouter), `reasoning_content` (DeepSeek, older vLLM, Qwen), `reasoning`
(vLLM, Ollama, Groq), parts of the content (Mistral), and `<think>` tags where a server left them in
the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..messages import ReasoningKind, Usage

_OPEN = re.compile(r"\A\s*<(think|thinking)>")


@dataclass(frozen=True, slots=True)
class Thought:
    """The visible text of an answer, apart from the thinking that came with it."""

    text: str
    reasoning: str | None = None
    kind: ReasoningKind = "rationale"


def read_thought(message: dict[str, Any], plain: ReasoningKind) -> Thought:
    """Text and thinking of a message.

    Args:
        message: The message as the server sent it.
        plain: What a plain reasoning field of this server holds.
    """
    text = content_text(message.get("content"))
    found = (
        _details(message.get("reasoning_details"))
        or _field(message, plain)
        or _content_thinking(message.get("content"))
    )
    if found:
        return Thought(text, *found)
    return _tagged(text)


def withheld_note(reasoning: str | None, usage: Usage) -> tuple[str, ...]:
    """What a reply says of thinking that was billed and not shown."""
    if reasoning is not None or usage.reasoning == 0 or usage.estimated:
        return ()
    return (f"{usage.reasoning:,} reasoning tokens were billed, and none of the reasoning was shown",)


def content_text(content: Any) -> str:
    """The visible text of a content, which may be a text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(
        part["text"]
        for part in parts
        if isinstance(part, dict) and isinstance(part.get("text"), str) and part.get("type", "text") == "text"
    )


def _details(details: Any) -> tuple[str | None, ReasoningKind] | None:
    """OpenRouter's list; its plain text wins over a summary, a summary over what is encrypted."""
    listed = details if isinstance(details, list) else []
    parts = [part for part in listed if isinstance(part, dict)]
    for name, kind in _DETAILS:
        text = "\n".join(part[name] for part in parts if isinstance(part.get(name), str))
        if text:
            return text, kind
    if any(part.get("type") == "reasoning.encrypted" for part in parts):
        return None, "withheld"
    return None


_DETAILS: tuple[tuple[str, ReasoningKind], ...] = (("text", "raw"), ("summary", "summary"))


def _field(message: dict[str, Any], plain: ReasoningKind) -> tuple[str, ReasoningKind] | None:
    for name in ("reasoning_content", "reasoning"):
        text = message.get(name)
        if isinstance(text, str) and text.strip():
            # Qwen's hosted models show a summary where they hand the thinking itself out encrypted.
            return text, "summary" if message.get("encrypted_content") else plain
    return None


def _content_thinking(content: Any) -> tuple[str, ReasoningKind] | None:
    parts = content if isinstance(content, list) else []
    thinking = "\n".join(
        content_text(part.get("thinking"))
        for part in parts
        if isinstance(part, dict) and part.get("type") == "thinking"
    )
    return (thinking, "raw") if thinking.strip() else None


def _tagged(text: str) -> Thought:
    """Thinking in tags at the head of the text; some templates open the tag in the prompt."""
    opening = _OPEN.match(text)
    tag = opening.group(1) if opening else "think"
    begin = opening.end() if opening else 0
    end = text.find(f"</{tag}>", begin)
    if opening and end < 0:
        return Thought("", text[begin:].strip(), "raw")
    if end < 0 or (not opening and (text.count("</think>") > 1 or "<think>" in text)):
        return Thought(text)
    answer = text[end + len(f"</{tag}>") :].lstrip()
    return Thought(answer, text[begin:end].strip() or None, "raw")
