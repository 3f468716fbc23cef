// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension Identity {
    /// Who runs this process: `local:` and the account's name, else its number.
    public static var localAccount: Identity {
        get throws(CertAuthorityError) {
            let number = getuid()
            if let entry = unsafe getpwuid(number), let name = unsafe entry.pointee.pw_name {
                if let identity = try? Identity("local:\(unsafe String(cString: name))", field: "account") {
                    return identity
                }
            }
            return try Identity("local:uid=\(number)", field: "account")
        }
    }
}
