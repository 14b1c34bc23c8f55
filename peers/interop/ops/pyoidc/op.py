"""Runs the provider of pyoidc (package oic) as an OP for interoperability tests.

    python op.py CONFIG.json

CONFIG.json is what peers/interop writes: issuer, host, port, the paths of cert
and key, the clients known beforehand (in the words of OpenID Connect Dynamic
Client Registration) and one user. Whoever asks is logged in as that user and
consents to everything.
"""

import json
import logging
import secrets
import socketserver
import ssl
import sys
from html import escape
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from oic.oic.provider import (
    AuthorizationEndpoint,
    Provider,
    RegistrationEndpoint,
    TokenEndpoint,
    UserinfoEndpoint,
)
from oic.utils.authn.authn_context import AuthnBroker
from oic.utils.authn.client import verify_client
from oic.utils.authn.user import NoAuthn
from oic.utils.authz import Implicit
from oic.utils.http_util import BadRequest, NotFound, Response
from oic.utils.keyio import build_keyjar
from oic.utils.sdb import DictSessionBackend, create_session_db
from oic.utils.settings import OicProviderSettings
from oic.utils.userinfo import UserInfo
from oic.utils.webfinger import WebFinger

# How many bytes of a request body are read at most.
MAX_BODY = 1 << 20

# How long a connection may take over its TLS handshake and its request.
CONNECTION_SECONDS = 30

# The password that a login is said to have used, as an authentication context.
PASSWORD_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"


class Login(NoAuthn):
    """Logs everyone in, and does it again where a request asks for a fresh login."""

    def verify(self, *args, **kwargs):
        return self.user, True


class OP(Provider):
    """The provider, without the logout endpoint that nothing here asks for."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.endp = [
            AuthorizationEndpoint(self.authorization_endpoint),
            TokenEndpoint(self.token_endpoint),
            UserinfoEndpoint(self.userinfo_endpoint),
            RegistrationEndpoint(self.registration_endpoint),
        ]


def static_client(client):
    """A registered client as the provider's database keeps it."""
    entry = {k: v for k, v in client.items() if k not in ("redirect_uris", "jwks")}
    entry["redirect_uris"] = [(uri, None) for uri in client["redirect_uris"]]
    entry["client_salt"] = secrets.token_hex(8)
    return entry


def form_post(template, context):
    """The self-submitting page of OAuth 2.0 Form Post Response Mode 1.0."""
    inputs = "".join(
        '<input type="hidden" name="%s" value="%s"/>'
        % (escape(name, quote=True), escape(value if isinstance(value, str) else " ".join(value), quote=True))
        for name, value in context["inputs"].items()
    )
    return (
        "<html><head><title>Submit this form</title></head>"
        '<body onload="document.forms[0].submit()">'
        '<form method="post" action="%s">%s</form></body></html>'
    ) % (escape(context["action"], quote=True), inputs)


def new_provider(config):
    user = config["user"]
    broker = AuthnBroker()
    login = Login(None, user["username"])
    broker.add(PASSWORD_CONTEXT, login, 10, config["issuer"])

    keyjar = build_keyjar(
        [
            {"type": "RSA", "key": "", "use": ["sig"]},
            {"type": "EC", "crv": "P-256", "use": ["sig"]},
        ]
    )[1]
    clients = {c["client_id"]: static_client(c) for c in config["clients"]}
    people = {
        user["username"]: {
            "name": user["name"],
            "preferred_username": user["username"],
            "email": user["email"],
            "email_verified": True,
        }
    }
    provider = OP(
        config["issuer"],
        create_session_db(
            config["issuer"],
            secret=secrets.token_hex(16),
            password=secrets.token_hex(16),
            db=DictSessionBackend(),
        ),
        clients,
        broker,
        UserInfo(people),
        Implicit("offline_access"),
        verify_client,
        symkey=secrets.token_bytes(16),
        keyjar=keyjar,
        template_renderer=form_post,
        settings=OicProviderSettings(verify_ssl=config["ca"]),
    )
    login.srv = provider
    # key_setup would set it too, but keeps the keys in files.
    provider.jwks_uri = config["issuer"] + "/jwks.json"
    for client in config["clients"]:
        if client.get("client_secret"):
            keyjar.add_symmetric(client["client_id"], client["client_secret"])
        if client.get("jwks"):
            keyjar.import_jwks(client["jwks"], client["client_id"])
    return provider


def application(provider, config):
    """The WSGI application: each path calls one method of the provider."""
    jwks = json.dumps(
        {"keys": [key.serialize() for bundle in provider.keyjar[""] for key in bundle.keys() if key.kty != "oct"]}
    )

    def well_known(request):
        return provider.providerinfo_endpoint()

    def web_finger(request):
        resource = parse_qs(request["query"]).get("resource")
        if not resource:
            return BadRequest("resource is missing")
        return Response(
            WebFinger().response(resource[0], base=config["issuer"]),
            content="application/jrd+json",
        )

    def authorization(request):
        return provider.authorization_endpoint(request=request["text"], cookie=request["cookie"])

    def token(request):
        return provider.token_endpoint(request=request["text"], authn=request["authorization"])

    def user_info(request):
        return provider.userinfo_endpoint(request=request["text"], authn=request["authorization"])

    def registration(request):
        return provider.registration_endpoint(
            request=request["text"], authn=request["authorization"], method=request["method"]
        )

    routes = {
        "/.well-known/openid-configuration": well_known,
        "/.well-known/webfinger": web_finger,
        "/jwks.json": lambda request: Response(jwks, content="application/json"),
        "/authorization": authorization,
        "/token": token,
        "/userinfo": user_info,
        "/registration": registration,
    }

    def call(environ, start_response):
        route = routes.get(environ["PATH_INFO"])
        if route is None:
            return NotFound("no such page")(environ, start_response)
        length = min(int(environ.get("CONTENT_LENGTH") or 0), MAX_BODY)
        body = environ["wsgi.input"].read(length).decode("utf-8")
        response = route(
            {
                "method": environ["REQUEST_METHOD"],
                "query": environ.get("QUERY_STRING", ""),
                "text": body or environ.get("QUERY_STRING", ""),
                "cookie": environ.get("HTTP_COOKIE"),
                "authorization": environ.get("HTTP_AUTHORIZATION", ""),
            }
        )
        return response(environ, start_response)

    return call


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread a connection, so that an idle connection holds up no other."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Shakes hands in the connection's own thread, not in the accepting one."""

    timeout = CONNECTION_SECONDS

    def setup(self):
        self.request.settimeout(self.timeout)
        self.request.do_handshake()
        super().setup()


def main():
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    with open(sys.argv[1], encoding="utf-8") as f:
        config = json.load(f)
    provider = new_provider(config)
    server = make_server(
        config["host"],
        config["port"],
        application(provider, config),
        server_class=Server,
        handler_class=Handler,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config["cert"], config["key"])
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    logging.info("listening on %s", urlsplit(config["issuer"]).netloc)
    server.serve_forever()


if __name__ == "__main__":
    main()
