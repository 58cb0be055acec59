"""GitHub's events. https://docs.github.com/webhooks/webhook-events-and-payloads

Said is what a team wants to hear; labels, edits, what has only begun and the like are silent. An event that is not in
the table is one short line: somebody chose it.
"""

from collections.abc import Callable

from . import git
from .sentences import SOMEBODY, Said, counted, numbered, sentence, titled
from .value import Value

Event = Callable[[Value], str | None]

BAD = {"failure": "failed", "timed_out": "timed out", "startup_failure": "could not start", "error": "failed"}
ENDS = {"success": "succeeded", "cancelled": "was cancelled", "action_required": "waits for somebody"} | BAD

PULLS = {
    "opened": "opened", "reopened": "reopened", "closed": "closed", "merged": "merged", "ready_for_review": "marked",
    "converted_to_draft": "made a draft of", "review_requested": "asked for a review of",
}  # fmt: skip
ISSUES = {
    "opened": "opened", "reopened": "reopened", "closed": "closed", "deleted": "deleted", "transferred": "moved",
    "assigned": "assigned",
}  # fmt: skip


def read(event: str, body: Value) -> Said | str | None:
    """Return what an event says."""
    if known := EVENTS.get(event):
        return known(body)
    return sentence(place(body), f"{who(body)}:", event.replace("_", " "), body.name("action"))


def place(body: Value) -> str:
    """Return the repository, or the organization."""
    return body.name("repository", "full_name") or body.name("organization", "login")


def who(body: Value) -> str:
    """Return who did it."""
    return body.at("sender").first("login", "username", "name") or body.name("pusher", "name") or SOMEBODY


def push(body: Value) -> str:
    return git.pushed(place(body), who(body), body, body.link("compare"))


def ping(body: Value) -> str:
    events = [event.name() for event in body.each("hook", "events")]
    what = "everything" if "*" in events else ", ".join(events[:10]) or "what happens"
    return sentence(place(body), f"GitHub is going to tell of this here: {what}.")


def pull_request(body: Value) -> str | None:
    pull, action = body.at("pull_request"), body.name("action")
    if action == "closed" and pull.is_true("merged"):
        action = "merged"
    what = numbered("pull request", pull.number("number") or body.number("number"))
    if action == "opened" and pull.is_true("draft"):
        what = f"draft {what}"
    elif action == "ready_for_review":
        what = f"{what} as ready for review"
    elif action == "review_requested":
        what = f"{what} by {body.name('requested_reviewer', 'login') or body.name('requested_team', 'name')}"
    return _about(body, PULLS.get(action), what, pull)


def issues(body: Value) -> str | None:
    issue, action = body.at("issue"), body.name("action")
    what = numbered("issue", issue.number("number"))
    if action == "closed" and issue.name("state_reason") == "not_planned":
        what = f"{what} as not planned"
    elif action == "assigned":
        what = f"{what} to {body.name('assignee', 'login')}"
    return _about(body, ISSUES.get(action), what, issue)


def _about(body: Value, did: str | None, what: str, subject: Value) -> str | None:
    if did is None:
        return None
    return sentence(place(body), who(body), did, titled(what, subject.line("title")), link=subject.link("html_url"))


def issue_comment(body: Value) -> str | None:
    issue = body.at("issue")
    is_pull = bool(issue.at("pull_request")) or body.is_true("is_pull")
    return comment(body, numbered("pull request" if is_pull else "issue", issue.number("number")), issue)


def comment(body: Value, what: str, subject: Value) -> str | None:
    """Return a new comment; that one was changed is silent."""
    if body.name("action") != "created":
        return None
    said, title = body.at("comment"), subject.name("title")
    about = f"{what} ({title})" if title else what
    did = sentence("", "commented on", titled(about, said.line("body")))
    return sentence(place(body), who(body), did, link=said.link("html_url"))


def review_comment(body: Value) -> str | None:
    pull = body.at("pull_request")
    return comment(body, numbered("pull request", pull.number("number")), pull)


def commit_comment(body: Value) -> str | None:
    return comment(body, f"commit {git.short(body.name('comment', 'commit_id'))}", Value(None))


def discussion(body: Value) -> str | None:
    subject = body.at("discussion")
    did = {"created": "began", "answered": "answered", "closed": "closed", "reopened": "reopened"}
    return _about(
        body, did.get(body.name("action")), numbered("discussion", subject.number("number")), subject
    )  # fmt: skip


def discussion_comment(body: Value) -> str | None:
    subject = body.at("discussion")
    return comment(body, numbered("discussion", subject.number("number")), subject)


def review(body: Value) -> str | None:
    pull, given = body.at("pull_request"), body.at("review")
    did = {
        "approved": "approved", "changes_requested": "wants changes to", "commented": "reviewed"
    }.get(given.name("state").lower())  # fmt: skip
    text = given.line("body")
    if body.name("action") != "submitted" or did is None or (did == "reviewed" and not text):
        return None
    what = f"{numbered('pull request', pull.number('number'))} ({pull.name('title')})"
    return sentence(place(body), who(body), did, titled(what, text), link=given.link("html_url"))


def release(body: Value) -> str | None:
    found, action = body.at("release"), body.name("action")
    did = {"published": "published", "deleted": "deleted"}.get(action)
    if did is None:
        return None
    tag, name = found.name("tag_name"), found.line("name")
    kind = "pre-release" if found.is_true("prerelease") else "release"
    what = titled(f"{kind} {tag}".strip(), "" if name == tag else name)
    return sentence(place(body), who(body), did, what, link=found.link("html_url"))


def _ended(body: Value, run: Value, what: str, link: str) -> str | None:
    how = run.name("conclusion")
    if body.name("action") != "completed" or how in ("skipped", "neutral", "stale"):
        return None
    branch = run.name("head_branch") or run.name("check_suite", "head_branch")
    on = branch or git.short(run.name("head_sha"))
    return sentence(
        place(body), what, titled(f"{ENDS.get(how, how)}{f' on {on}' if on else ''}",
        run.line("head_commit", "message") or run.line("display_title")), link=link,
    )  # fmt: skip


def workflow_run(body: Value) -> str | None:
    run = body.at("workflow_run")
    name = run.name("name") or body.name("workflow", "name") or "workflow"  # Gitea has it there alone
    return _ended(body, run, numbered(name, run.number("run_number")), run.link("html_url"))


def check_run(body: Value) -> str | None:
    run = body.at("check_run")
    return _ended(body, run, run.name("name") or "a check", run.link("html_url") or run.link("details_url"))


def check_suite(body: Value) -> str | None:
    suite = body.at("check_suite")
    return _ended(
        body, suite, f"checks of {suite.name('app', 'name') or 'an app'}", body.link("repository", "html_url")
    )


def star(body: Value) -> str | None:
    if body.name("action") != "created":
        return None
    stars = body.number("repository", "stargazers_count")
    how_many = f"({counted(stars, 'star')})" if stars else ""
    return sentence(place(body), who(body), "starred it", how_many)


def created(body: Value) -> str:
    return _ref(body, "created")


def deleted(body: Value) -> str:
    return _ref(body, "deleted")


def _ref(body: Value, did: str) -> str:
    link = body.link("repository", "html_url") if did == "created" else ""
    return sentence(place(body), who(body), did, body.name("ref_type"), body.name("ref"), link=link)


def deployment_status(body: Value) -> str | None:
    status, deployment = body.at("deployment_status"), body.at("deployment")
    state = status.name("state")
    if state in ("pending", "queued", "in_progress", "waiting", "inactive"):
        return None
    what = titled(git.named(deployment.name("ref")), status.line("description"))
    to = status.name("environment") or deployment.name("environment")
    link = status.link("environment_url") or status.link("target_url") or status.link("log_url")
    return sentence(
        place(body), "deployment to" if to else "deployment", to, ENDS.get(state, state), f"({what})", link=link
    )


def status(body: Value) -> str | None:
    state = body.name("state")
    if state == "pending":
        return None
    branch = next((each.name("name") for each in body.each("branches")), "") or git.short(body.name("sha"))
    did = titled(f"{ENDS.get(state, state)} on {branch}", body.line("description"))
    return sentence(place(body), body.name("context"), did, link=body.link("target_url"))


def fork(body: Value) -> str:
    return sentence(place(body), who(body), "forked it:", link=body.link("forkee", "html_url"))


def gollum(body: Value) -> str | None:
    page = next(body.each("pages"), Value(None))
    return sentence(
        place(body), who(body), page.name("action") or "edited", f"wiki page {page.line('title')}",
        link=page.link("html_url"),
    )  # fmt: skip


def repository(body: Value) -> str | None:
    if body.name("action") == "edited":
        return None
    return sentence(
        place(body), who(body), body.name("action") or "changed", "the repository",
        link=body.link("repository", "html_url"),
    )  # fmt: skip


def silent(_body: Value) -> None:
    return None


EVENTS: dict[str, Event] = {
    "push": push, "ping": ping, "pull_request": pull_request, "issues": issues, "issue_comment": issue_comment,
    "pull_request_review": review, "pull_request_review_comment": review_comment, "commit_comment": commit_comment,
    "discussion": discussion, "discussion_comment": discussion_comment, "release": release,
    "workflow_run": workflow_run, "check_run": check_run, "check_suite": check_suite, "status": status,
    "star": star, "create": created, "delete": deleted, "deployment_status": deployment_status, "fork": fork,
    "gollum": gollum, "repository": repository,
    # what only begins, what another event tells as well, and labels
    "deployment": silent, "workflow_job": silent, "watch": silent, "pull_request_review_thread": silent,
    "label": silent,
}  # fmt: skip
