// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

import SSHWire

extension CertAuthorityError {
    /// A system call on `path` failed with `number`.
    static func system(_ what: String, _ path: String, _ number: Int32, hint: String? = nil)
        -> CertAuthorityError
    {
        let code: Code = number == ENOSPC || number == EDQUOT ? .storeFull : .file
        return CertAuthorityError(
            code, "\(what) \(path.escapedForTerminal): \(describeSystemError(number))", hint: hint)
    }
}

/// The system's words for an error number.
public func describeSystemError(_ number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text).lowercased()
}
