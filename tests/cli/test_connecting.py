import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cellwright.cli import connecting
from cellwright.cli.connecting import connection
from cellwright.errors import CellwrightError
from cellwright_pipelines.kubeflow import Kubeflow


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch) -> Path:
    """The user's file, which is not there yet."""
    for name in ("HOST", "NAMESPACE", "TOKEN", "TOKEN_FILE", "CA_FILE", "INSECURE_HTTP"):
        monkeypatch.delenv(f"CELLWRIGHT_{name}", raising=False)
    for name in ("KUBERNETES_SERVICE_HOST", "KF_PIPELINES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "cellwright.toml"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A token's file that its owner alone can read."""
    path = tmp_path / "token"
    path.write_text("secret\n")
    path.chmod(0o600)
    return path


def test_connecting_needs_no_settings():
    found = connection()
    assert (found.host, found.namespace, found.token) == (None, None, None)


def test_a_pod_takes_its_own_cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setattr(connecting, "POD_TOKEN", tmp_path / "token")
    assert connection().host == "http://ml-pipeline.kubeflow.svc:8888"
    (tmp_path / "token").write_text("projected\n")
    assert connection().token == "projected"
    assert connection("http://elsewhere").token is None


def test_options_come_before_the_environment_and_that_before_the_file(file, token, monkeypatch):
    file.write_text(f'[kubeflow]\nhost = "https://file"\nnamespace = "file"\ntoken_file = "{token}"\n')
    found = connection()
    assert (found.host, found.namespace, found.token) == ("https://file", "file", "secret")
    monkeypatch.setenv("CELLWRIGHT_NAMESPACE", "environment")
    monkeypatch.setenv("CELLWRIGHT_HOST", "https://environment")
    found = connection("https://option")
    assert (found.host, found.namespace) == ("https://option", "environment")


def test_a_token_may_be_in_the_environment_and_is_never_shown(monkeypatch):
    monkeypatch.setenv("CELLWRIGHT_TOKEN", "secret")
    monkeypatch.setenv("CELLWRIGHT_HOST", "https://environment")
    found = connection()
    assert found.token == "secret"
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("host = 1", "host: Extra inputs are not permitted"),
        ("[kubeflow]\nhosts = 'x'", "kubeflow.hosts: Extra inputs are not permitted"),
        (
            "[kubeflow",
            "cellwright.toml must be TOML with host, namespace, token_file, ca_file, insecure_http under",
        ),
    ],
)
def test_an_error_in_the_file_is_named(file, text, line):
    file.write_text(text)
    with pytest.raises(CellwrightError, match=line):
        connection()


def test_a_missing_token_file_is_named(tmp_path):
    with pytest.raises(CellwrightError, match="token file .*/none cannot be read: No such file"):
        connection(token_file=tmp_path / "none")


OWN = "https://kubeflow.example.com"


@pytest.mark.parametrize(
    ("host", "gets"),
    [
        (None, True),
        ("https://KUBEFLOW.example.com:443/pipeline", True),
        ("kubeflow.example.com", True),
        ("https://other.example.com", False),
        ("https://kubeflow.example.com:8443", False),
        ("http://kubeflow.example.com", False),
    ],
)
@pytest.mark.parametrize("place", ["file", "environment"])
def test_a_token_is_sent_to_the_host_beside_it_alone(place, host, gets, file, token, monkeypatch, capsys):
    if place == "file":
        file.write_text(f'[kubeflow]\nhost = "{OWN}"\ntoken_file = "{token}"\n')
    else:
        monkeypatch.setenv("CELLWRIGHT_HOST", OWN)
        monkeypatch.setenv("CELLWRIGHT_TOKEN", "secret")
    assert connection(host).token == ("secret" if gets else None)
    said = capsys.readouterr().err
    assert ("is not sent to" in said) != gets and "secret" not in said


def test_a_token_given_with_the_command_is_for_the_host_that_it_reaches(file, token):
    file.write_text(f'[kubeflow]\nhost = "{OWN}"\n')
    assert connection(token_file=token).token == "secret"
    assert connection("https://other.example.com", token_file=token).token == "secret"


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8888", "ml-pipeline.kubeflow.svc:8888"])
def test_a_token_goes_over_http_within_this_machine_and_the_cluster(host, token):
    assert connection(f"http://{host}", token_file=token).token == "secret"


@pytest.mark.parametrize(
    "host", ["kubeflow.example.com", "10.0.0.1", "127.0.0.1.example.com", "svc", "localhost.com"]
)
def test_a_token_goes_over_http_elsewhere_only_if_allowed(host, token, monkeypatch):
    with pytest.raises(
        CellwrightError, match=f"must be https, got http://{host}: the token would be sent in the clear"
    ):
        connection(f"http://{host}", token_file=token)
    assert connection(f"http://{host}").token is None
    assert connection(f"http://{host}", token_file=token, insecure_http=True).token == "secret"
    monkeypatch.setenv("CELLWRIGHT_INSECURE_HTTP", "true")
    assert connection(f"http://{host}", token_file=token).token == "secret"


@pytest.mark.parametrize(("mode", "is_said"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_token_file_that_others_can_use_is_warned_about(mode, is_said, token, capsys):
    token.chmod(mode)
    assert connection("https://a", token_file=token).token == "secret"
    assert (f"(mode {mode:o}): chmod 600" in capsys.readouterr().err) == is_said


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A host whose certificate no public authority has signed, and that certificate."""
    path = tmp_path / "authority.pem"
    path.write_bytes(certificate_and_key("localhost"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}", path
    server.shutdown()
    server.server_close()


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"multi_user": false}')

    def log_message(self, *words: object) -> None:
        pass


def certificate_and_key(host: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    kind = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, *kind
    )


def test_a_private_certificate_needs_the_file_of_its_authority(private, file, tmp_path):
    host, authority = private
    with pytest.raises(
        CellwrightError, match="certificate verify failed.* name the authority's with --ca-file"
    ):
        Kubeflow(connection(host), print)
    with pytest.raises(CellwrightError, match="certificate file .*/none cannot be read: No such file"):
        connection(host, ca_file=tmp_path / "none")
    file.write_text(f'[kubeflow]\nhost = "{host}"\nca_file = "{authority}"\n')
    Kubeflow(connection(), print)
