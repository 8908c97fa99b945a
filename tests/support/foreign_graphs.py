"""Graphs of LangGraph that know nothing of us, run on its own savers; and what their checkpoints hold."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, Send, interrupt

Saver = BaseCheckpointSaver[Any]


class Foreign(NamedTuple):
    """A database of LangGraph's: its kind and its address."""

    kind: str
    address: str


class Log(TypedDict, total=False):
    """Lists that grow, values that are replaced, a sum, and a dictionary."""

    log: Annotated[list[str], operator.add]
    first: str
    second: str
    total: Annotated[int, operator.add]
    notes: dict[str, Any]


class Talk(MessagesState):
    """A conversation."""

    turns: int


class Slow(TypedDict, total=False):
    """A list of which a checkpoint does not hold the whole."""

    items: Annotated[list[str], DeltaChannel(lambda state, writes: [*state, *(x for w in writes for x in w)])]


def config(thread: str, **more: Any) -> Any:
    """How LangGraph is told which thread is meant."""
    return {"configurable": {"thread_id": thread, **more}, "recursion_limit": 2000}


def _writes(name: str, **also: Any) -> Any:
    def node(_: Any) -> dict[str, Any]:
        return {"log": [name], **also}

    return node


def parallel(saver: Saver) -> Any:
    """One node, then three at once, then one that sees what they did."""
    graph = StateGraph(Log)
    graph.add_node("plan", _writes("plan", first="plan", total=1, notes={"a": 1, "b": {"c": 2}}))
    graph.add_node("left", _writes("left", second="left", total=10))
    graph.add_node("right", _writes("right", first="right", total=100))
    graph.add_node("idle", lambda _: {})
    graph.add_node("join", lambda state: {"log": [f"join {len(state['log'])}"], "notes": {"b": {"c": 3}}})
    graph.add_edge(START, "plan")
    for name in ("left", "right", "idle"):
        graph.add_edge("plan", name)
    graph.add_edge(["left", "right", "idle"], "join")
    return graph.compile(checkpointer=saver)


def beginning(saver: Saver) -> Any:
    """Two nodes that begin a list at once."""
    graph = StateGraph(Log)
    for name in ("one", "two"):
        graph.add_node(name, _writes(name))
        graph.add_edge(START, name)
    return graph.compile(checkpointer=saver)


def waiting(saver: Saver) -> Any:
    """One node is done at once, another one beside it asks a person."""

    def ask(state: Log) -> dict[str, Any]:
        return {"first": interrupt("go on?")}

    graph = StateGraph(Log)
    graph.add_node("quick", _writes("quick"))
    graph.add_node("ask", ask)
    graph.add_edge(START, "quick")
    graph.add_edge(START, "ask")
    return graph.compile(checkpointer=saver)


def talk(saver: Saver) -> Any:
    """A conversation with a tool, in which an old message is taken away in the end."""

    def agent(state: Talk) -> dict[str, Any]:
        asked = state["messages"][-1]
        if isinstance(asked, HumanMessage):
            call = {"name": "look", "args": {"at": asked.content}, "id": "call-1"}
            return {"messages": [AIMessage("", tool_calls=[call])], "turns": 1}
        return {"messages": [AIMessage("It is rain ☂")]}

    def look(state: Talk) -> dict[str, Any]:
        return {"messages": ToolMessage("rain", tool_call_id="call-1", name="look")}

    def tidy(state: Talk) -> dict[str, Any]:
        return {"messages": [RemoveMessage(str(state["messages"][0].id))]}

    graph = StateGraph(Talk)
    graph.add_node("agent", agent)
    graph.add_node("look", look)
    graph.add_node("tidy", tidy)
    graph.add_edge(START, "agent")
    graph.add_conditional_edges(
        "agent", lambda state: "look" if state["messages"][-1].tool_calls else "tidy", ["look", "tidy"]
    )
    graph.add_edge("look", "agent")
    graph.add_edge("tidy", END)
    return graph.compile(checkpointer=saver)


def asking(saver: Saver) -> Any:
    """A person is asked, a subgraph is called, packets are sent, and one node may fail."""

    def ask(state: Log) -> dict[str, Any]:
        return {"first": interrupt({"question": "go on?"})}

    def fail(state: Log) -> dict[str, Any]:
        if state.get("first") == "fail":
            raise ValueError("no luck")
        return {"log": ["went well"]}

    inner = StateGraph(Log)
    inner.add_node("deep", _writes("deep", second="deep"))
    inner.add_edge(START, "deep")
    graph = StateGraph(Log)
    graph.add_node("ask", ask)
    graph.add_node("inner", inner.compile())
    graph.add_node("each", lambda sent: {"log": [f"each {sent['n']}"]})
    graph.add_node("fail", fail)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "inner")
    graph.add_conditional_edges("inner", lambda _: [Send("each", {"n": n}) for n in (1, 2)], ["each"])
    graph.add_edge("each", "fail")
    return graph.compile(checkpointer=saver)


def slow(saver: Saver) -> Any:
    """A list of which whole values are kept now and then only."""
    graph = StateGraph(Slow)
    graph.add_node("add", lambda state: {"items": [f"item {len(state['items'])}"]})
    graph.add_edge(START, "add")
    graph.add_conditional_edges("add", lambda state: "add" if len(state["items"]) < 5 else END)
    return graph.compile(checkpointer=saver)


def chain(saver: Saver, length: int) -> Any:
    """A conversation of so many answers."""

    def answer(state: Talk) -> dict[str, Any]:
        turn = state["turns"]
        return {"messages": [AIMessage(f"answer {turn}", id=f"m{turn}")], "turns": turn + 1}

    graph = StateGraph(Talk)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_conditional_edges("answer", lambda state: "answer" if state["turns"] < length else END)
    return graph.compile(checkpointer=saver)


def functions(saver: Saver) -> Any:
    """A graph of the functional interface."""

    @task
    def double(number: int) -> int:
        return 2 * number

    @entrypoint(checkpointer=saver)
    def work(number: int) -> dict[str, Any]:
        return {"doubled": double(number).result()}

    return work


def tell(saver: Saver) -> None:
    """Run all of them: threads `parallel`, `talk`, `asking`, `failing`, `slow`, `functions`."""
    parallel(saver).invoke({"log": ["start"], "total": 1000}, config("parallel"))
    tell_talk(saver)
    tell_asking(saver)
    failing = asking(saver)
    failing.invoke({"log": ["start"]}, config("failing"))
    with suppress(ValueError):
        failing.invoke(Command(resume="fail"), config("failing"))
    slow(saver).invoke({"items": ["start"]}, config("slow"))
    functions(saver).invoke(21, config("functions"))


def tell_talk(saver: Saver) -> None:
    """Two turns of the conversation."""
    graph = talk(saver)
    graph.invoke({"messages": [HumanMessage("weather?", id="h1")]}, config("talk"))
    graph.invoke({"messages": [HumanMessage("sure?", id="h2")]}, config("talk"))


def tell_asking(saver: Saver) -> None:
    """An interrupt, what resumes it, and a second line that begins with a change by hand."""
    graph = asking(saver)
    graph.invoke({"log": ["start"]}, config("asking"))
    graph.invoke(Command(resume="yes"), config("asking"))
    before = next(found for found in graph.get_state_history(config("asking")) if found.next == ("inner",))
    changed = graph.update_state(before.config, {"first": "patched", "log": ["by hand"]})
    graph.invoke(None, changed)


@contextmanager
def opened(kind: str, address: str) -> Iterator[Saver]:
    """A saver of LangGraph's, by the kind of its database."""
    if kind == "sqlite":
        with SqliteSaver.from_conn_string(address) as saver:
            yield saver
    else:
        with PostgresSaver.from_conn_string(address.replace("+psycopg", "")) as saver:
            saver.setup()
            yield saver


def values(saver: Saver, thread: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each checkpoint of a thread as LangGraph reads it: namespace, id, and the channels of the state."""
    for found in saver.list({"configurable": {"thread_id": thread}}):
        where = found.config["configurable"]
        channels = {
            name: simple(value)
            for name, value in found.checkpoint["channel_values"].items()
            if not name.startswith(("branch:", "join:", "__pregel"))
        }
        yield where["checkpoint_ns"], where["checkpoint_id"], channels


def simple(value: Any) -> Any:
    """A value of these graphs as plain data: the oracle, which has the real objects."""
    if isinstance(value, BaseMessage):
        said = value.model_dump(mode="json")
        return {
            key: item for key, item in said.items() if key == "content" or item not in (None, False, {}, [])
        }
    if isinstance(value, dict):
        return {key: simple(item) for key, item in value.items()}
    return [simple(item) for item in value] if isinstance(value, list | tuple) else value


def file_in(folder: Path) -> str:
    """The name of a file for a saver."""
    return str(folder / "checkpoints.sqlite")
