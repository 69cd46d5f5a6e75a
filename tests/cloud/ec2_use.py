"""How the tests of EC2 reach it: credentials that must be shown nowhere, orders, and EC2's own error pages."""

from __future__ import annotations

import uuid
from dataclasses import replace

from dynamo.fleet.credentials import Credentials
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.provider import ProviderSettings
from tests.cloud.fake_ec2 import Fault

KEY, SECRET, SESSION = "AKIDSHOWNNOWHERE", "sec/ret+of=theaccount", "session/token+of/the=account"
SECRETS = (KEY, SECRET, SESSION)
REGION = "us-east-2"
IMAGE = "ami-0123456789abcdef0"
USER_DATA_TEXT = "#cloud-config\nwrite_files:\n- content: a-join-token-of-one-use\n"


def settings(endpoint, *, credentials=None, region=REGION, **options):
    found = {"access_key_id": KEY, "secret_access_key": SECRET, "session_token": SESSION}
    return ProviderSettings(
        "aws", "ec2", region, Credentials(credentials or found), {"endpoint": endpoint, **options}
    )


def spec(slice_=None, group="workers", token=None, **more):
    tags = Tags(slice_ or f"s-{uuid.uuid4().hex[:8]}", group, token or uuid.uuid4().hex)
    made = MachineSpec(tags, f"{tags.group}-1", "c7i.large", IMAGE, user_data=USER_DATA_TEXT)
    return replace(made, **more)


def error_page(code, message="it is so"):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}'
        "</Message></Error></Errors><RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>"
    )


def failing(between, action, fault):
    """Have the calls of one action meet a fault."""
    return between.failing(lambda call: fault if call.action == action else None)


def refusing(between, action, code, status=400, message="it is so"):
    """Have the calls of one action answered by an error."""
    return failing(between, action, Fault(status, error_page(code, message)))
