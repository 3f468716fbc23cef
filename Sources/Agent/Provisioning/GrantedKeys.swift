// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import SSHWire

/// The file of keys that sshd reads for one account: made of the grants that are in force, and of nothing else.
struct GrantedKeys {
    /// The CAs that sshd trusts, for grants by principal.
    let authorities: [PublicKey]
    /// False for sshd before 9.1, which reads times in the host's own zone alone (misc.c, `parse_absolute_time`).
    let knowsUTC: Bool

    private static let heading =
        "# Made by daypass-agent of the grants in force. What is changed here is changed back.\n"

    /// The file's content; nil where no grant opens the account.
    func content(_ grants: [Grant]) throws(AgentError) -> [UInt8]? {
        var text = Self.heading
        var isEmpty = true
        for grant in grants.sorted(by: { ($0.id, $0.part.rawValue) < ($1.id, $1.part.rawValue) })
        where grant.opensAccount {
            for line in try lines(grant) {
                text += line + "\n"
                isEmpty = false
            }
        }
        return isEmpty ? nil : Array(text.utf8)
    }

    private func lines(_ grant: Grant) throws(AgentError) -> [String] {
        var lines: [String] = []
        do throws(SSHWireError) {
            var end: [KeyOption] = []
            // sshd's own second line of defence (OpenSSH 7.7 and later).
            if let until = grant.until { end = [.expiryTime(try timestamp(until))] }
            let comment = ExactText("daypass grant \(grant.id)")
            for key in grant.keys {
                lines.append(try AuthorizedKey(key, options: try KeyOptions(end), comment: comment).line)
            }
            for key in grant.authorities {
                let options = [.certAuthority, .principals([ExactText(grant.account.text)])] + end
                lines.append(try AuthorizedKey(key, options: try KeyOptions(options), comment: comment).line)
            }
            for key in authorities where !grant.principals.isEmpty {
                let options = [.certAuthority, .principals(grant.principals)] + end
                lines.append(try AuthorizedKey(key, options: try KeyOptions(options), comment: comment).line)
            }
        } catch {
            throw AgentError(.invalidRequest, "grant \(grant.id): \(error.reason)")
        }
        return lines
    }

    private func timestamp(_ time: UnixTime) throws(SSHWireError) -> TimestampText {
        if knowsUTC { return try TimestampText(time) }
        // A zone's clock shows some hour twice a year: sshd may then be an hour late, and our own removal is not.
        var seconds = time_t(clamping: time.seconds)
        var local = unsafe tm()
        guard unsafe localtime_r(&seconds, &local) != nil else { return try TimestampText(time) }
        let shifted = time.seconds.addingReportingOverflow(UInt64(bitPattern: Int64(unsafe local.tm_gmtoff)))
        return try TimestampText(
            String(try TimestampText(UnixTime(seconds: shifted.partialValue)).text.dropLast()))
    }
}

extension Grant {
    /// True when this grant lets in whoever opened a session.
    func opens(_ session: SessionSummary) -> Bool {
        guard session.event.account == account.text else { return false }
        return session.event.methods.contains { method in
            switch method.proof {
            case .key(_, let fingerprint): keys.contains { $0.fingerprint == fingerprint }
            case .certificate(let certificate):
                authorities.contains { $0.fingerprint == certificate.authority.fingerprint }
                    || principals.contains { certificate.principals.contains($0.string) }
            case .unreadable, nil: false
            }
        }
    }
}
