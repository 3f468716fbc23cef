// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// Answers the packets of `daypass-session authorize` out of the host's files, which it reads again at each question.
///
/// It belongs to one loop: no two questions at a time.
public final class AuthorizeAnswers {
    static let maximumBytes = AuthorizeRequest.maximumBytes

    private let files: any HostFiles
    private let layout: HostLayout
    /// What the files held at the last question and the judge that came of it: a list of 100,000 takes a while to parse.
    private var latest: (authorities: [UInt8]?, revocations: [UInt8]?, judge: AuthorizeJudge)?

    public init(_ files: any HostFiles, _ layout: HostLayout) {
        self.files = files
        self.layout = layout
    }

    /// The answer to a packet, as bytes; what cannot be read or understood is denied, as sshd does with its own list.
    public func answer(_ packet: [UInt8]) -> [UInt8] { decide(packet).answer.encoded }

    /// The answer to a packet, and the account that it is about where it could be read.
    func decide(_ packet: [UInt8]) -> (account: String?, answer: AuthorizeAnswer) {
        let request: AuthorizeRequest
        do throws(ControlProtocolError) {
            request = try AuthorizeRequest(parsing: packet)
        } catch {
            return (nil, .deny(error.reason))
        }
        do throws(AgentError) {
            return (request.account, try judge().judge(request))
        } catch {
            return (request.account, .deny(error.reason))
        }
    }

    private func judge() throws(AgentError) -> AuthorizeJudge {
        let authorities = try files.read(layout.userCAKeys)?.bytes
        // As large as trust install takes them: what is too large to read here would be everybody's refusal.
        let revocations = try files.read(layout.revokedKeys, maximumBytes: Limits.krlBytes)?.bytes
        if let latest, latest.authorities == authorities, latest.revocations == revocations {
            return latest.judge
        }
        let judge: AuthorizeJudge
        do throws(SSHWireError) {
            let keys = try AuthorizedKeysFile(authorities ?? []).entries.map(\.entry.key)
            var list: KeyRevocationList?
            if let revocations { list = try KeyRevocationList(encoded: revocations) }
            judge = AuthorizeJudge(authorities: Set(keys), revocations: list)
        } catch {
            throw AgentError(.damaged, error.reason)
        }
        latest = (authorities, revocations, judge)
        return judge
    }
}
