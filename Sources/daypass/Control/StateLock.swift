// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CommandSupport
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps two processes of one person from writing the same files: a key of one and a certificate of the other would
/// be of no use. It goes with whoever holds it, however that process ends (flock(2)).
final class StateLock {
    private let descriptor: Int32

    /// How long to wait for another process: longer than any of its exchanges with the server may take.
    private static let patience: Duration = .seconds(60)

    init(_ path: String) async throws {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure("\(path.escapedForTerminal): \(describeSystemError(errno))")
        }
        let deadline = ContinuousClock.now + Self.patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw Failure("\(path.escapedForTerminal): cannot be locked: \(describeSystemError(errno))")
            }
            guard ContinuousClock.now < deadline else {
                throw Failure(
                    "another daypass has been at work for a minute",
                    hint: "fuser \(path.escapedForTerminal) names it")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    deinit { _ = close(descriptor) }

    /// Lets others go on; to be called once what was locked is done.
    func release() { _ = flock(descriptor, LOCK_UN) }
}
