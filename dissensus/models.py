"""Models: the classes of providers, failover, and what the catalogue knows of each.

`dissensus.model("provider:model")` gives one by its name.
"""

from __future__ import annotations

from dissensus_agents.messages import Delta, Part, Reply, Request, Usage
from dissensus_agents.models.anthropic import AnthropicModel
from dissensus_agents.models.available import available
from dissensus_agents.models.catalog import describe, entries
from dissensus_agents.models.client import Model, Streaming
from dissensus_agents.models.dialects import Dialect
from dissensus_agents.models.entries import Abilities, Deprecated, Entry
from dissensus_agents.models.gemini import GeminiModel
from dissensus_agents.models.langchain import from_langchain
from dissensus_agents.models.openai import AzureModel, OpenAIModel
from dissensus_agents.models.prices import Price, Tier
from dissensus_agents.models.responses import ResponsesModel
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.wire import WireModel
from dissensus_agents.patterns.failover import Failover
from dissensus_agents.recordings.answering import AnsweringModel, Recordings, answered_from
from dissensus_agents.recordings.exporting import Exported, export_recordings

__all__ = [
    "Abilities",
    "AnsweringModel",
    "AnthropicModel",
    "AzureModel",
    "Delta",
    "Deprecated",
    "Dialect",
    "Entry",
    "Exported",
    "Failover",
    "GeminiModel",
    "Model",
    "OpenAIModel",
    "Part",
    "Patience",
    "Price",
    "Recordings",
    "Reply",
    "Request",
    "ResponsesModel",
    "Streaming",
    "Tier",
    "Usage",
    "WireModel",
    "answered_from",
    "available",
    "describe",
    "entries",
    "export_recordings",
    "from_langchain",
]
