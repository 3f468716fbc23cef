// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Who has the CA's keys: what `daypassd check` says of the signer.
struct KeyCustody {
    let folder: CAFolder
    /// The socket of a signer that was started apart; nil where the server starts it.
    let socket: String?

    /// How long a socket's queue may be full.
    private static let patience: Duration = .seconds(2)

    var description: String {
        socket.map { "started apart, at \($0.escapedForTerminal)" } ?? "a child of serve, in serve's account"
    }

    /// What is not as it should be, and keeps nothing from starting.
    var findings: [CertAuthorityError] {
        var findings: [CertAuthorityError] = []
        let files = readable
        if socket != nil || isService, !files.isEmpty {
            findings.append(
                CertAuthorityError(
                    .unsafeFile,
                    "the server's account can read \(files.joined(separator: ", ")): whoever takes the server over has the CA",
                    hint:
                        "give the keys an account of their own: sudo daypassd split --signer-user daypassd-signer"
                ))
        }
        if let socket {
            do {
                _ = try AgentSocket(path: socket, timeout: Self.patience)
            } catch {
                findings.append(
                    CertAuthorityError(
                        .key,
                        "nobody answers at \(socket.escapedForTerminal): "
                            + (error.reason.split(separator: ":").last ?? "").drop { $0 == " " },
                        hint: "until then nothing is issued: systemctl status daypassd-signer"))
            }
        }
        return findings
    }

    /// Whether systemd started this (systemd.exec(5), `INVOCATION_ID`, which what a service starts inherits).
    private var isService: Bool { environment("INVOCATION_ID")?.isEmpty == false && getppid() == 1 }

    /// The CA's private keys that this account can open; for root, those that lie in the server's folder.
    private var readable: [String] {
        KeySeparation.roles.map(folder.privateKey).filter(FileIO.isReadable).map(\.escapedForTerminal)
    }
}
