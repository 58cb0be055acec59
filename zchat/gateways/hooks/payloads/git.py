"""What a push says: GitHub, GitLab and Gitea tell it nearly alike."""

from .sentences import counted, listed, sentence, titled
from .value import NAME, Value, cut

HEADS, TAGS = "refs/heads/", "refs/tags/"
NOTHING = "0" * 40  # the hash of a branch that was not there, or is not there any more
SHORT = 7  # digits of a commit


def named(ref: str) -> str:
    """Return `main` for a branch and `tag v1` for a tag."""
    if ref.startswith(TAGS):
        return f"tag {ref.removeprefix(TAGS)}"
    return ref.removeprefix(HEADS)


def short(commit: str) -> str:
    """Return the first digits of a commit."""
    return commit[:SHORT] if len(commit) >= 40 else commit


def pushed(place: str, who: str, body: Value, link: str, total: int | None = None) -> str:
    """Return what was pushed: one commit in one line, several under it. `total` counts those not told, too."""
    ref = named(body.name("ref"))
    if body.name("after") == NOTHING or body.is_true("deleted"):
        return sentence(place, who, "deleted", _kind(ref))
    new = body.name("before") == NOTHING or body.is_true("created")
    commits = list(body.each("commits"))
    count = max(total or 0, len(commits))
    if not commits:
        return sentence(place, who, "created" if new else "moved", _kind(ref), link=link)
    how = "force-pushed" if body.is_true("forced") else "pushed"
    where = f"to the new branch {ref}" if new and not ref.startswith("tag ") else f"to {ref}"
    if count == 1:
        one = commits[0]
        return sentence(place, who, how, titled(where, one.line("message")), link=one.link("url") or link)
    head = sentence(place, who, how, counted(count, "commit"), where, link=link)
    return listed(head, (_commit(commit) for commit in commits), count - len(commits))


def _commit(commit: Value) -> str:
    author = commit.name("author", "name")
    return sentence("", short(commit.name("id")), commit.line("message"), f"({author})" if author else "")


def _kind(ref: str) -> str:
    return ref if ref.startswith("tag ") else cut(f"branch {ref}", NAME)
