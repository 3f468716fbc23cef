// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

extension AgentError {
    /// A system call on `path` failed with `number`.
    static func system(_ what: String, _ path: String, _ number: Int32 = errno, hint: String? = nil)
        -> AgentError
    {
        AgentError(
            number == ENOSPC || number == EDQUOT ? .full : .file,
            "\(what) \(path.escapedForTerminal): \(describeSystemError(number))", hint: hint)
    }
}

/// The system's words for an error number.
func describeSystemError(_ number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text).lowercased()
}
