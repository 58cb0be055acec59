"""GitLab's events. https://docs.gitlab.com/user/project/integrations/webhook_events/

What an event is stands in the body (`object_kind`). Said is what a team wants to hear: a pipeline that has ended, not
one that runs.
"""

from collections.abc import Callable

from . import git
from .sentences import SOMEBODY, Said, sentence, titled
from .value import Value

Event = Callable[[Value], str | None]

DID = {
    "open": "opened", "close": "closed", "reopen": "reopened", "merge": "merged", "approved": "approved",
    "approval": "approved", "unapproved": "took back the approval of", "create": "created", "delete": "deleted",
}  # fmt: skip
ENDS = {"success": "succeeded", "failed": "failed", "canceled": "was cancelled"}


def read(_event: str, body: Value) -> Said | str | None:
    """Return what an event says."""
    kind = body.first("object_kind", "event_name")
    if known := EVENTS.get(kind):
        return known(body)
    return sentence(place(body), f"{who(body)}:", kind.replace("_", " "), body.name("object_attributes", "action"))


def place(body: Value) -> str:
    """Return the project, or the group; events of a group have it beside everything else."""
    found = body.name("project", "path_with_namespace") or body.name("group", "full_path")
    return found or body.first("path_with_namespace", "full_path", "group_path", "project_name")


def who(body: Value) -> str:
    """Return who did it."""
    user = body.at("user")
    return user.first("name", "username") or body.first("user_name", "user_username") or SOMEBODY


def push(body: Value) -> str:
    web, after = body.link("project", "web_url"), body.name("after")
    before = body.name("before")
    compare = f"{web}/-/compare/{before}...{after}" if web and before != git.NOTHING else web
    return git.pushed(place(body), who(body), body, compare, body.number("total_commits_count"))


def issue(body: Value) -> str | None:
    found = body.at("object_attributes")
    kind = found.name("type").lower() or "issue"
    return _about(body, f"{kind} #{found.name('iid')}")


def merge_request(body: Value) -> str | None:
    found = body.at("object_attributes")
    draft = "draft " if found.is_true("draft") and found.name("action") == "open" else ""
    return _about(body, f"{draft}merge request !{found.name('iid')}")


def _about(body: Value, what: str) -> str | None:
    found = body.at("object_attributes")
    did = DID.get(found.name("action"))
    if did is None:
        return None
    return sentence(place(body), who(body), did, titled(what, found.line("title")), link=found.link("url"))


def note(body: Value) -> str | None:
    said = body.at("object_attributes")
    if said.name("action") == "update" or said.is_true("system"):
        return None
    about, title = "something", ""
    for kind, sign in (("merge_request", "merge request !"), ("issue", "issue #"), ("snippet", "snippet $")):
        if subject := body.at(kind):
            about, title = sign + subject.first("iid", "id"), subject.name("title")
    if commit := body.at("commit"):
        about, title = f"commit {git.short(commit.name('id'))}", commit.name("message")
    about = f"{about} ({title})" if title else about
    return sentence(place(body), who(body), "commented on", titled(about, said.line("note")), link=said.link("url"))


def pipeline(body: Value) -> str | None:
    found = body.at("object_attributes")
    how = ENDS.get(found.name("status"))
    if how is None:
        return None
    web = body.link("project", "web_url")
    link = found.link("url") or (f"{web}/-/pipelines/{found.name('id')}" if web else "")
    did = titled(f"{how} on {found.name('ref')}", body.line("commit", "title") or body.line("commit", "message"))
    return sentence(place(body), f"pipeline #{found.name('id')}", did, link=link)


def job(body: Value) -> str | None:
    if body.name("build_status") != "failed" or body.is_true("build_allow_failure"):
        return None  # how a pipeline ended is told by the pipeline
    web = body.link("project", "web_url") or body.link("repository", "homepage")
    link = f"{web}/-/jobs/{body.name('build_id')}" if web else ""
    reason = body.line("build_failure_reason").replace("_", " ")
    did = titled(f"failed on {body.name('ref')}", reason)
    return sentence(place(body), "job", body.name("build_name"), did, link=link)


def deployment(body: Value) -> str | None:
    how = ENDS.get(body.name("status"))
    if how is None:
        return None
    what = titled(git.named(body.name("ref")), body.line("commit_title"))
    link = body.link("environment_external_url") or body.link("deployable_url")
    return sentence(place(body), "deployment to", body.name("environment"), how, f"({what})", link=link)


def release(body: Value) -> str | None:
    did = {"create": "published", "delete": "deleted"}.get(body.name("action"))
    if did is None:
        return None
    tag, name = body.name("tag"), body.line("name")
    what = titled(f"release {tag}", "" if name == tag else name)
    return sentence(place(body), what, f"was {did}", link=body.link("url"))


def wiki_page(body: Value) -> str:
    found = body.at("object_attributes")
    did = {"create": "created", "delete": "deleted"}.get(found.name("action"), "edited")
    return sentence(place(body), who(body), did, f"wiki page {found.line('title')}", link=found.link("url"))


def feature_flag(body: Value) -> str:
    found = body.at("object_attributes")
    state = "on" if found.is_true("active") else "off"
    link = body.link("project", "web_url")
    return sentence(place(body), who(body), f"turned {state} the feature flag {found.name('name')}", link=link)


def milestone(body: Value) -> str | None:
    did = DID.get(body.name("action") or body.name("object_attributes", "action"))
    title = body.line("object_attributes", "title")
    return did and sentence(place(body), who(body), did, f"milestone {title}", link=body.link("project", "web_url"))


def access_token(body: Value) -> str:
    found = body.at("object_attributes")
    return sentence(place(body), f"the access token {found.name('name')} expires on {found.name('expires_at')}")


def vulnerability(body: Value) -> str:
    found = body.at("object_attributes")
    what = sentence("", found.name("severity"), "vulnerability", found.name("state"))
    return sentence(place(body), titled(what, found.line("title")), link=found.link("url"))


def silent(_body: Value) -> None:
    return None


EVENTS: dict[str, Event] = {
    "push": push, "tag_push": push, "issue": issue, "work_item": issue, "merge_request": merge_request, "note": note,
    "pipeline": pipeline, "build": job, "deployment": deployment, "release": release, "wiki_page": wiki_page,
    "feature_flag": feature_flag, "milestone": milestone, "access_token": access_token, "emoji": silent,
    "vulnerability": vulnerability,
}  # fmt: skip
