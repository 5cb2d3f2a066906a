"""A public-key infrastructure for tests and the desk: root, server and client certificates, made when asked for.

    pki = Pki()                                   # a root CA of its own
    pki.root                                      # Certificate: .pem, .der
    server = pki.server("csms.example", "127.0.0.1")
    client = pki.client("HOLDFAST-1")
    context = server_context(server, client_root=pki.root)      # for Csms(tls=...), asyncio, websockets

All keys are EC P-256, as advised for small stations, unless `use_rsa`, which is a number of bits. `days=(first, last)`
is the validity, counted from now. Nothing made here is fit for anything but tests.
"""

import contextlib
import datetime
import ipaddress
import os
import ssl
import tempfile
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = (-3650, 3650)  # days from now
EXPIRED = (-30, -1)
NOT_YET_VALID = (2, 30)


class Certificate:
    """A certificate with its private key: `pem`, `der`, `key_pem`, `key_der` as bytes."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.key_pem = self._key(serialization.Encoding.PEM)
        self.key_der = self._key(serialization.Encoding.DER)

    def _key(self, encoding):
        # The form that names the kind of key: every Mbed TLS reads it.
        return self.key.private_bytes(
            encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())


class Pki:
    """A root CA and what it signs; with an `issuer`, a Certificate, one of those between a root and the rest."""

    def __init__(self, name="Holdfast test root", days=VALID, issuer=None):
        self.root = _issue(name, days, (), issuer, authority=True)

    def server(self, *names, common_name=None, days=VALID, use_rsa=0):
        """A certificate for the host names and IP addresses in `names`."""
        return _issue(common_name or names[0], days, names, self.root, ExtendedKeyUsageOID.SERVER_AUTH,
                      use_rsa=use_rsa)

    def client(self, common_name, days=VALID, use_rsa=0):
        """The certificate of a station; its common name is the station's serial number (A00.FR.507)."""
        return _issue(common_name, days, (), self.root, ExtendedKeyUsageOID.CLIENT_AUTH, use_rsa=use_rsa)


def self_signed(*names, days=VALID):
    """A server certificate that nobody vouches for."""
    return _issue(names[0], days, names)


def server_context(server, client_root=None, version=None, ciphers=None, chain=()):
    """An ssl.SSLContext for a server. `client_root`: demand client certificates of that CA. `version`: the only TLS
    version spoken, an ssl.TLSVersion. `ciphers`: OpenSSL's names. `chain`: the certificates to send with its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers:
        context.set_ciphers(ciphers)
    pem = b"".join([certificate.pem for certificate in (server, *chain)])
    with files({"certificate": pem, "key": server.key_pem}) as paths:
        context.load_cert_chain(paths["certificate"], paths["key"])
    if client_root:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_root.der)
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that is what makes a version worth refusing
            if version < ssl.TLSVersion.TLSv1_2:
                context.set_ciphers("DEFAULT:@SECLEVEL=0")  # or OpenSSL would not speak it at all
            context.minimum_version = context.maximum_version = version
    return context


def desk_context(directory, *names, demand=False):
    """The ssl.SSLContext of a CSMS on the desk, with files in `directory` that are made where they are missing.

    ca.pem is for the stations, station.pem and station.key for one with security profile 3. `names`: host names and
    IP addresses of the CSMS. `demand`: talk only to stations with a certificate.
    """
    directory = Path(directory)
    if not (directory / "ca.pem").exists():
        pki = Pki()
        server, client = pki.server(*names), pki.client("station")
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in (("server.pem", server.pem), ("server.key", server.key_pem), ("station.pem", client.pem),
                              ("station.key", client.key_pem), ("ca.pem", pki.root.pem)):
            with open(os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    if demand:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(directory / "ca.pem")
    return context


@contextlib.contextmanager
def files(contents):
    """Files for as long as the context lasts; a dict name -> bytes becomes a dict name -> path."""
    with tempfile.TemporaryDirectory(prefix="holdfast-pki-") as directory:
        paths = {}
        for name, content in contents.items():
            paths[name] = os.path.join(directory, name)
            with open(os.open(paths[name], os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(content)
        yield paths


def _issue(common_name, days, names=(), issuer=None, use=None, authority=False, use_rsa=0):
    key = rsa.generate_private_key(65537, use_rsa) if use_rsa else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
    builder = builder.issuer_name(issuer.certificate.subject if issuer else subject)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + datetime.timedelta(days[0]))
    builder = builder.not_valid_after(now + datetime.timedelta(days[1]))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
    if use:
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return Certificate(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
