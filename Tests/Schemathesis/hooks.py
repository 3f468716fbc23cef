# Daypass: an SSH certificate authority.
# SPDX-License-Identifier: Apache-2.0

"""Signs every request of a run as a session's key does (docs/formats/request-proof.md).

DAYPASS_SCHEMATHESIS_LOGIN names a file with the session's name in its first line and the 32 bytes of its Ed25519 key
in hexadecimal in its second. Without it nothing is signed.
"""

import base64
import hashlib
import os
import threading
import time
from urllib.parse import urlsplit

import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from requests.auth import AuthBase


class Proof(AuthBase):
    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            self.session, secret = file.read().split()
        self.key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
        self.lock = threading.Lock()
        self.last = 0

    def __call__(self, request):
        with self.lock:
            self.last = max(self.last + 1, time.time_ns() // 1000)
            nonce = self.last
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        url = urlsplit(request.url)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        parameters = (
            '("@method" "@authority" "@request-target" "content-digest")'
            f';created={nonce // 1000000};nonce="{nonce}";keyid="{self.session}";alg="ed25519"'
        )
        base = (
            f'"@method": {request.method}\n"@authority": {url.netloc}\n"@request-target": {target}\n'
            f'"content-digest": {digest}\n"@signature-params": {parameters}'
        )
        signature = base64.b64encode(self.key.sign(base.encode())).decode()
        request.headers["Content-Digest"] = digest
        request.headers["Signature-Input"] = f"daypass={parameters}"
        request.headers["Signature"] = f"daypass=:{signature}:"
        return request


if os.environ.get("DAYPASS_SCHEMATHESIS_LOGIN"):
    schemathesis.auth.set_from_requests(Proof(os.environ["DAYPASS_SCHEMATHESIS_LOGIN"]))
