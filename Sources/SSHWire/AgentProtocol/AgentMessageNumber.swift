// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The first byte of a message (draft-ietf-sshm-ssh-agent, section 6.1).
enum AgentMessageNumber: UInt8 {
    case failure = 5
    case success = 6
    case requestIdentities = 11
    case identitiesAnswer = 12
    case signRequest = 13
    case signResponse = 14
    case addIdentity = 17
    case removeIdentity = 18
    case removeAllIdentities = 19
    case addIdentityConstrained = 25
    case extensionFailure = 28
    /// `SSH2_AGENT_FAILURE` in OpenSSH's authfd.h, which takes it and the next one for a failure too.
    case failureOfSSH2 = 30
    /// `SSH_COM_AGENT2_FAILURE`.
    case failureOfAgent2 = 102
}

extension SignatureAlgorithm {
    /// What a sign request's flags say about the algorithm (draft-ietf-sshm-ssh-agent, section 3.6.1): only RSA keys
    /// have a choice.
    var agentFlags: UInt32 {
        switch self {
        case .rsaSHA256: 2
        case .rsaSHA512: 4
        case .ed25519, .ecdsaP256, .ecdsaP384, .ecdsaP521, .skEd25519, .skECDSAP256: 0
        }
    }
}
