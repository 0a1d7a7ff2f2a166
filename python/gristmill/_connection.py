"""The connection to a coordinator: address, certificates, token."""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import grpc

#: Bytes of the largest answer that is taken: that of the command line's own client.
ANSWER_BYTES_MAX = 64 << 20

StrPath = str | os.PathLike[str]
Metadata = tuple[tuple[str, str | bytes], ...]


class Server:
    """A coordinator's address with what it takes to be let in. Every part that is left out comes from the environment, as it does for the
    command line."""

    def __init__(
        self,
        server: str | None,
        *,
        token: str | None,
        token_file: StrPath | None,
        ca: StrPath | None,
        client_cert: StrPath | None,
        client_key: StrPath | None,
        plaintext: bool | None,
    ) -> None:
        address = server or os.environ.get("GRISTMILL_SERVER")
        if not address:
            raise ValueError("no coordinator is named: pass its address, such as `http://127.0.0.1:7071`, or set GRISTMILL_SERVER")
        if token is not None and token_file is not None:
            raise ValueError("`token` and `token_file` are both given: pass one of them")
        if (client_cert is None) != (client_key is None):
            raise ValueError("`client_cert` and `client_key` belong together: pass both, or neither")
        self.address = address
        self.url = _parsed(address)
        self.plaintext = _plaintext() if plaintext is None else plaintext
        _refuse_plaintext(self.url, self.plaintext)
        if token_file is not None:
            token = Path(token_file).read_text(encoding="utf-8").strip()
        elif token is None:
            token = os.environ.get("GRISTMILL_TOKEN")
        self.token = token.strip() if token else None
        self.ca = None if ca is None else Path(ca).resolve()
        self.client_cert = None if client_cert is None else Path(client_cert).resolve()
        self.client_key = None if client_key is None else Path(client_key).resolve()

    def metadata(self) -> Metadata:
        """What is sent with every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def channel(self) -> grpc.Channel:
        """A channel to the server. It connects with the first call, and again by itself where the connection breaks."""
        host, tls = self.url.hostname or "", self.url.scheme == "https"
        target = f"[{host}]" if ":" in host else host
        target = f"{target}:{self.url.port or (443 if tls else 80)}"
        options = [
            ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
            # A machine that is gone sends nothing: without a sign of life, a watched run would be waited for without end.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            # As the command line: a coordinator is reached directly.
            ("grpc.enable_http_proxy", 0),
        ]
        if not tls:
            return grpc.insecure_channel(target, options)
        return grpc.secure_channel(target, self._credentials(), options)

    def _credentials(self) -> grpc.ChannelCredentials:
        roots = _system_roots()
        if self.ca is not None:
            roots = b"\n".join(filter(None, [self.ca.read_bytes(), roots]))
        key = None if self.client_key is None else self.client_key.read_bytes()
        chain = None if self.client_cert is None else self.client_cert.read_bytes()
        return grpc.ssl_channel_credentials(roots, key, chain)

    def arguments(self) -> list[str]:
        """The same for the command line. The token goes by `environment`: others can see a process's arguments."""
        arguments = ["--server", self.address]
        for flag, path in (("--ca", self.ca), ("--client-cert", self.client_cert), ("--client-key", self.client_key)):
            if path is not None:
                arguments += [flag, str(path)]
        return arguments

    def environment(self) -> dict[str, str]:
        """This process's environment with the token."""
        environment = dict(os.environ)
        environment.pop("GRISTMILL_TOKEN", None)
        environment["GRISTMILL_PLAINTEXT"] = "true" if self.plaintext else "false"
        if self.token:
            environment["GRISTMILL_TOKEN"] = self.token
        return environment


def _parsed(address: str) -> SplitResult:
    url = urlsplit(address)
    if url.scheme not in ("http", "https") or not url.hostname:
        bare = address.split("://", 1)[-1]
        raise ValueError(f"`{address}` is not the address of a coordinator: write `http://{bare}`, or `https://{bare}` where it has a certificate")
    return url


def _plaintext() -> bool:
    value = os.environ.get("GRISTMILL_PLAINTEXT", "false")
    if value not in ("true", "false"):
        raise ValueError(f"GRISTMILL_PLAINTEXT is `{value}`: write `true` or `false`")
    return value == "true"


def _refuse_plaintext(url: SplitResult, allowed: bool) -> None:
    if allowed or url.scheme == "https" or _is_here(url.hostname or ""):
        return
    raise ValueError(
        f"`{url.geturl()}` is another machine, and others could read what is sent to it without TLS, tokens too: use `https://…`, or pass "
        "`plaintext=True` (GRISTMILL_PLAINTEXT=true) where the network encrypts by itself or nobody else is in it"
    )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _system_roots() -> bytes | None:
    """The authorities that this machine trusts; None leaves the choice to gRPC, which has a list of its own."""
    paths = ssl.get_default_verify_paths()
    file = paths.cafile
    return Path(file).read_bytes() if file and Path(file).is_file() else None
