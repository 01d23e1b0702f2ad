"""Certificates for the tests, made by openssl: self-signed, or issued by an authority that a test trusts."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True)
class Pair:
    """The files of a certificate, followed by those of its authorities, and of its private key."""

    chain: Path
    key: Path

    def install(self, target: Path) -> None:
        """Put both into one file that nginx reads, in one step; see nginx/local/certificate.conf."""
        new = target.with_suffix(".new")
        new.write_bytes(self.chain.read_bytes() + self.key.read_bytes())
        new.replace(target)


def openssl(*arguments: str | Path) -> str:
    """Run openssl, and return its output; skip the test if it is not installed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, input="", timeout=60).stdout


def self_signed(folder: Path, name: str = "self-signed") -> Pair:
    """Make a certificate for localhost that signs itself."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    subject = ("-subj", f"/CN={name}", "-addext", _NAMES, "-days", "2")
    openssl("req", "-x509", *_CURVE, *subject, "-keyout", pair.key, "-out", pair.chain)
    return pair


class Authority:
    """A certificate authority, whose own certificate is in the file `certificate`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        uses = ("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "2")
        subject = ("-subj", "/CN=Authority of the tests")
        openssl("req", "-x509", *_CURVE, *subject, *uses, "-keyout", self._key, "-out", self.certificate)

    def issue(self, name: str) -> Pair:
        """Make a certificate for localhost, like those of public authorities."""
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.cnf"
        openssl("req", "-new", *_CURVE, "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        extensions.write_text(
            f"{_NAMES}\nbasicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=serverAuth\ncrlDistributionPoints=URI:http://localhost/revoked.crl\n"
        )
        signer = ("-CA", self.certificate, "-CAkey", self._key, "-set_serial", f"0x{os.urandom(16).hex()}")
        openssl(
            *("x509", "-req", "-in", request, *signer, "-days", "90", "-sha256"),
            *("-extfile", extensions, "-out", pair.chain),
        )
        return pair
