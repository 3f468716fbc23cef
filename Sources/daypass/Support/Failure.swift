// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CommandSupport
import ControlClient
import ControlProtocol
import SSHWire
import TransparencyLog

extension Failure {
    /// Tells what happened on standard error and ends the process.
    static func exit(_ error: any Error) -> Never { exit(error, root: Daypass.self, translate: translate) }

    /// What to tell about `error`, without its hint.
    static func reason(of error: any Error) -> String {
        Failure(describing: error, root: Daypass.self, translate: translate).reason
    }

    static func translate(_ error: any Error) -> Failure? {
        switch error {
        case let error as CertAuthorityError:
            Failure(
                error.code == .invalidRequest ? ExitStatus.usage : ExitStatus.failed, error.reason,
                hint: error.hint)
        case let error as ClientError: Failure(error)
        case let error as ControlProtocolError: Failure(ExitStatus.failed, error.reason)
        case let error as TransparencyLogError: Failure(ExitStatus.failed, error.reason)
        default: nil
        }
    }
}

extension Failure {
    /// What a control plane answered, or why it didn't.
    fileprivate init(_ error: ClientError) {
        switch error {
        case .unreachable(let reason):
            self.init(reason, hint: "is the control plane running, and the network up?")
        case .untrustedServer(let reason):
            self.init(
                reason,
                hint:
                    "log in with --fingerprint, as its operator tells it to you; never as the server itself does"
            )
        case .notUnderstood(let reason): self.init(reason)
        case .problem(let problem):
            let isRefusal = [.denied, .needsApproval, .needsLogin].contains(problem.code)
            let reasons = problem.reasons.isEmpty ? [problem.detail] : problem.reasons
            self.init(
                isRefusal ? ExitStatus.refused : ExitStatus.failed,
                reasons.map(\.escapedForTerminal).joined(separator: "; "),
                hint: problem.hint?.escapedForTerminal ?? Self.hint(problem))
        }
    }

    /// What to do about a refusal by policy.
    private static func hint(_ problem: Problem) -> String? {
        switch problem.code {
        case .denied where problem.reasons.contains { $0.contains("--reason") }:
            "daypass ssh --reason WHY HOST"
        case .denied where problem.reasons.contains { $0.contains("daypass ") }: nil
        case .denied: "daypass status lists what you may reach"
        case .needsLogin: "daypass login"
        case .needsApproval: "to ask for it and go in once it is approved: daypass ssh --request --reason WHY HOST"
        default: nil
        }
    }
}
