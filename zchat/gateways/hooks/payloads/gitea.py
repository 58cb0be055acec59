"""Gitea's and Forgejo's events. https://docs.gitea.com/usage/webhooks, https://forgejo.org/docs/latest/user/webhooks

They are GitHub's with a few differences: a push has `compare_url` and counts its commits, a review is an event for each
verdict, a wiki page is an event of its own. Forgejo tells how a run of its Actions ended by three events of its own,
Gitea by GitHub's `workflow_run`.
"""

from . import git, github
from .sentences import Said, numbered, sentence, titled
from .value import Value

RUNS = {"action_run_success": "succeeded", "action_run_failure": "failed", "action_run_recover": "succeeded again"}
VERDICTS = {
    "pull_request_approved": "approved",
    "pull_request_rejected": "wants changes to",
    "pull_request_comment": "reviewed",
}


def read(event: str, body: Value) -> Said | str | None:
    """Return what an event says."""
    if event in VERDICTS:
        return _review(VERDICTS[event], body)
    if event in RUNS:
        return _run(RUNS[event], body.at("run"))
    if known := EVENTS.get(event):
        return known(body)
    return github.read(event, body)


def push(body: Value) -> str:
    return git.pushed(
        github.place(body), github.who(body), body, body.link("compare_url"), body.number("total_commits")
    )


def wiki(body: Value) -> str:
    where = sentence("", "wiki page", body.name("page"))
    return sentence(
        github.place(body), github.who(body), body.name("action") or "edited", where,
        link=body.link("repository", "html_url"),
    )  # fmt: skip


def package(body: Value) -> str:
    found = body.at("package")
    what = sentence("", "package", found.name("name"), found.name("version"))
    return sentence(
        github.place(body) or found.name("owner", "login"), github.who(body), body.name("action"), what,
        link=found.link("html_url"),
    )  # fmt: skip


def _review(did: str, body: Value) -> str | None:
    text, pull = body.line("review", "content"), body.at("pull_request")
    if did == "reviewed" and not text:
        return None
    what = f"{numbered('pull request', pull.number('number'))} ({pull.name('title')})"
    return sentence(github.place(body), github.who(body), did, titled(what, text), link=pull.link("html_url"))


def _run(how: str, run: Value) -> str:
    """Return how a run ended; its repository is within it."""
    what = numbered(run.name("workflow_id") or "workflow", run.number("index_in_repo"))
    on = f" on {ref}" if (ref := run.name("prettyref")) else ""
    return sentence(github.place(run), what, titled(f"{how}{on}", run.line("title")), link=run.link("html_url"))


EVENTS: dict[str, github.Event] = {"push": push, "wiki": wiki, "package": package}
