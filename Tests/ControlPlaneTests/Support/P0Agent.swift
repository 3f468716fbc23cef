// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What P0's own agent sends, byte for byte, as it was seen between one that was built from its source (of September 2025,
/// with gorilla/websocket 1.5.0, sourcegraph/jsonrpc2 0.1.0 and go-jose 3.0.4) and `daypassd`. Its key was made for that.
///
/// The agent was started in dry-run as `daypass:goweb:ssh`, was asked for `provisionUser`, and said its heartbeat after
/// four seconds; then again without dry-run, and was asked for a command that there isn't.
enum P0Agent {
    static let host = "goweb"

    /// `jwk.public.json`.
    static let publicKey = """
        {
          "use": "sig",
          "kty": "EC",
          "crv": "P-384",
          "alg": "ES384",
          "x": "stju-Ay-LxS_zJTR2RBl0O3xErthvE7zf8B23dCA3bYawPlyF9csWI3Mw9YG-ba_",
          "y": "bX-iDotBylyM6zu1LwgTZSG14wpz8hpE7qKLaRKa2L3z-Q59MwPp7gzVGxCpuZbF"
        }
        """

    /// When its token was made, in seconds since 1970.
    static let tokenIssued: UInt64 = 1_795_767_843

    static let token =
        "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJwMC5kZXYiLCJleHAiOjE3OTYzNzI2NDMsImlhdCI6MTc5NTc2Nzg0MywiaXNzI"
        + "joia2QtY2xpZW50Iiwic3ViIjoiZGF5cGFzczpnb3dlYjpzc2giLCJ0dW5uZWwtaWQiOiJteS10dW5uZWwtaWQifQ.a1Eu82Yw2SvaU29BjSIC"
        + "lQvr9VPaCMFzlKSC8ruHCGGq-6snppf1Ixp_Hqd6RTD45mm4ugCswr6hfHzyddACyNQm82RN8-pU7YJrXTwm0Y6Lujyh6kg5fSr_htOCTula"

    /// The request for its tunnel; the name of the server is not looked at.
    static let upgrade =
        "GET /websocket HTTP/1.1\r\nHost: 127.0.0.1:33737\r\nUser-Agent: Go-http-client/1.1\r\n"
        + "Authorization: Bearer \(token)\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: biFp+qXt/p8J5X8kZXBZ7A==\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n\r\n"
    static let upgradeAnswer =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Accept: uQKDlZZGTgV5CO6RqP3XnWw6Axk=\r\n\r\n"

    /// Frames, masked as they came: `setClientId`, the answer to call 1 in dry-run, and the heartbeat.
    static let setClientID = hex(
        "81da4204cb9a3926a6ff366ca4fe603ee9e9277088f62b61a5ee0b60e9b66074aae82369b8b8787fe9f92e6daef4364dafb87826affb3b74aae9313e"
            + "acf53561a9a03177a3b83f28e9f32626f1aa6e26a1e92d6ab9ea2126f1b8702afbb83f0e")
    static let answerInDryRun = hex(
        "81fe013b1e34c5f06516ac943c0ef4dc3c46a0836b58b1d2244fe7987b55a1956c47e7ca6516a69f7040a09e6a19b1896e51e7ca3c55b580725da691"
            + "6a5daa9e315eb69f7016b8dc3c47b1916a41b6d22406f5c03216b6847f40b0834a51bd843c0ee7bf5516e9d27a55b1913c0ebed27d58ac9570409a99"
            + "7a16ffd27a55bc807f47b6ca795bb2957c0eb6837616e9d27d5ba89d7f5aa1d22416b5827142ac83775baba56d51b7d23216a8956d47a4977b16ffd2"
            + "5a669cdd4c618bca3e63aa857250e5956651a6856a51e5806c5bb3996d5daa9e4b47a0823e52aa823e41b6956c14a49c7757a0d23216b6847f40b083"
            + "3c0ee7937159b59c7b40a0943c18e7836b57a6956d47e7ca6a46b0953216b1997351b6847f59b5d22416f7c02c02e8c12f19f7c74a04fdca2c00ffc0"
            + "2b6ee78d6318e79a6d5bab826e57e7ca3c06ebc03c49cf")
    static let heartbeat = hex(
        "81da8e9b20aaf5b94dcffaf34fceaca102d9ebef63c6e7fe4edec7ff0286aceb41d8eff65388b4e002c9e2f245c4fad24488b4b944cbf7eb41d9fda1"
            + "47c5f9fe4290fde84888f3b702c3eab91a9ba2b94ad9e1f552daedb91a88bcb51088f391")
    /// The answer to call 1 without dry-run, to a command that there isn't.
    static let answerToUnknownCommand = hex(
        "81fe01271e34c5f06516ac943c0ef4dc3c46a0836b58b1d2244fe7987b55a1956c47e7ca6516a69f7040a09e6a19b1896e51e7ca3c55b580725da691"
            + "6a5daa9e315eb69f7016b8dc3c47b1916a41b6d22401f5c03216b6847f40b0834a51bd843c0ee7b97040a0827055a9d04d51b7867b46e5b56c46aa82"
            + "3c18e7947f40a4d2244fe793725da09e6a6bac943c0ee7947f4db5916d47ff977143a0922447b6983c18e7937159a8917050e7ca3c5aaa836b57add2"
            + "3216a0826c5bb7d22416b09e755aaa877014a69f7359a49e7a0ee59e7147b0937616e9d26d40a4846b47e7ca3c52a4997251a1d23216b6857d57a083"
            + "6d16ff967f58b6953216b1997351b6847f59b5d22416f7c02c02e8c12f19f7c74a04fdca2c00ffc12f6ee78d6318e79a6d5bab826e57e7ca3c06ebc0"
            + "3c49cf")

    /// The body of its registration.
    static let registration =
        #"{"key":""#
        + "eyJob3N0bmFtZSI6Imdvd2ViIiwicHVibGljSXAiOiIiLCJmaW5nZXJwcmludCI6IlNIQTI1NjpJaG1XTG5DWjUrVEVOQldmcDc4L0YyWEMxbU"
        + "RkTWpDb1Fob2RLOWZTWmhZIiwiZmluZ2VycHJpbnRQdWJsaWNLZXkiOiJzc2gtZWQyNTUxOSBBQUFBQzNOemFDMWxaREkxTlRFNUFBQUFJQ3Aw"
        + "eHdnNzM2ZVA5Z0lkbE5pYXQ5TGZVUEZ5YmhrQ3BreE5lYjRYTmE0WCByb290QHdlYjEiLCJqd2tQdWJsaWNLZXkiOnsiYWxnIjoiRVMzODQiLC"
        + "JjcnYiOiJQLTM4NCIsImt0eSI6IkVDIiwidXNlIjoic2lnIiwieCI6InN0anUtQXktTHhTX3pKVFIyUkJsME8zeEVydGh2RTd6ZjhCMjNkQ0Ez"
        + "Yllhd1BseUY5Y3NXSTNNdzlZRy1iYV8iLCJ5IjoiYlgtaURvdEJ5bHlNNnp1MUx3Z1RaU0cxNHdwejhocEU3cUtMYVJLYTJMM3otUTU5TXdQcD"
        + "dnelZHeENwdVpiRiJ9LCJsYWJlbHMiOlsiZW52PXByb2QiXSwidGltZXN0YW1wIjoiMjAyNi0xMS0yN1QwODoyNDoxMloifQ=="
        + #""}"#

    private static func hex(_ text: String) -> [UInt8] { bytes(hexadecimal: text) ?? [] }
}
