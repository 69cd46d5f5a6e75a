"""What OpenStack's services answer is told as what it is, over real HTTP, and shows nobody's secrets."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import pytest

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
from tests.cloud.fake_openstack import PASSWORD, SECRET, FakeOpenStack
from tests.cloud.openstack_use import IMPATIENT, MARK, SPEC, credentials, provider

ORDER, LISTING, SIGN_IN = "POST /compute.*/servers$", "GET /compute.*/servers/detail", "POST /identity/"


@pytest.fixture
def cloud() -> Iterator[FakeOpenStack]:
    fake = FakeOpenStack()
    yield fake
    fake.close()


def nova(name: str, code: int, message: str, **more: object) -> dict:
    return {name: {"code": code, "message": message, **more}}


ANSWERS = [
    (
        400,
        nova("badRequest", 400, "Flavor 9 could not be found."),
        BadRequestError,
        "Flavor 9 could not be found",
    ),
    (401, {"error": {"code": 401, "message": "Not this token."}}, AuthError, "see that the credentials"),
    (
        403,
        nova("forbidden", 403, "Quota exceeded for cores: Requested 8, but already used 20"),
        QuotaError,
        "quota",
    ),
    (403, nova("forbidden", 403, "Policy doesn't allow that."), AuthError, "Policy doesn't allow"),
    (404, nova("itemNotFound", 404, "Image 7 could not be found."), BadRequestError, "Image 7"),
    (
        409,
        nova("conflictingRequest", 409, "Multiple possible networks found"),
        BadRequestError,
        "Multiple possible",
    ),
    (409, nova("conflictingRequest", 409, "Port 5 is still in use."), UnavailableError, "in use, or busy"),
    (
        409,
        nova("conflictingRequest", 409, "Rule bandwidth_limit is not supported by network 7"),
        BadRequestError,
        "not supported by network 7",
    ),
    (
        409,
        {"NeutronError": {"type": "OverQuota", "message": "No more ['port']", "detail": ""}},
        QuotaError,
        "port",
    ),
    (
        413,
        nova("overLimit", 413, "This request was rate-limited.", retryAfter="3"),
        ThrottledError,
        "too many calls",
    ),
    (
        413,
        nova("overLimit", 413, "Quota exceeded for instances."),
        QuotaError,
        "Quota exceeded for instances",
    ),
    (429, "<html>Slow down</html>", ThrottledError, "too many calls"),
    (500, nova("computeFault", 500, "Unexpected API Error."), OutcomeUnknownError, "nobody knows"),
    (500, nova("computeFault", 500, "No valid host was found. "), NoCapacityError, "next offer"),
    (400, nova("badRequest", 400, "Not enough hosts available"), NoCapacityError, "next offer"),
    (502, "<html><h1>502 Bad Gateway</h1></html>", OutcomeUnknownError, "502 Bad Gateway"),
    (503, "<html><h1>503</h1></html>", UnavailableError, "it is tried again later"),
    (504, "", OutcomeUnknownError, "listing will tell"),
    (202, "<html>Welcome to the portal</html>", OutcomeUnknownError, "cannot be read"),
    (202, {"server": {}}, OutcomeUnknownError, "listing will tell"),
    (202, {"something": {"id": "1"}}, OutcomeUnknownError, "listing will tell"),
]


@pytest.mark.parametrize(("status", "body", "kind", "says"), ANSWERS)
def test_a_refused_order_is_told_as_what_it_is(cloud, status, body, kind, says):
    """Each answer of Nova, and of a proxy before it, has its kind and says whose it is and what to do."""
    with cloud.failing(ORDER, status=status, body=body), pytest.raises(ProviderError) as told:
        provider(cloud).create(SPEC)
    assert type(told.value) is kind
    assert says in told.value.message
    assert told.value.message.startswith("chameleon (Nova): POST /servers: ")
    assert cloud.nova.servers == {}


def test_a_pause_that_is_asked_for_is_said(cloud):
    """Of ``Retry-After``, seconds are shown, and anything else is left out."""
    for header, says in (
        ("17", "a pause of 17 s"),
        ("soon", "too many calls: 429"),
        ("-1", "too many calls: 429"),
    ):
        answer = {"status": 429, "headers": {"Retry-After": header}, "body": "<p></p>"}
        with cloud.failing(ORDER, **answer), pytest.raises(ThrottledError, match=says):
            provider(cloud).create(SPEC)


@pytest.mark.parametrize("how", ["cut", "cut-after", "hang", "hang-after"])
def test_an_order_without_an_answer_is_of_unknown_outcome(cloud, how):
    """Whether it was carried out or not: nobody knows, and the next order of that token makes no second machine."""
    with cloud.failing(ORDER, how=how), pytest.raises(OutcomeUnknownError, match="the listing will tell"):
        provider(cloud, IMPATIENT).create(SPEC)
    assert cloud.calls.count("POST /compute/v2.1/servers") == 1, "an order was repeated blindly"
    made = provider(cloud).create(SPEC)
    assert list(cloud.nova.servers) == [made.id]


@pytest.mark.parametrize("how", ["cut", "hang", "status"])
def test_a_listing_without_an_answer_is_no_listing(cloud, how):
    """Nothing was to be done by it, so nothing is unknown; and half a listing is none."""
    cloud.nova.most = 2
    for _ in range(5):
        cloud.nova.stranger()
    with cloud.failing(LISTING, how=how, skip=1), pytest.raises(UnavailableError, match="tried again later"):
        provider(cloud, IMPATIENT).list("dfw")


@pytest.mark.parametrize("how", ["cut", "hang"])
def test_a_keystone_that_does_not_answer_leaves_no_order_in_doubt(cloud, how):
    """The order was not sent: that is said, and no doubt remains."""
    with cloud.failing(SIGN_IN, how=how), pytest.raises(UnavailableError, match="Keystone at http"):
        provider(cloud, IMPATIENT).create(SPEC)


def test_a_cloud_that_is_off_is_not_there():
    """A port where nobody listens: nothing was done."""
    gone = FakeOpenStack()
    made = provider(gone)
    made.list("dfw")
    gone.close()
    with pytest.raises(UnavailableError):
        made.create(SPEC)
    with pytest.raises(UnavailableError, match="no connection to it"):
        provider(gone).create(SPEC)


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (403, {"error": {"code": 403, "message": "User locked."}}, AuthError, "User locked"),
        (404, "<html>Not Found</html>", BadRequestError, "auth_url is not that of a Keystone"),
        (429, "", ThrottledError, "too many"),
        (
            500,
            {"error": {"code": 500, "message": "An unexpected error"}},
            UnavailableError,
            "unexpected error",
        ),
        (503, "", UnavailableError, "503"),
        (200, "<html>Sign in to the hotel</html>", UnavailableError, "cannot be read"),
        (201, {"token": {"expires_at": "never"}}, UnavailableError, "cannot be read"),
        (201, {"token": {"expires_at": "2099-01-01T00:00:00.000000Z"}}, UnavailableError, "cannot be read"),
    ],
)
def test_what_keystone_answers_is_told(cloud, status, body, kind, says):
    """A refusal to sign in names Keystone and the credentials by where they are from."""
    with cloud.failing(SIGN_IN, status=status, body=body), pytest.raises(ProviderError) as told:
        provider(cloud).list("dfw")
    assert type(told.value) is kind
    assert says in told.value.message
    assert "credentials env:CHAMELEON" in told.value.message


def test_wrong_credentials_are_said(cloud):
    """Where they are from is named; what they are is not."""
    given = credentials(
        cloud,
        auth_url=f"{cloud.url}/identity",
        application_credential_id="ac1",
        application_credential_secret="guess",
    )
    with pytest.raises(
        AuthError, match=r"credentials env:CHAMELEON\): 401 .*requires authentication"
    ) as told:
        provider(cloud, given=given).list("dfw")
    assert "guess" not in str(told.value)


def test_a_token_that_expired_is_renewed_once(cloud):
    """The call goes through with a new token, an order too, and is made once."""
    made = provider(cloud)
    made.list("dfw")
    cloud.expire_tokens()
    assert made.list("dfw") == []
    assert len(cloud.issued) == 2
    with cloud.failing(ORDER, status=401, body={"error": {"code": 401, "message": "expired"}}, times=1):
        made.create(SPEC)
    assert len(cloud.issued) == 3
    assert len(cloud.nova.servers) == 1


def test_a_token_that_is_refused_twice_is_an_error(cloud):
    """Nobody goes on for ever."""
    with (
        cloud.failing(LISTING, status=401, body={"error": {"code": 401, "message": "no"}}),
        pytest.raises(AuthError),
    ):
        provider(cloud).list("dfw")
    assert len(cloud.issued) == 2


def test_a_token_serves_all_services_of_a_provider(cloud):
    """An order asks Nova, Glance and Neutron, and Keystone once."""
    provider(cloud).create(SPEC)
    assert len(cloud.issued) == 1
    assert {one.split("/")[1] for one in cloud.calls} == {"identity", "compute", "image", "network"}


def test_a_variable_of_the_environment_does_not_repeat_orders(cloud, monkeypatch):
    """Libcloud would try again whatever failed, orders too, where this is set."""
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "1")
    with cloud.failing(ORDER, how="cut"), pytest.raises(OutcomeUnknownError):
        provider(cloud).create(SPEC)
    assert cloud.calls.count("POST /compute/v2.1/servers") == 1


def test_what_is_not_there_is_gone(cloud):
    """An id that nobody knows, one that is none, and a server of a stranger."""
    stranger = cloud.nova.stranger()
    for id_ in ("0e44cc9c-e052-415d-afbf-469b0d384170", "", "../flavors", stranger):
        with pytest.raises(GoneError):
            provider(cloud).describe(id_)


def test_no_secret_is_shown(cloud, caplog):
    """Not in a message, a traceback, a text of an object or a log, whatever the cloud shows of the request."""
    caplog.set_level(logging.DEBUG)
    made = provider(cloud)
    made.list("dfw")
    token = cloud.issued[0]
    shown = [repr(made), str(made), repr(vars(made)), repr(SPEC)]
    echo = f"Invalid input for field/attribute user_data. Value: {'Zm9v' * 40}. '{'Zm9v' * 40}' is too long"
    told = f"the token {token} and the secret {SECRET} and {'x' * 60} are no good"
    for message in (echo, told):
        with cloud.failing(ORDER, status=400, body=nova("badRequest", 400, message)):
            try:
                made.create(SPEC)
            except BadRequestError as error:
                shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
    for how in ("cut", "hang"):
        with cloud.failing(SIGN_IN, how=how):
            try:
                provider(cloud, IMPATIENT).create(SPEC)
            except UnavailableError as error:
                shown += [str(error), "".join(traceback.format_exception(error))]
    assert len(shown) == 14
    for text in (*shown, caplog.text):
        for secret in (SECRET, PASSWORD, MARK, token, "Zm9vZm9v", "x" * 48):
            assert secret not in text


def test_what_nova_shows_of_a_request_is_left_out(cloud):
    """Short values too: what was wrong is said, and not what it was."""
    message = "Invalid input for field/attribute user_data. Value: I2Nsb3Vk. 'I2Nsb3Vk' is not base64"
    refusal = r"POST /servers: 400 Invalid input for field/attribute user_data; see what the slice asks for$"
    with (
        cloud.failing(ORDER, status=400, body=nova("badRequest", 400, message)),
        pytest.raises(BadRequestError, match=refusal),
    ):
        provider(cloud).create(SPEC)


def test_user_data_that_nova_does_not_take_is_refused_before(cloud):
    """Nova's own message would show it."""
    from dataclasses import replace

    with pytest.raises(BadRequestError, match="bytes of base64, and Nova takes 65535"):
        provider(cloud).create(replace(SPEC, user_data="x" * 50000))
    assert not any(one.startswith("POST /compute") for one in cloud.calls)
