"""OpenTera's own client commands the service: all five actions and the two other methods, over a real
Redis. The REST API is a stand-in that keeps sessions; the events are read with OpenTera's own classes.

    client.py PROGRAM        # the viderehab binary
"""
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import opentera.messages.python as messages
import redis
from opentera.redis.RedisRPCClient import RedisRPCClient

SERVICE = "VideoRehabService"
USER = "aaaaaaaa-0000-4000-8000-000000000002"
OTHER = "aaaaaaaa-0000-4000-8000-000000000005"
PARTICIPANT = "bbbbbbbb-0000-4000-8000-000000000001"
START_TIME = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Api(http.server.BaseHTTPRequestHandler):
    """The stand-in for the server's REST API."""

    protocol_version = "HTTP/1.1"
    sessions = {}

    def do_GET(self):
        self.answer({"participant_name": "Paul", "participant_uuid": PARTICIPANT})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "session_event" in body:
            return self.answer([body["session_event"]])
        given = body["session"]
        number = given["id_session"] or len(self.sessions) + 1
        session = self.sessions.setdefault(number, {
            "id_session": number, "session_uuid": f"eeeeeeee-0000-4000-8000-{number:012}", "session_duration": 0,
            "session_name": "Walking", "session_status": 1, "id_creator_user": given.get("id_creator_user"),
            "session_creator_user": "Ann", "session_creator_user_uuid": USER,
            "session_parameters": given.get("session_parameters"),
        })
        session.update({name: given[name] for name in ("session_status", "session_duration") if name in given})
        self.answer([session])

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_api(directory):
    """Starts the stand-in; its port."""
    key, certificate = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, stderr=subprocess.DEVNULL)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port, certificate


def wait(what, condition):
    until = time.monotonic() + START_TIME
    while not condition():
        if time.monotonic() > until:
            sys.exit(f"{what}: not in time")
        time.sleep(0.02)


def can(call):
    try:
        call()
        return True
    except OSError:
        return False
    except redis.RedisError:
        return False


class Events:
    """What is published to people, in order."""

    def __init__(self, connection):
        self.subscription = connection.pubsub()
        self.subscription.psubscribe("websocket.*")
        self.subscription.get_message(timeout=START_TIME)

    def next(self, topic, kind):
        message = self.subscription.get_message(timeout=START_TIME)
        assert message is not None, f"nothing on {topic}"
        assert message["channel"].decode() == topic, (message["channel"], topic)
        event = messages.TeraEvent()
        event.ParseFromString(message["data"])
        assert event.header.topic == topic and abs(event.header.time - time.time()) < 60
        inner = kind()
        assert event.events[0].Unpack(inner), (topic, event)
        return inner


def check(client, events):
    def manage(action, **arguments):
        text = json.dumps({"session_manage": {"action": action, **arguments}})
        return client.call_service(SERVICE, "session_manage", text)

    user, other, participant = (f"websocket.{kind}.{uuid}.events" for kind, uuid in
                                (("user", USER), ("user", OTHER), ("participant", PARTICIPANT)))
    reply = manage("start", id_session=0, id_service=6, id_session_type=1, id_creator_user=2, session_users=[USER],
                   session_participants=[PARTICIPANT], parameters={"note": "\u00e9"})
    assert reply["status"] == "started", reply
    session = reply["session"]
    number = session["id_session"]
    assert (session["session_users"], session["session_creator_uuid"]) == ([USER], USER)
    joined = [events.next(user, messages.JoinSessionEvent), events.next(participant, messages.JoinSessionEvent)]
    assert [event.session_creator_name for event in joined] == ["Ann", "Ann"]
    assert json.loads(joined[0].session_parameters) == {"note": "\u00e9"}
    assert joined[0].session_url.split("?key=")[1] != joined[1].session_url.split("?key=")[1]
    assert list(joined[1].session_participants) == [PARTICIPANT] and joined[1].join_msg == "Join me!"

    reply = manage("invite", id_session=number, session_users=[OTHER])
    assert (reply["status"], reply["session"]["session_users"]) == ("invited", [USER, OTHER]), reply
    for topic in (user, other, participant):
        assert list(events.next(topic, messages.JoinSessionEvent).session_users) == [USER, OTHER]

    reply = manage("invite_reply", id_session=number, parameters={"reply_code": 1, "reply_msg": "coming", "user_uuid": OTHER})
    assert reply["status"] == "OK", reply
    for topic in (user, other, participant):
        event = events.next(topic, messages.JoinSessionReplyEvent)
        assert (event.user_uuid, event.join_reply, event.reply_msg) == (OTHER, messages.JoinSessionReplyEvent.REPLY_ACCEPTED, "coming")

    reply = manage("remove", id_session=number, session_participants=[PARTICIPANT])
    assert (reply["status"], reply["session"]["session_participants"]) == ("removed", []), reply
    for topic in (user, other, participant):
        assert list(events.next(topic, messages.LeaveSessionEvent).leaving_participants) == [PARTICIPANT]

    reply = manage("stop", id_session=number)
    assert (reply["status"], reply["session"]["session_status"]) == ("stopped", 2), reply
    for topic in (user, other):
        assert events.next(topic, messages.StopSessionEvent).session_uuid == session["session_uuid"]
    assert manage("stop", id_session=number) == {"status": "error", "error_text": "No matching session to stop"}
    assert manage("dance", id_session=number) is None

    assert client.call_service(SERVICE, "participant_info", PARTICIPANT)["participant_name"] == "Paul"
    config = client.call_service(SERVICE, "session_type_config", json.dumps({"id_session_type": 1}))
    assert config["objecttype"] == "session_type_config", config


def main():
    program = os.path.abspath(sys.argv[1])
    started = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            port = free_port()
            started.append(subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                             "--appendonly", "no"], stdout=subprocess.DEVNULL))
            connection = redis.Redis(port=port)
            wait("redis-server", lambda: can(connection.ping))
            connection.set("ServiceTokenAPIKey", "0123456789abcdefghijklmnopqrstuv")
            connection.set(f"service.{SERVICE}", json.dumps({"service_uuid": "cccccccc-0000-4000-8000-000000000006", "service_key": SERVICE}))
            api, certificate = serve_api(directory)
            listen = free_port()
            environment = {
                "PATH": os.environ["PATH"], "VIDEREHAB_SERVER__LISTEN": f"127.0.0.1:{listen}",
                "VIDEREHAB_SERVER__DATA_DIR": "", "VIDEREHAB_WEBRTC__LOCAL_BASE_PORT": "23000",
                "VIDEREHAB_OPENTERA__REDIS__PORT": str(port), "VIDEREHAB_OPENTERA__BACKEND__PORT": str(api),
                "VIDEREHAB_OPENTERA__BACKEND__CA_FILE": certificate,
            }
            started.append(subprocess.Popen([program], cwd=directory, env=environment, stdout=subprocess.DEVNULL))
            wait("readyz", lambda: can(lambda: urllib.request.urlopen(f"http://127.0.0.1:{listen}/readyz")))
            client = RedisRPCClient({"hostname": "127.0.0.1", "port": port, "db": 0, "username": "", "password": ""}, timeout=10)
            check(client, Events(connection))
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()
    print("# pass 1")


main()
