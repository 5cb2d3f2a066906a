"""What a station can not use is found out on the desk: kinds of files, dates, chains, keys."""

import contextlib
import socket
import ssl
import threading

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tools import pki
from tools.certificates import Unfit, certificates, check_ca, check_own, check_pair, key_der, private_key
from tools.certificates import seen_from_here as seen


@pytest.fixture(scope="module")
def authority():
    return pki.Pki()


@pytest.fixture(scope="module")
def client(authority):
    return authority.client("SN-1")


def refusal(check, *contents):
    with pytest.raises(Unfit) as error:
        check(*contents)
    return str(error.value)


def test_pem_and_der_are_one(authority, client):
    assert certificates(client.pem) == certificates(client.der)
    assert key_der(client.key_pem) == key_der(client.key_der) == client.key_der
    check_ca(authority.root.der)
    check_own(client.der)


def test_pem_after_a_text_is_pem(client):
    """As openssl prints it."""
    assert certificates(b"Certificate:\n    Data:\n" + client.pem) == certificates(client.pem)


def test_an_rsa_key_is_one(authority):
    client = authority.client("SN-1", use_rsa=2048)
    check_pair(client.pem, client.key_pem)


def test_what_is_none_is_told(client):
    assert refusal(certificates, b"hello") == "no certificate in PEM or DER"
    assert refusal(certificates, client.key_pem) == "no certificate in PEM or DER"
    assert refusal(private_key, client.pem) == "no private key in PEM or DER"


def test_a_key_with_a_password_is_told_with_what_takes_it_off(client):
    locked = client.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.BestAvailableEncryption(b"secret"))
    assert "openssl pkey" in refusal(private_key, locked)


def test_a_key_that_mbed_tls_has_not_is_told():
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    assert "neither an RSA nor an EC key" in refusal(private_key, key)


def test_a_key_belongs_to_the_first_certificate(authority, client):
    check_pair(client.pem + authority.root.pem, client.key_pem)
    assert "not the key of client_certificate" in refusal(check_pair, authority.root.pem + client.pem, client.key_pem)


@pytest.mark.parametrize("days, told", [(pki.EXPIRED, "has expired on"), (pki.NOT_YET_VALID, "is not valid before")])
def test_dates_are_looked_at(authority, days, told):
    assert "CN=old " in refusal(check_ca, pki.Pki("old", days).root.pem) and told in refusal(
        check_ca, pki.Pki("old", days).root.pem)
    assert told in refusal(check_own, authority.client("SN-1", days).pem)


def test_of_several_cas_one_has_to_be_good(authority, client):
    old = pki.Pki("old", pki.EXPIRED).root
    check_ca(old.pem + authority.root.pem)
    told = refusal(check_ca, old.pem + client.pem)
    assert "CN=old has expired" in told and "CN=SN-1 is not the certificate of a CA" in told


def test_the_certificate_of_the_csms_in_place_of_its_ca_is_told_with_whom_to_ask(authority):
    told = refusal(check_ca, authority.server("csms.example").pem)
    assert "CN=csms.example is not the certificate of a CA: wanted is that of CN=Holdfast test root" in told


def test_a_csms_that_signed_its_certificate_itself_may_be_trusted_by_it():
    check_ca(pki.self_signed("csms.example").pem)


def test_a_chain_goes_from_the_station_up(authority, client):
    check_own(client.pem + authority.root.pem)
    assert "comes first" in refusal(check_own, authority.root.pem + client.pem)
    assert "CN=SN-1 is not signed by CN=Holdfast test root" in refusal(check_own, client.pem + pki.Pki().root.pem)


def http(stream):
    stream.recv(1000)
    stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    return stream


def test_what_a_csms_says_is_seen_from_here_as_a_station_sees_it():
    """A station has no TLS but 1.2, and takes a CA for enough that is not a root."""
    authority = pki.Pki("between", issuer=pki.Pki().root)
    server = authority.server("127.0.0.1")

    def tls(version):
        return lambda stream: pki.server_context(server, version=version).wrap_socket(stream, server_side=True)

    for answer, told in ((tls(ssl.TLSVersion.TLSv1_2), None), (tls(ssl.TLSVersion.TLSv1_3), "no TLS 1.2"),
                         (http, "what answers there does not speak TLS")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve(answer=answer, listener=listener):
                with listener.accept()[0] as stream, contextlib.suppress(ssl.SSLError):
                    answer(stream).close()

            thread = threading.Thread(target=serve)
            thread.start()
            assert seen("127.0.0.1", listener.getsockname()[1], authority.root.pem) == told
            thread.join()
