// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol

/// Why a server could not be asked, or what it answered.
public enum ClientError: Error, Sendable, CustomStringConvertible {
    /// There is no connection, or no answer in time.
    case unreachable(String)
    /// The server is not the one that was meant.
    case untrustedServer(String)
    /// The answer is not one of this API's.
    case notUnderstood(String)
    /// The server says no.
    case problem(Problem)

    /// How long to wait at least before the same request is made again; nil where that would change nothing.
    var wait: Duration? {
        switch self {
        case .unreachable: .zero
        case .untrustedServer, .notUnderstood: nil
        case .problem(let problem):
            switch problem.code {
            case .storeUnavailable, .signerUnavailable: .zero
            case .tooManyRequests: .seconds(max(1, min(problem.retryAfter ?? 1, 60)))
            default: nil
            }
        }
    }

    public var description: String {
        switch self {
        case .unreachable(let reason), .untrustedServer(let reason), .notUnderstood(let reason): reason
        case .problem(let problem): problem.detail
        }
    }

    /// True where the same request may succeed later: nobody answered, or the server can't just now.
    public var isPassing: Bool {
        switch self {
        case .unreachable: true
        case .untrustedServer, .notUnderstood: false
        case .problem(let problem): problem.code.status >= 500 || problem.code == .tooManyRequests
        }
    }
}
