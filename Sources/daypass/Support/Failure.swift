// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CommandSupport
import TransparencyLog

extension Failure {
    /// Tells what happened on standard error and ends the process.
    static func exit(_ error: any Error) -> Never { exit(error, root: Daypass.self, translate: translate) }

    /// What to tell about `error`, without its hint.
    static func reason(of error: any Error) -> String {
        Failure(describing: error, root: Daypass.self, translate: translate).reason
    }

    private static func translate(_ error: any Error) -> Failure? {
        switch error {
        case let error as CertAuthorityError:
            Failure(
                error.code == .invalidRequest ? ExitStatus.usage : ExitStatus.failed, error.reason,
                hint: error.hint)
        case let error as TransparencyLogError: Failure(ExitStatus.failed, error.reason)
        default: nil
        }
    }
}
