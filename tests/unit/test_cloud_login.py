"""Logins at the account service, against a server that plays it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from fake_xiaomi import ACCOUNT, PASSWORD, SSECURITY, TOKEN_COOKIE, USER, Mood, service
from mitherm.cloud.driver import AbsentPerson, perform
from mitherm.cloud.effects import Procedure, Request
from mitherm.cloud.hosts import Hosts
from mitherm.cloud.password_login import Credentials, password_login
from mitherm.cloud.qr_login import qr_login
from mitherm.cloud.session import Ground, Session
from mitherm.cloud.web import StandardWeb
from mitherm.errors import AnswerNeeded, CloudError, NetworkUnreachable, UsageProblem
from mitherm.primitives.secret import Secret

CREDENTIALS = Credentials(ACCOUNT, Secret(PASSWORD.encode()))


@dataclass
class Owner:
    """A person with a phone and a browser."""

    mood: Mood
    shown: list[str] = field(default_factory=list)

    def show_login(self, url: str, timeout_s: float) -> None:
        self.shown.append(url)

    def second_factor(self, url: str) -> None:
        self.shown.append(url)
        self.mood.factor_passed = True


class Clock:
    """Time that only pauses and waits move."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


Login = Callable[[Ground], Procedure[Session]]


def by_password(ground: Ground) -> Procedure[Session]:
    return password_login(ground, CREDENTIALS)


def log_in(mood: Mood, login: Login, person: Owner | AbsentPerson | None = None) -> Session:
    clock = Clock()
    with service(mood) as base:
        ground = Ground(lambda count: bytes(range(count)), clock, Hosts.local(base))
        person = Owner(mood) if person is None else person
        return perform(login(ground), StandardWeb(), person=person, tell=print, sleep=clock.sleep)


@pytest.mark.parametrize("login", [qr_login, by_password])
def test_a_login_gives_a_session(login: Login) -> None:
    """Both roads end with user id, ssecurity and the service token of the last hop, and send what is expected."""
    mood = Mood()
    session = log_in(mood, login)
    assert session.user_id == USER
    assert session.ssecurity.reveal() == SSECURITY
    assert session.service_token.reveal().decode() == TOKEN_COOKIE
    assert mood.wrong == []
    assert mood.asked[-2:] == ["GET /sts", "GET /sts/2"]
    assert TOKEN_COOKIE not in repr(session) and USER not in repr(session)


def test_the_code_is_shown_before_the_first_poll() -> None:
    """The person sees the login address, and polls go on while nothing was scanned."""
    mood = Mood(pending_polls=3)
    owner = Owner(mood)
    log_in(mood, qr_login, owner)
    assert owner.shown[0].endswith("/longPolling/login?ticket=lp_1")
    assert mood.asked.count("GET /longPolling/poll") == 4


def test_a_poll_that_hangs_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long poll without an answer is ordinary."""
    monkeypatch.setattr("mitherm.cloud.qr_login.POLL_S", 0.1)
    mood = Mood(poll="hang", pending_polls=0)
    assert log_in(mood, qr_login).user_id == USER
    assert mood.asked.count("GET /longPolling/poll") == 2


def test_the_second_factor_is_passed_in_the_browser() -> None:
    """The address is shown in full, then the login is tried once more."""
    mood = Mood(second_factor="once")
    owner = Owner(mood)
    assert log_in(mood, by_password, owner).user_id == USER
    assert owner.shown[0].endswith("/identity/authStart?context=c1")
    assert mood.asked.count("POST /pass/serviceLoginAuth2") == 2


@pytest.mark.parametrize(
    ("mood", "login", "error", "says"),
    [
        (Mood(poll="never", scan_timeout=40), qr_login, CloudError, "nobody scanned"),
        (Mood(poll="gone"), qr_login, CloudError, "no longer valid"),
        (Mood(captcha=True), by_password, CloudError, "captcha"),
        (Mood(second_factor="always"), by_password, CloudError, "second factor"),
        (Mood(limited=True), qr_login, CloudError, "limits how often"),
        (Mood(limited=True), by_password, CloudError, "limits how often"),
        (Mood(broken="portal"), qr_login, CloudError, "no JSON"),
        (Mood(broken="503"), by_password, NetworkUnreachable, "HTTP 503"),
        (Mood(location="https://evil.example/sts"), qr_login, CloudError, "not its own"),
        (Mood(location="https://127.0.0.1/sts"), by_password, CloudError, "not its own"),
    ],
    ids=lambda value: "" if isinstance(value, Mood) else getattr(value, "__name__", value),
)
def test_what_goes_wrong_is_named(mood: Mood, login: Login, error: type[Exception], says: str) -> None:
    """Every refusal has its sentence."""
    with pytest.raises(error, match=says):
        log_in(mood, login)
    assert mood.wrong == []


@pytest.mark.parametrize(("account", "password"), [(ACCOUNT, "wrong"), ("böse; x=1\r\ny", PASSWORD)])
def test_wrong_credentials(account: str, password: str) -> None:
    """Wrong name or password is said, and the password appears nowhere."""
    credentials = Credentials(account, Secret(password.encode()))
    with pytest.raises(CloudError, match="refused account name or password") as caught:
        log_in(Mood(), lambda ground: password_login(ground, credentials))
    assert password not in f"{caught.value.message} {caught.value.hint} {credentials!r}"


def test_without_a_person_nothing_is_waited_for() -> None:
    """Nobody there: the code is not polled for."""
    mood = Mood()
    with pytest.raises(AnswerNeeded):
        log_in(mood, qr_login, AbsentPerson())
    assert "GET /longPolling/poll" not in mood.asked


def test_a_closed_port_is_unreachable() -> None:
    """No network is exit 6, and says which host."""
    with service(Mood()) as base:
        pass
    ground = Ground(bytes, Clock(), Hosts.local(base))
    with pytest.raises(NetworkUnreachable, match=r"127\.0\.0\.1 cannot be reached") as caught:
        perform(qr_login(ground), StandardWeb(), person=AbsentPerson(), tell=print)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://account.xiaomi.com/x", True),
        ("https://sts.api.io.mi.com/sts?d=1", True),
        ("http://account.xiaomi.com/x", False),
        ("https://xiaomi.com.evil.example/", False),
        ("https://evilxiaomi.com/", False),
        ("https://account.xiaomi.com@evil.example/", False),
        ("file:///etc/passwd", False),
    ],
)
def test_trusted_hosts(url: str, trusted: bool) -> None:
    """Only the service's own hosts, encrypted."""
    assert Hosts().trusts(url) is trusted


def test_only_a_local_server_can_stand_in() -> None:
    """A password cannot be sent to another computer by a setting."""
    with pytest.raises(UsageProblem):
        Hosts.local("https://evil.example")


def test_requests_show_no_secret() -> None:
    """Query, form and cookies stay out of repr."""
    request = Request("GET", "https://a.mi.com/p?d=secret", {"q": "secret"}, {"f": "secret"}, {}, {"c": "secret"})
    assert "secret" not in repr(request)
