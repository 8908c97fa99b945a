"""What a run may spend, and what it need not: budgets beside `Budget`, and the cost governor."""

from __future__ import annotations

from dissensus_agents.watch.governor import Governor
from dissensus_state.accounts import Account
from dissensus_state.budgets import Limits
from dissensus_state.costs import Cost

__all__ = ["Account", "Cost", "Governor", "Limits"]
