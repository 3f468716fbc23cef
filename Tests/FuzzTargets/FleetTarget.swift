// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension FuzzTarget {
    /// A statement about the CAs that hosts take.
    static let trustStatement = FuzzTarget("trust-statement") { input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self),
            let statement = try attempt({ try TrustStatement(parsing: text) })
        else { return .refused }
        try require(statement.text == text, "what was signed is kept as it came")
        try require(statement.version > 0 && !statement.authorities.isEmpty, "it says something")
        let again = try attempt {
            try TrustStatement(version: statement.version, authorities: statement.authorities)
        }
        try require(again?.authorities == statement.authorities, "its CAs can be said again")
        try require(again?.changes(from: statement).added.isEmpty == true, "and are the same")
        return .accepted
    }
}
