// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension FuzzTarget {
    /// Every target, one a parser.
    public static let all: [FuzzTarget] =
        [
            certificate, publicKey, publicKeyLine, signature, privateKeyFile, privateKeyBlob, privateKeyDER,
            revocationList, sshsig, sshsigArmoured, agentReply, addressList, hostPattern,
            authorizedKeys, principals, knownHosts, allowedSigners, timestamp,
            signedNote, verifierKey, checkpoint, loggedProof, checkpointUpdate, tilePath, hashTile,
            entryBundle,
            frontier,
            logEntry, configuration, accessPolicy, timeSpan, requestText, json, idToken, sessionReport,
            sessionRecord, webSocket, rpcMessage, httpHead, jsonWebKey, tunnelURL,
            trustStatement, registration, form,
        ] + ofHosts

    #if os(Linux)
        private static let ofHosts: [FuzzTarget] = [
            sshdLog, journalLine, sshdConfiguration, hostOperation, agentSettings,
        ]
    #else
        private static let ofHosts: [FuzzTarget] = []
    #endif
}
