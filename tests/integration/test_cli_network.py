"""Over a network: a link leads in, once; from then on a name and a key are enough. Where not, a sentence tells why."""

import os
import pwd
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from tests.conftest import ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.integration.test_readme import ROOT, compiled, node, program
from zchat.protocol import links


@pytest.fixture
def encrypted(start_broker: StartBroker) -> Broker:
    """Return a broker that lets in only who has a key."""
    return start_broker(listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")


def owner_link(broker: Broker) -> str:
    """Return the link with which the owner joins."""
    (line,) = (line for line in broker.output().splitlines() if line.startswith("zchat join "))
    return line.split()[-1]


def without_code(link: str) -> str:
    return link.rpartition("/")[0]


def test_a_link_leads_in_once_and_then_a_name_does(
    encrypted: Broker, zchat: RunZchat, environment: dict[str, str]
) -> None:
    link = owner_link(encrypted)
    come = zchat("join", link, "--nick", "alice", input="hello\n")
    assert (come.code, come.err.count("Traceback")) == (0, 0), come.err
    found = links.parse(link)
    name = f"{found.hosts[0][0]}:{found.hosts[0][1]}"
    sent = zchat("send", "--broker", name, "and again")
    assert sent.code == 0, sent.err
    told = zchat("tail", "--broker", found.hosts[0][0])
    assert "<alice> hello" in told.out
    assert "<alice> and again" in told.out
    elsewhere = zchat("who", "--broker", "ipc:///nowhere", "--timeout", "0.1")
    assert (elsewhere.code, f"Known here: {name}." in elsewhere.err) == (69, True), elsewhere.err
    config = Path(environment["XDG_CONFIG_HOME"]) / "zchat"
    for file in config.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert (found.code or "") not in file.read_text()
    logged = "".join(file.read_text() for file in Path(environment["ZCHAT_LOG_DIR"]).iterdir())
    assert (found.code or "") not in logged
    renamed = zchat("join", name, "--nick", "bob", input="hi\n")
    assert "you are alice here; /nick changes it" in renamed.err
    assert "<alice> hi" in zchat("tail", "--broker", name).out


def test_who_comes_by_a_link_without_a_nick_has_the_login_name(encrypted: Broker, zchat: RunZchat) -> None:
    link = owner_link(encrypted)
    come = zchat("join", link, input="hello\n")
    assert come.code == 0, come.err
    name = pwd.getpwuid(os.getuid()).pw_name
    assert f"<{name}> hello" in zchat("tail", "--broker", without_code(link)).out
    again = zchat("join", link, input="hello again\n")
    assert (again.code, "changes it" in again.err) == (0, False), again.err  # a used link troubles nobody who is in


def test_a_team_begins_with_the_three_commands_of_the_readme(
    start_broker: StartBroker, zchat: RunZchat, tmp_path: Path
) -> None:
    lines = re.findall(r"^(?:host|laptop)\$ +(.*?)(?: {2,}#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)
    start, join, invite = (shlex.split(line)[1:] for line in lines)
    listen = start[start.index("--listen") + 1].replace("5555", "0")
    assert start[0] == "broker"
    broker = start_broker("--advertise", "127.0.0.1", listen=listen, publish="tcp://*:0")
    link = owner_link(broker)
    mine = {"zchat://chat.example.org/KEY/CODE": link, "chat.example.org": link.split("/")[2]}
    laptop = {"XDG_RUNTIME_DIR": str(tmp_path)}  # where there is no broker's socket file
    joined, made = (
        zchat(*(mine.get(arg, arg) for arg in args), input="hello\n", env=laptop) for args in (join, invite)
    )
    assert (joined.code, made.code) == (0, 0), joined.err + made.err
    (invited,) = (word for word in made.out.split() if links.is_link(word))
    assert links.parse(invited).code is not None


def test_who_has_no_invitation_is_told_what_to_do(encrypted: Broker, zchat: RunZchat) -> None:
    link = without_code(owner_link(encrypted))
    for command in (("join", link), ("send", "--broker", link, "hi")):
        refused = zchat(*command)
        assert refused.code == 1
        assert "Ask somebody who is in for an invitation" in refused.err, refused.err
    other = links.encode_code(bytes(16))
    assert "ask for a new link" in zchat("join", f"{link}/{other}", "--nick", "alice").err


def test_what_is_wrong_with_a_link_is_told(encrypted: Broker, zchat: RunZchat) -> None:
    link = without_code(owner_link(encrypted))
    host, _, key = link.rpartition("/")
    public, _ = zmq.curve_keypair()
    other = f"{host}/{links.encode_key(links.from_z85(public))}"
    for broker, code, sentence in (
        (link[:-1], 2, "its key is cut short"),
        (f"{host}/{'c' if key[0] == 'b' else 'b'}{key[1:]}", 2, "there is a typo in its key"),
        (host, 2, "the broker's key is missing"),
        (other, 1, "is not the broker whose key you have"),
        ("chat.example.org", 2, "no broker is known here by that name"),
        (f"tcp://{host.removeprefix('zchat://')}", 69, "is a broker that is encrypted"),
    ):
        told = zchat("who", "--broker", broker)
        assert (told.code, told.out) == (code, "")
        assert sentence in told.err
        assert len(told.err.splitlines()) == 1


def test_a_bot_is_invited_once(encrypted: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "herald.py"
    file.write_text('from zchat import Bot\nbot = Bot("herald")\n@bot.command()\ndef now(ctx): return "tea"\n')
    as_it = environment | {"ZCHAT_IDENTITY": str(Path(environment["ZCHAT_DATA"]) / "bots" / "herald.key")}

    def is_there() -> bool:
        return "herald" in zchat("who", "--broker", without_code(owner_link(encrypted)), env=as_it).out

    for args in (("--invite", owner_link(encrypted)), ()):
        with subprocess.Popen((*ZCHAT, "bot", "run", *args, str(file)), env=environment, stderr=subprocess.PIPE) as bot:
            assert bot.stderr is not None
            assert b"at 127.0.0.1" in bot.stderr.readline()
            wait_for(is_there, "the bot to be there")
            bot.terminate()
            assert bot.wait(30) == 0
    assert not (Path(environment["XDG_CONFIG_HOME"]) / "zchat" / "identity.key").exists()


Speak = Callable[..., None]


@pytest.fixture
def speaks(encrypted: Broker, environment: dict[str, str], tmp_path: Path) -> Speak:
    """Run a speaker with a key twice, for the code is needed once: `speaks(key_file, *command)`.

    The link is in LINK; with `parts`, HOST:PORT, KEY and CODE are the command's arguments, too.
    """

    def run(key_file: str, *command: str, parts: bool = False) -> None:
        link = owner_link(encrypted)
        for each in (link, without_code(link)):
            said = subprocess.run(
                (*command, *(each.split("/")[2:] if parts else ())),
                env=environment | {"LINK": each},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert '"type":"ack"' in said.stdout, said.stdout + said.stderr
        assert stat.S_IMODE((tmp_path / key_file).stat().st_mode) == 0o600

    return run


def test_a_speaker_with_a_key_in_plain_python_is_heard(speaks: Speak) -> None:
    speaks("speaker.key", sys.executable, "-c", program("python", "curve_serverkey"))


def test_a_speaker_with_a_key_in_javascript_is_heard(speaks: Speak) -> None:
    speaks("speaker.json", node(), "-e", program("js", "curveServerKey"))


def test_a_speaker_with_a_key_in_c_is_heard(speaks: Speak, tmp_path: Path) -> None:
    speaks("speaker.key", str(compiled(program("c", "ZMQ_CURVE_SERVERKEY"), tmp_path)), parts=True)


def test_without_a_name_it_is_the_broker_of_this_user_on_this_machine(
    broker: Broker, zchat: RunZchat, environment: dict[str, str]
) -> None:
    path = Path(environment["XDG_RUNTIME_DIR"]) / "zchat.sock"
    if not path.exists():
        pytest.skip("the path is too long for a socket file")
    sent = zchat("send", "over the socket file", env={"LOGNAME": "carol"})
    assert sent.code == 0, sent.err
    me = pwd.getpwuid(os.getuid()).pw_name
    assert f"<{me}> over the socket file" in zchat("tail", broker=broker).out
