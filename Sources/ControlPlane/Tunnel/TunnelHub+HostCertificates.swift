// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire

extension TunnelHub {
    /// Issues a host a certificate for the key of its sshd that it names.
    func certify(_ params: JSONValue, of host: EnrolledHost) async throws -> JSONValue {
        let wish = try HostCertificateRequest(json: params)
        let issued = try await fleet.certify(wish.key, of: host)
        return HostCertificateAnswer(certificate: issued.certificate, removed: issued.removed).json
    }
}
