"""A throwaway certificate authority, made with the openssl command."""
import dataclasses
import pathlib

from .process import run


@dataclasses.dataclass
class Certificates:
    ca: pathlib.Path
    server_cert: pathlib.Path
    server_key: pathlib.Path
    client_cert: pathlib.Path           # For the role "certuser".
    client_key: pathlib.Path
    other_ca: pathlib.Path              # Signed nothing here.


def _authority(folder: pathlib.Path, name: str) -> pathlib.Path:
    cert = folder / f"{name}.crt"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", f"/CN=pgweir test {name}", "-keyout", folder / f"{name}.key", "-out", cert])
    return cert


def issue(folder: pathlib.Path, name: str, subject: str, extensions: str = "", days: int = 30) -> tuple[pathlib.Path, pathlib.Path]:
    """Certificate and key called `name`, signed by the folder's CA."""
    key, request, cert, extfile = (folder / f"{name}.{end}" for end in ("key", "csr", "crt", "ext"))
    extfile.write_text(extensions)
    run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject,
         "-keyout", key, "-out", request])
    run(["openssl", "x509", "-req", "-sha256", "-days", str(days), "-in", request, "-CA", folder / "ca.crt",
         "-CAkey", folder / "ca.key", "-CAcreateserial", "-extfile", extfile, "-out", cert])
    key.chmod(0o600)
    return cert, key


def make(folder: pathlib.Path) -> Certificates:
    ca = _authority(folder, "ca")
    other_ca = _authority(folder, "other-ca")
    server_cert, server_key = issue(folder, "server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    client_cert, client_key = issue(folder, "client", "/CN=certuser")
    return Certificates(ca, server_cert, server_key, client_cert, client_key, other_ca)
