// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where the session hook's PAM module lies.
public enum SessionModule {
    /// The module's file name.
    public static let name = "pam_daypass.so"

    /// The folders in which Linux-PAM looks, by distribution: Debian's per architecture, RHEL's, others'.
    static let folders = [
        "/usr/lib/x86_64-linux-gnu/security", "/usr/lib/aarch64-linux-gnu/security", "/usr/lib64/security",
        "/usr/lib/security", "/lib/x86_64-linux-gnu/security", "/lib/aarch64-linux-gnu/security",
        "/lib64/security",
        "/lib/security",
    ]

    /// The installed module's absolute path; nil where there is none.
    public static func find() -> String? {
        folders.map { "\($0)/\(name)" }.first { unsafe access($0, F_OK) == 0 }
    }

    /// How a PAM service file names the module: by its path where PAM would not find it.
    static func argument(_ path: String) -> String {
        folders.contains { path == "\($0)/\(name)" } ? name : path
    }

    /// True when a service file has a line with the module.
    static func isNamed(in content: [UInt8]) -> Bool {
        content.split(separator: UInt8(ascii: "\n")).contains { line in
            line.first { $0 != 0x20 && $0 != 0x09 } != UInt8(ascii: "#")
                && String(decoding: line, as: UTF8.self).contains(name)
        }
    }
}
