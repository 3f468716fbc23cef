// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Names with `*` and `?` in them, as host certificates may have.
public enum HostPattern {
    /// True when `name` has the form of `pattern`; letter case counts. An empty name has no form: `match_pattern` lets
    /// `*` match it, but no host is called so.
    ///
    /// Takes at most pattern × name steps: a star that fails later is only ever retried from the last star, where
    /// OpenSSH's `match_pattern` recursed and took exponential time until 10.4.
    public static func matches(_ pattern: ExactText, _ name: ExactText) -> Bool {
        let pattern = Array(pattern.string.utf8)
        let name = Array(name.string.utf8)
        guard !name.isEmpty else { return false }
        var (p, n) = (0, 0)
        var retry: (pattern: Int, name: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                retry = (p + 1, n)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == name[n] {
                p += 1
                n += 1
            } else if let last = retry {
                retry = (last.pattern, last.name + 1)
                (p, n) = (last.pattern, last.name + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
