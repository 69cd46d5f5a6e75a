"""What the provider of EC2 makes of refusals, silence, lost answers and closed doors; and that it tells no secret."""

from __future__ import annotations

import base64
import logging
import socket
from contextlib import ExitStack
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

import pytest
from dynamo.provisioners.ec2 import connect

from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    GoneError,
    NoCapacityError,
    OutcomeUnknownError,
    ProviderError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)
from tests.cloud.ec2_use import SECRETS, USER_DATA_TEXT, error_page, failing, refusing, settings, spec
from tests.cloud.fake_ec2 import Fault

MEANINGS = [
    (400, "InstanceLimitExceeded", QuotaError),
    (400, "VcpuLimitExceeded", QuotaError),
    (400, "MaxSpotInstanceCountExceeded", QuotaError),
    (400, "VolumeLimitExceeded", QuotaError),
    (400, "NetworkInterfaceLimitExceeded", QuotaError),
    (500, "InsufficientInstanceCapacity", NoCapacityError),
    (500, "InsufficientHostCapacity", NoCapacityError),
    (400, "InsufficientFreeAddressesInSubnet", NoCapacityError),
    (400, "SpotMaxPriceTooLow", NoCapacityError),
    (400, "ReservationCapacityExceeded", NoCapacityError),
    (400, "InvalidParameterValue", BadRequestError),
    (400, "InvalidAMIID.NotFound", BadRequestError),
    (400, "InvalidAMIID.Malformed", BadRequestError),
    (400, "InvalidGroup.NotFound", BadRequestError),
    (400, "Unsupported", BadRequestError),
    (400, "SomethingNewThatIsWrong", BadRequestError),
    (503, "RequestLimitExceeded", ThrottledError),
    (400, "Throttling", ThrottledError),
    (429, "", ThrottledError),
    (401, "AuthFailure", AuthError),
    (403, "UnauthorizedOperation", AuthError),
    (403, "", AuthError),
    (400, "RequestExpired", AuthError),
    (401, "OptInRequired", AuthError),
    (403, "SignatureDoesNotMatch", AuthError),
    (503, "Unavailable", UnavailableError),
    (500, "InternalError", OutcomeUnknownError),
    (503, "ServiceUnavailable", OutcomeUnknownError),
    (502, "", OutcomeUnknownError),
]


@pytest.mark.parametrize(("status", "code", "meaning"), MEANINGS, ids=str)
def test_what_ec2_says_of_an_order(cloud, between, status, code, meaning):
    """Each code means what it means, and stands in the message with what EC2 says; gateways answer without one."""
    body = error_page(code) if code else "<html>no EC2</html"
    with failing(between, "RunInstances", Fault(status, body)), pytest.raises(ProviderError) as refused:
        cloud.create(spec())
    assert type(refused.value) is meaning
    assert (code or str(status)) in str(refused.value)
    assert between.actions().count("RunInstances") == 1, "it was tried again blindly"


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "InvalidInstanceID.NotFound", GoneError),
        (400, "InvalidInstanceID.Malformed", GoneError),
        (500, "InternalError", UnavailableError),
        (502, "", UnavailableError),
        (503, "RequestLimitExceeded", ThrottledError),
        (403, "UnauthorizedOperation", AuthError),
    ],
)
def test_what_ec2_says_of_a_question(cloud, between, status, code, meaning):
    """A question changes nothing: where it fails, nothing is unknown; a listing is whole or an error."""
    with between.failing(lambda call: Fault(status, error_page(code) if code else "")):
        with pytest.raises(meaning):
            cloud.describe("i-0123456789abcdef0")
        with pytest.raises(meaning):
            cloud.list("s")


def test_an_end_that_is_refused_is_told(cloud, between):
    """A machine that cannot be ended is an error, and its outcome unknown where the answer is lost."""
    made = cloud.create(spec())
    with (
        refusing(between, "TerminateInstances", "UnauthorizedOperation", 403),
        pytest.raises(AuthError),
    ):
        cloud.destroy(made.id)
    with failing(between, "TerminateInstances", Fault(done=True)), pytest.raises(OutcomeUnknownError):
        cloud.destroy(made.id)
    cloud.destroy(made.id)
    assert cloud.describe(made.id).state == "gone"


def test_an_answer_that_is_lost(cloud, between):
    """The connection ends after the order, or what comes cannot be read: nobody knows, and the listing tells."""
    for fault in (Fault(done=True), Fault(200, "<RunInst", done=True), Fault(200, "", done=True)):
        order = spec()
        with failing(between, "RunInstances", fault), pytest.raises(OutcomeUnknownError, match="listing"):
            cloud.create(order)
        assert between.actions().count("RunInstances") == 1
        found = cloud.list(order.tags.slice)
        assert cloud.create(order).id == found[0].id
        assert between.actions().count("RunInstances") == 1
        between.calls.clear()


def test_no_answer_in_time(between):
    """A cloud that accepts and says nothing costs the seconds that the slice says; an order is unknown then."""
    cloud = connect(settings(between.url, read_timeout="0.5"))
    empty = Fault(200, "<DescribeInstancesResponse/>")
    with (
        between.failing(lambda call: Fault(hang=True) if call.action == "RunInstances" else empty),
        pytest.raises(OutcomeUnknownError, match="no answer in time"),
    ):
        cloud.create(spec())
    with between.failing(lambda call: Fault(hang=True)), pytest.raises(UnavailableError, match="in time"):
        cloud.list("s")


def test_a_cloud_that_accepts_nothing(monkeypatch):
    """A full backlog and a closed port: no connection, so nothing was done, and it is told within its seconds."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(2):  # nobody accepts these
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        there = f"http://127.0.0.1:{full.getsockname()[1]}"
        with pytest.raises(UnavailableError, match="nothing was done"):
            connect(settings(there, connect_timeout="0.2", read_timeout="0.2"))._calls.call(
                "RunInstances", {}
            )
    with pytest.raises(UnavailableError, match="nothing was done"):  # the port is closed now
        connect(settings(there))._calls.call("RunInstances", {})


def test_a_host_that_has_no_address():
    """A name that nothing is behind: nothing was sent."""
    cloud = connect(settings("http://ec2.invalid:1"))
    with pytest.raises(UnavailableError, match="nothing was done"):
        cloud._calls.call("RunInstances", {})


def test_a_redirect_is_not_followed(cloud, between):
    """What an order holds is told nobody but whom the slice names."""
    with (
        failing(between, "RunInstances", Fault(307, location=f"{between.url}/elsewhere")),
        pytest.raises(ProviderError),
    ):
        cloud.create(spec())
    assert between.actions().count("RunInstances") == 1


def test_no_netrc_takes_the_place_of_the_signature(between, tmp_path, monkeypatch):
    """A ~/.netrc with an entry for all hosts changes nothing."""
    (tmp_path / "netrc").write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    connect(settings(between.url)).list("s")
    assert between.calls[0].headers["Authorization"].startswith("AWS4-HMAC-SHA256")


def repeated(call):
    """Return all that was sent, piece by piece, as a cloud may repeat it: as it came, and as it was meant."""
    data = call.params["UserData"]
    plain = base64.b64decode(data).decode()
    return [
        data,
        plain,
        *plain.splitlines(),
        call.body.decode(),
        unquote_plus(call.body.decode()),
        *(value for name, value in call.headers.items() if name in {"Authorization", "x-amz-security-token"}),
        *SECRETS,
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "InvalidParameterValue"), (500, "InternalError"), (401, "AuthFailure"), (500, "")],
)
def test_no_secret_is_shown(between, caplog, status, code):
    """A cloud that repeats in its answer what it was sent is quoted without credentials and user data."""
    caplog.set_level(logging.DEBUG)
    cloud = connect(settings(between.url))
    texts = [repr(cloud), repr(cloud._calls), str(cloud), repr(spec())]
    for n in range(len(SECRETS) + 8):

        def repeating(call, n=n):
            said = (
                escape([*repeated(call), ""][min(n, len(repeated(call)))])
                if "UserData" in call.params
                else ""
            )
            return Fault(status, error_page(code or said, said)) if call.action == "RunInstances" else None

        with between.failing(repeating), pytest.raises(ProviderError) as refused:
            cloud.create(spec())
        texts += all_of(refused.value)
    texts += [record.getMessage() for record in caplog.records]
    assert any("POST" in text for text in texts), "nothing was logged at all"
    check_hidden(texts)


def test_no_secret_is_shown_by_what_got_no_answer(between, caplog):
    """Nor by an error that the HTTP client raised, which holds the request."""
    caplog.set_level(logging.DEBUG)
    cloud = connect(settings(between.url))
    for fault in (Fault(), Fault(200, "<x")):
        with failing(between, "RunInstances", fault), pytest.raises(OutcomeUnknownError) as refused:
            cloud.create(spec())
        assert refused.value.__cause__ is None
        assert refused.value.__context__ is None
        check_hidden([*all_of(refused.value), *(record.getMessage() for record in caplog.records)])


def all_of(error):
    """Return all texts of an error, and of those that it came of."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), *map(repr, error.args)]
        error = error.__cause__ or error.__context__
    return texts


def check_hidden(texts):
    """Check that no text has a credential or what is in the user data, in whatever way of writing."""
    encoded = base64.b64encode(USER_DATA_TEXT.encode()).decode()
    for secret in (*SECRETS, "a-join-token-of-one-use", encoded):
        assert not [text for text in texts if secret in text or secret in unquote_plus(text)]
