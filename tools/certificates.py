"""Certificates and keys on the desk: what a station can not use is found out before it is written to a board.

A board judges only when it connects, and is then perhaps up a pole. So here: is it a certificate, a key, of a kind that
Mbed TLS has; is it valid today; does the key belong to the certificate; is the CA one. And how the certificate of the
CSMS looks from here, held against that CA and against the host in the URL. `Unfit` says what is wrong, for people.
"""

import datetime
import socket
import ssl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PATIENCE = 5  # s for the CSMS to answer


class Unfit(ValueError):
    """What is wrong with a certificate or a key."""


def certificates(content):
    """The x509.Certificates of a file, in PEM or DER. Raises Unfit."""
    try:
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except ValueError:
        raise Unfit("no certificate in PEM or DER")


def private_key(content):
    """The private key of a file, in PEM or DER, without a password. Raises Unfit."""
    load = serialization.load_pem_private_key if b"-----BEGIN" in content else serialization.load_der_private_key
    try:
        key = load(content, None)
    except TypeError:
        raise Unfit("it wants a password, which a board can not give; `openssl pkey -in FILE -out NEW` takes it off")
    except ValueError:
        raise Unfit("no private key in PEM or DER")
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise Unfit("neither an RSA nor an EC key, which are what a board can use")
    return key


def key_der(content):
    """The DER of a key's file, in the form that names the kind of key: every Mbed TLS reads it."""
    return private_key(content).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())


def check_dates(certificate):
    """Raises Unfit unless the certificate is valid now, by the clock of this desk."""
    today = datetime.datetime.now(datetime.timezone.utc)
    if today > certificate.not_valid_after_utc:
        raise Unfit("%s has expired on %s" % (name(certificate), certificate.not_valid_after_utc.date()))
    if today < certificate.not_valid_before_utc:
        raise Unfit("%s is not valid before %s" % (name(certificate), certificate.not_valid_before_utc.date()))


def check_ca(content):
    """Raises Unfit unless a file has a certificate that others can be judged by: of a CA, or one signed by itself."""
    reasons = []
    for certificate in certificates(content):
        try:
            if certificate.issuer != certificate.subject and not is_ca(certificate):
                raise Unfit("%s is not the certificate of a CA: wanted is that of %s, who signed it"
                            % (name(certificate), certificate.issuer.rfc4514_string()))
            check_dates(certificate)
            return
        except Unfit as reason:
            reasons.append(str(reason))
    raise Unfit("; ".join(reasons))


def check_own(content):
    """Raises Unfit unless a file has the station's certificate, and after it those up to the root, if any."""
    found = certificates(content)
    check_dates(found[0])
    if is_ca(found[0]):
        raise Unfit("%s is the certificate of a CA; that of the station comes first" % name(found[0]))
    for certificate, issuer in zip(found, found[1:]):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise Unfit("%s is not signed by %s, which follows it" % (name(certificate), name(issuer)))


def check_pair(own, key):
    """Raises Unfit unless the key of a file belongs to the (first) certificate of another."""
    if private_key(key).public_key() != certificates(own)[0].public_key():
        raise Unfit("not the key of client_certificate")


def is_ca(certificate):
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def name(certificate):
    return certificate.subject.rfc4514_string() or "a certificate without a name"


def seen_from_here(host, port, authority):
    """Why a station would not believe the CSMS at host and port, with the certificates of the file `authority`; None
    where nothing was found. Raises OSError where the CSMS cannot be asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which checks chain, dates and host name
    context.load_verify_locations(cadata=b"".join(
        one.public_bytes(serialization.Encoding.DER) for one in certificates(authority)))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Mbed TLS: what is trusted need not be a root
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2  # which is all that a board has
    try:
        with socket.create_connection((host, port), PATIENCE) as stream:
            with context.wrap_socket(stream, server_hostname=host):
                return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except ssl.SSLError as error:
        # Others come after its certificate was found good: it wants one of the station, for instance.
        return {"UNSUPPORTED_PROTOCOL": "no TLS 1.2", "TLSV1_ALERT_PROTOCOL_VERSION": "no TLS 1.2",
                "WRONG_VERSION_NUMBER": "what answers there does not speak TLS"}.get(error.reason)
