"""Every error of the agents; they grow from `dissensus_state.errors.DissensusError`.

DissensusError
├── ModelFailed             7   a call that brought no usable answer
│   ├── ProviderFailed      7   the provider answered with an error, or not at all
│   ├── UnknownModel       12   no such model in the catalogue
│   ├── ContextOverflow     7   a prompt that does not fit its model's window; nothing was sent
│   ├── Untrusted          16   none of its models may be shown what is sensitive; nothing was sent
│   ├── MissingKey         13   the provider's key is not in the environment
│   ├── MalformedAnswer    14   an answer that cannot be read as what was asked for
│   └── WrongType          15   an answer that can be read and does not fit the output type
├── RoundVoid              19   too few proposals to go on
├── RoundParked            20   the round waits for a person's ruling
├── TooFewGrades           25   a threshold that graded rounds do not bear out
├── RerunStopped            6   what a rerun may cost is used up; the same rerun goes on with more
├── GraphError              2   a graph that cannot be run as it was put together
├── RecordingsRefused       2   a file of recordings that cannot be used
├── CaseRefused             2   a file of a recorded step that cannot be used
├── SettingsRefused         2   a dissensus.toml that cannot be used as it is written
├── HistoryUnreadable      27   a foreign database whose history cannot be read
│   └── HistoryNewer       27   it was written in a format that is not known yet
├── NotInstalled            2   something that an extra brings, and that is not there
└── Diverged                5   (of the state)
    └── CaseFailed          5   a recorded step that today's code does otherwise
"""

from __future__ import annotations

from dissensus_state.errors import DissensusError, Diverged


class ModelFailed(DissensusError):
    """A model gave no usable answer."""

    code = "model.failed"
    exit_code = 7


class ProviderFailed(ModelFailed):
    """The provider answered with an error, or did not answer at all."""

    code = "model.provider"
    next_step = "Check the provider's status and the base URL, then resume: nothing recorded is lost"


class UnknownModel(ModelFailed):
    """No such model is known."""

    code = "model.unknown"
    exit_code = 12
    next_step = "Write it as provider:model, for instance openai:gpt-4o-mini or ollama:llama3.1"


class ContextOverflow(ModelFailed):
    """The prompt does not fit the model's window."""

    code = "context.overflow"


class Untrusted(ModelFailed):
    """None of the models that could be asked is trusted with what they would be shown."""

    code = "model.untrusted"
    exit_code = 16
    next_step = (
        "Mark a model that may see it as trusted, in dissensus.toml or with trusted=True, or leave it out"
    )


class MissingKey(ModelFailed):
    """The provider's key is not in the environment."""

    code = "model.missing_key"
    exit_code = 13


class MalformedAnswer(ModelFailed):
    """The answer cannot be read as what was asked for."""

    code = "answer.malformed"
    exit_code = 14
    next_step = "The answer is in the recording: `dissensus show`; sharpen the instructions or swap the model"


class WrongType(ModelFailed):
    """The answer can be read, but does not fit the output type."""

    code = "answer.wrong_type"
    exit_code = 15
    next_step = "The answer is in the recording: `dissensus show`; sharpen the instructions or swap the model"


class RoundVoid(DissensusError):
    """Too few agents proposed something for the round to go on."""

    code = "round.void"
    exit_code = 19
    next_step = "See why each agent abstained with `dissensus show`, mend that, and resume"


class RoundParked(DissensusError):
    """The round waits for a person's ruling."""

    code = "round.parked"
    exit_code = 20
    next_step = "See `dissensus disagreements`, settle it with `dissensus rule`, and resume"


class RerunStopped(DissensusError):
    """The worst case of this call does not fit into what is left of the rerun's own limit."""

    code = "rerun.budget"
    exit_code = 6
    next_step = "Give the same rerun a larger budget: what was answered is not asked again"


class GraphError(DissensusError):
    """The graph cannot be run as it was put together."""

    code = "graph.error"
    exit_code = 2


class RecordingsRefused(DissensusError):
    """The file of recordings cannot be used."""

    code = "recordings.refused"
    exit_code = 2
    next_step = "Export it again (`dissensus recordings export`), or take an unchanged copy"


class SettingsRefused(DissensusError):
    """The project's settings cannot be used as they are written."""

    code = "settings.refused"
    exit_code = 2
    next_step = "Mend the file; docs/catalogue.md names everything that it may say"


class HistoryUnreadable(DissensusError):
    """The foreign database holds no history that can be read."""

    code = "history.unreadable"
    exit_code = 27
    next_step = "Name the database that the graph's checkpointer was given"


class HistoryNewer(HistoryUnreadable):
    """The foreign history was written in a format that is newer than what is known here."""

    code = "history.newer"
    next_step = "Update dissensus; what was brought in before stays"


class TooFewGrades(DissensusError):
    """Too little is graded to set this on."""

    code = "grades.too_few"
    exit_code = 25
    next_step = "See what is graded with `dissensus quality`, and grade with `dissensus grade`"


class NotInstalled(DissensusError):
    """Something that an extra of the project brings is not installed."""

    code = "extra.missing"
    exit_code = 2


class CaseRefused(DissensusError):
    """The file of a recorded step cannot be used."""

    code = "case.refused"
    exit_code = 2
    next_step = "Write the case again with `dissensus pytest-case`"


class CaseFailed(Diverged, AssertionError):
    """A recorded step does not come out as it was, with today's code."""

    code = "case.failed"
    next_step = "If this is what you want, write the case again: dissensus pytest-case … --force"

    def __str__(self) -> str:
        """What differs, a line each, and what to do about it."""
        return f"{self.message}\n{self.next_step}"
