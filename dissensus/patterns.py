"""Patterns: the ladder from switching one model for another to cascades of panels and routes over chains."""

from __future__ import annotations

from dissensus_agents.fitting import learn_router
from dissensus_agents.patterns.asked import Asked, Choice, Option, Router
from dissensus_agents.patterns.cascade import Cascade, Settled, agree, confident, pays
from dissensus_agents.patterns.chain import Chain, Link
from dissensus_agents.patterns.complexity import Complexity, complexity, complexity_of
from dissensus_agents.patterns.configured import Routing, configured
from dissensus_agents.patterns.learned import LearnedRouter
from dissensus_agents.patterns.learning import Graded, apgr, fit_router
from dissensus_agents.patterns.plan import Ask, Decision, Heard, Passed, Pattern, Stand, Stop, Switch
from dissensus_agents.patterns.route import ModelRouter, Route
from dissensus_agents.patterns.routers import by_task, by_value, cheapest, fastest, reliable
from dissensus_agents.patterns.spelled import Spelled, spelled
from dissensus_agents.patterns.spelling import pattern_of
from dissensus_agents.patterns.together import Panel, Parallel
from dissensus_state.sensitive import Sensitive

__all__ = [
    "Ask",
    "Asked",
    "Cascade",
    "Chain",
    "Choice",
    "Complexity",
    "Decision",
    "Graded",
    "Heard",
    "LearnedRouter",
    "Link",
    "ModelRouter",
    "Option",
    "Panel",
    "Parallel",
    "Passed",
    "Pattern",
    "Route",
    "Router",
    "Routing",
    "Sensitive",
    "Settled",
    "Spelled",
    "Stand",
    "Stop",
    "Switch",
    "agree",
    "apgr",
    "by_task",
    "by_value",
    "cheapest",
    "complexity",
    "complexity_of",
    "confident",
    "configured",
    "fastest",
    "fit_router",
    "learn_router",
    "pattern_of",
    "pays",
    "reliable",
    "spelled",
]
