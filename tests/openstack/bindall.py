from neutron_lib import constants
from neutron_lib.db import constants as db
from neutron_lib.plugins.ml2 import api
from neutron_lib.services.qos import base
from neutron_lib.services.qos import constants as qos

_NUMBER = {"type:range": [0, db.DB_INTEGER_MAX_VALUE]}


class Shaper(base.DriverBase):
    """Says that bandwidths can be limited, as Open vSwitch's does."""

    @property
    def is_loaded(self):
        return True


class Driver(api.MechanismDriver):
    """Binds every port at once: what an agent on each host would do."""

    def initialize(self):
        rules = {
            qos.RULE_TYPE_BANDWIDTH_LIMIT: {
                qos.MAX_KBPS: _NUMBER,
                qos.MAX_BURST: _NUMBER,
                qos.DIRECTION: {"type:values": constants.VALID_DIRECTIONS},
            }
        }
        Shaper("bindall", ["ovs"], ["normal"], rules, requires_rpc_notifications=False)

    def bind_port(self, context):
        for segment in context.segments_to_bind:
            context.set_binding(segment[api.ID], "ovs", {}, constants.PORT_STATUS_ACTIVE)
            return
