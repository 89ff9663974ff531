import sys
from ncclient import manager, operations
from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

port, key, known = int(sys.argv[1]), sys.argv[2], sys.argv[3]
M = "urn:twinpath:measurement"


def connect():
    return manager.connect(
        host="127.0.0.1", port=port, username="ann", key_filename=key, hostkey_verify=False,
        allow_agent=False, look_for_keys=False, timeout=60)


def session(name, operation=""):
    return (f'<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0">'
            f'<measurement xmlns="{M}"><session {operation}><name>{name}</name>'
            f'<address>127.0.0.1:9</address></session></measurement></config>')


def refused(tag, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except RPCError as error:
        assert error.tag == tag, error
        return
    raise AssertionError(f"{tag}: not refused")


with connect() as m:
    assert ":candidate" in m.server_capabilities and ":confirmed-commit:1.1" in m.server_capabilities
    reply = m.get(("subtree", f'<measurement xmlns="{M}"><session><name>a</name></session></measurement>'))
    assert "<name>a</name>" in reply.data_xml and "state" in reply.data_xml, reply
    assert "<name>a</name>" in m.get_config("running").data_xml
    with m.locked("candidate"):
        m.edit_config(target="candidate", config=session("ncclient"))
        m.validate("candidate")
        m.commit(confirmed=True, timeout="600")
        m.commit()
    assert "<name>ncclient</name>" in m.get_config("running").data_xml
    refused("data-exists", m.edit_config, target="running", config=session("ncclient", 'nc:operation="create"'))
    m.edit_config(target="candidate", config=session("other"))
    m.discard_changes()
    assert "<name>other</name>" not in m.get_config("candidate").data_xml
    schema = m.get_schema("twinpath-measurement")
    assert "module twinpath-measurement" in schema.data, schema
    everything = m.get_config("running", with_defaults="report-all")
    assert "<max-sessions>64</max-sessions>" in everything.data_xml
    other = connect()
    with other.locked("running"):
        refused("in-use", m.edit_config, target="running", config=session("late"))
    refused("invalid-value", m.kill_session, "4000")
    m.kill_session(other.session_id)
    with connect() as watching:
        watching.create_subscription()
        m.edit_config(target="running", config=session("noticed"))
        while True:
            notification = watching.take_notification(timeout=60)
            assert notification is not None
            if "netconf-config-change" in notification.notification_xml:
                break
print("done")
