// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension FuzzTarget {
    /// A form that a browser sends, or a query that a provider sends it back with.
    static let form = FuzzTarget("form", maximumBytes: 1 << 10) { input throws(BrokenProperty) in
        guard let form = try attempt({ try FormFields(parsing: input, maximumBytes: 1 << 10) }) else {
            return .refused
        }
        for name in ["token", "step", "match", "code", "state", "iss", "error"] {
            guard let value = form[name] else { continue }
            try require(!value.holdsControlCharacters, "a field holds no control characters")
            if let code = MatchCode.typed(value) {
                try require(code.utf8.count == MatchCode.digits, "a match code has its digits")
            }
        }
        return .accepted
    }
}
