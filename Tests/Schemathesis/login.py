# Daypass: an SSH certificate authority.
# SPDX-License-Identifier: Apache-2.0

"""Logs in by a key: login.py URL ROOT-PEM PRIVATE-KEY-FILE writes what hooks.py reads to standard output."""

import os
import subprocess
import sys
import tempfile

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

url, root, key_file = sys.argv[1:]
client = requests.Session()


def ask(method, path, body=None):
    answer = client.request(method, url + path, json=body, verify=root, timeout=20)
    answer.raise_for_status()
    return answer.json()


origin = ask("GET", "/v1/server")["origin"]
challenge = ask("POST", "/v1/login/challenge")["challenge"]
key = Ed25519PrivateKey.generate()
line = key.public_key().public_bytes(
    serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
).decode()
with tempfile.TemporaryDirectory() as folder:
    message = os.path.join(folder, "message")
    with open(message, "w", encoding="ascii") as file:
        file.write(f"daypass login\norigin {origin}\nchallenge {challenge}\nkey {line}\n")
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", "login.daypass", "-f", key_file, message],
        check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    with open(message + ".sig", encoding="ascii") as file:
        signature = file.read()
session = ask(
    "POST", "/v1/login/keys", {"challenge": challenge, "sessionKey": line, "signature": signature}
)
secret = key.private_bytes(
    serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
)
print(session["id"])
print(secret.hex())
