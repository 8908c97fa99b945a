"""Two models on a server of your own (Ollama, vLLM, llama.cpp, …) answer a question, and a third rules.

python local_model.py "Is 2027 a prime?" ollama:llama3.1 ollama:qwen2.5 ollama:mistral

Where a server is not at its usual address, OLLAMA_HOST, VLLM_BASE_URL or LLAMACPP_BASE_URL says where.
"""

from __future__ import annotations

import asyncio
import sys

from dissensus import Agent, AgentGraph, Budget, DissensusError, SharedState, Store, Supervisor

QUESTION = "Which planet of the solar system has the shortest day?"
MODELS = ("ollama:llama3.1", "ollama:qwen2.5", "ollama:mistral")


class Inquiry(SharedState):
    """A question and its answer."""

    question: str
    answer: str | None = None


def main(question: str = QUESTION, *models: str) -> None:
    """Ask two models, let the third rule where they do not agree, and show what came of it."""
    first, second, chair = models or MODELS
    graph = AgentGraph(Inquiry)
    graph.add_step(
        "answer",
        [Agent("ana", first, "Answer in one word."), Agent("ben", second, "Answer in one word.")],
        writes={"answer"},
        supervisor=Supervisor(chair),
    )
    with Store.open("inquiry.db") as store:
        session = store.create(Inquiry(question=question), budget=Budget(usd=1))
        asyncio.run(graph.run(session))
        why = session.blame("/answer")
        for call in why.calls:
            print(f"{call.agent} asked {call.model}: {call.output_tokens} tokens, {call.latency_ms} ms")
        print(f"{why.value} ({', '.join(why.authors)})")
        for lost in why.dissent:
            print(f"{lost.agent} dissents: {lost.patch[0].value}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except DissensusError as error:
        sys.exit(f"{error.code}: {error}")
