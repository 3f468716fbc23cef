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

    /// What a host prints to be enrolled, in whichever form.
    static let registration = FuzzTarget(
        "registration", maximumBytes: RegistrationRequest.maximumBytes
    ) { input throws(BrokenProperty) in
        guard let request = try attempt({ try RegistrationRequest(parsing: input) }) else { return .refused }
        let value = try attempt { try RegistrationRequest.value(parsing: input) }
        guard let value else { throw BrokenProperty("what is understood is handed on") }
        let again = try attempt { try RegistrationRequest(json: value) }
        try require(again == request, "what is handed on says the same")
        let names = 1...RegistrationRequest.maximumNameBytes
        try require(names.contains(request.hostName.utf8.count), "a name has bounds")
        try require(
            !request.hostName.holdsControlCharacters
                && !request.labels.contains { $0.holdsControlCharacters },
            "what is shown acts on no terminal")
        guard let wish = try attempt({ try EnrolmentRequest(value, replaces: true) }) else {
            throw BrokenProperty("what is understood can be vouched for")
        }
        let sent = try attempt { try EnrolmentRequest(json: wish.json) }
        try require(sent == wish, "an enrolment is read back")
        return .accepted
    }
}
