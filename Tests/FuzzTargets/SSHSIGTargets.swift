// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension FuzzTarget {
    /// An SSHSIG signature without its armour; the message is "fuzz".
    static let sshsig = FuzzTarget("sshsig", maximumBytes: 8 << 10) { input throws(BrokenProperty) in
        guard let signature = try attempt({ try SSHSignature(encoded: input) }) else { return .refused }
        try require(signature.encoded == input, "a signature has one encoding")
        let again = try attempt { try SSHSignature(armoured: Array(signature.armoured.utf8)) }
        try require(again == signature, "an armoured signature is read back")
        func isValid(_ text: String, _ namespace: ExactText) throws(BrokenProperty) -> Bool {
            try attempt {
                try signature.verify(Array(text.utf8), namespace: namespace, presence: .notRequired)
            } != nil
        }
        let isSigned = try isValid("fuzz", signature.namespace)
        let isForAnything = try isValid("fuzz", ExactText(signature.namespace.string + "x"))
        try require(!isForAnything, "a signature is for one namespace")
        let isOverOther = try isValid("fuzz?", signature.namespace)
        try require(!isOverOther || !isSigned, "a signature is over one message")
        try judge(signature, isSigned: isSigned)
        return .accepted
    }

    /// An SSHSIG signature in its armour.
    static let sshsigArmoured = FuzzTarget("sshsig-armoured") { input throws(BrokenProperty) in
        guard let signature = try attempt({ try SSHSignature(armoured: input) }) else { return .refused }
        let text = Array(signature.armoured.utf8)
        try require(
            try attempt { try SSHSignature(armoured: text) } == signature,
            "an armoured signature is read back")
        try require(
            try attempt { try SSHSignature(encoded: signature.encoded) } == signature,
            "a signature is read back")
        return .accepted
    }

    /// An allowed-signers file.
    static let allowedSigners = FuzzTarget("allowed-signers") { input throws(BrokenProperty) in
        guard let file = try read(TextFile<AllowedSigner>.self, input),
            let signers = try attempt({ try AllowedSigners(input) })
        else { return .refused }
        for (_, entry) in file.entries.prefix(16) {
            let name = entry.principals.patterns.first ?? ""
            let question = AllowedSigners.Question(
                principal: name, namespace: "file", time: UnixTime(seconds: 1_800_000_000), zoneOffset: 3_600)
            switch signers.judge(.key(entry.key), question) {
            case .allowed(let line, _):
                let allowing = file.entries.first { $0.number == line }?.entry
                try require(allowing?.key == entry.key, "the line that allows a key has the key")
                try require(allowing?.isCertAuthority == false, "an authority's key signs nothing itself")
            case .refused(let refusals):
                for refusal in refusals { try requireOneLine("\(refusal)", "a refusal") }
            }
            _ = signers.principals(of: .key(entry.key), at: question.time)
        }
        return file.entries.isEmpty ? .refused : .accepted
    }

    /// Asks a file that allows everything to this very signer, so that every rule is reached.
    private static func judge(
        _ signature: SSHSignature, isSigned: Bool
    ) throws(BrokenProperty) {
        let key: PublicKey
        var (principal, time) = ("fuzz" as ExactText, UnixTime(seconds: 1_800_000_000))
        let isCertificate: Bool
        switch signature.signer {
        case .key(let plain): (key, isCertificate) = (plain, false)
        case .certificate(let certificate):
            (key, isCertificate) = (certificate.fields.signatureKey, true)
            time = certificate.fields.validAfter
            principal = certificate.fields.principals.first ?? principal
        }
        let file = try attempt {
            let line = try AllowedSigner(
                principals: try PatternList(["*"], "principals"), key: key, isCertAuthority: isCertificate)
            return try AllowedSigners(Array(line.line.utf8))
        }
        guard let file else { throw BrokenProperty("a line for any key is read") }
        let question = AllowedSigners.Question(
            principal: principal, namespace: signature.namespace, time: time)
        switch file.judge(signature, over: Array("fuzz".utf8), question) {
        case .allowed: try require(isSigned, "what is allowed is signed")
        case .refused(let refusals):
            for refusal in refusals { try requireOneLine("\(refusal)", "a refusal") }
        }
        guard case .refused = AllowedSigners().judge(signature, over: Array("fuzz".utf8), question) else {
            throw BrokenProperty("an empty file allows nobody")
        }
    }
}
