// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A key revocation list's bytes that were read to their end and found to be what every sshd loads.
///
/// sshd refuses every key when the file is broken, and `sshd -t` doesn't look at it: a list is made of good bytes or
/// not at all.
public struct RevocationFile: Sendable, Hashable {
    /// What is installed.
    public let bytes: [UInt8]
    public let list: KeyRevocationList

    /// - Throws: `.damaged` for anything else than a list that sshd loads: empty or cut off, a page of HTML, a signed
    ///   list, a bitmap over 16,384 bits.
    public init(_ bytes: [UInt8], name: String) throws(AgentError) {
        guard !bytes.isEmpty else {
            throw AgentError(.damaged, "\(name.escapedForTerminal): empty, which is no key revocation list")
        }
        do throws(SSHWireError) {
            list = try KeyRevocationList(encoded: bytes)
        } catch {
            throw AgentError(
                .damaged,
                "\(name.escapedForTerminal): no key revocation list that sshd would load: \(error.reason)",
                hint: "make one with ssh-keygen -k or daypass krl build")
        }
        guard !list.holdsExtensions else {
            throw AgentError(
                .damaged,
                "\(name.escapedForTerminal): it holds extensions, which sshd before 9.4 refuses with the list"
            )
        }
        self.bytes = bytes
    }

    /// Encodes a list.
    init(_ list: KeyRevocationList) throws(AgentError) {
        do throws(SSHWireError) {
            bytes = try list.checkedEncoding()
        } catch {
            throw AgentError(.damaged, "key revocation list: \(error.reason)")
        }
        self.list = list
    }

    /// A list that revokes nothing, of version 0: every list of an authority is newer.
    static func empty(unixSeconds: UInt64) throws(AgentError) -> RevocationFile {
        try RevocationFile(
            KeyRevocationList.Builder(version: 0, generatedUnixSeconds: unixSeconds).build())
    }

    /// What a file that `RevokedKeys` names revokes: a list, or a text file of public keys, one a line, of whatever size.
    static func parse(_ content: [UInt8], name: String) throws(AgentError) -> KeyRevocationList {
        if content.starts(with: Array("SSHKRL\n".utf8)) {
            return try RevocationFile(content, name: name).list
        }
        var builder = KeyRevocationList.Builder(version: 0, generatedUnixSeconds: 0)
        var number = 0
        for line in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
            guard let type = words.first, type.first != UInt8(ascii: "#") else { continue }
            do throws(SSHWireError) {
                guard words.count > 1 else { throw SSHWireError(.truncated, "no public key") }
                let blob = try Base64.decode("key", String(decoding: words[1], as: UTF8.self))
                let key = try RevokedKey(encoded: blob.span)
                guard key.typeName.string.utf8.elementsEqual(type) else {
                    throw SSHWireError(.typeMismatch, "the line says another type than the key")
                }
                try builder.revoke(key)
            } catch {
                throw AgentError(
                    .conflict, "\(name.escapedForTerminal) line \(number): \(error.reason)",
                    hint: "what sshd cannot read there revokes nobody: mend the file")
            }
        }
        return builder.build()
    }

    /// This list and what another one revokes.
    func adding(_ other: KeyRevocationList, _ unixSeconds: UInt64) throws(AgentError) -> RevocationFile {
        let merged: KeyRevocationList
        do throws(SSHWireError) {
            var builder = try KeyRevocationList.Builder(
                extending: list, version: list.version, generatedUnixSeconds: unixSeconds)
            for section in other.certificates {
                for range in section.serials.ranges { try builder.revoke(serials: range, of: section.scope) }
                for keyID in section.keyIDs { try builder.revoke(keyID: keyID, of: section.scope) }
            }
            for key in other.keys { try builder.revoke(key) }
            for digest in other.sha1Digests { try builder.revoke(sha1: digest) }
            for digest in other.sha256Digests { try builder.revoke(sha256: digest) }
            merged = builder.build()
        } catch {
            throw AgentError(.damaged, "key revocation list: \(error.reason)")
        }
        return try RevocationFile(merged)
    }

    /// Refuses to go back: to an older version, or to fewer revocations of the same version.
    func checkSuccession(of installed: KeyRevocationList) throws(AgentError) {
        guard list.version >= installed.version else {
            throw AgentError(
                .conflict,
                "key revocation list: version \(list.version) is older than \(installed.version), which is "
                    + "installed", hint: "get the authority's newest list")
        }
        guard list.version > installed.version || list.revokesAll(of: installed) else {
            throw AgentError(
                .conflict,
                "key revocation list: version \(list.version) is installed and revokes what this list of the same "
                    + "version does not",
                hint: "make the list with a higher version (ssh-keygen -k -z VERSION)")
        }
    }
}

extension KeyRevocationList {
    /// True when this list revokes whatever `other` names.
    func revokesAll(of other: KeyRevocationList) -> Bool {
        Set(keys).isSuperset(of: other.keys) && Set(sha1Digests).isSuperset(of: other.sha1Digests)
            && Set(sha256Digests).isSuperset(of: other.sha256Digests)
            && other.certificates.allSatisfy { section in
                guard let own = certificates.first(where: { $0.scope == section.scope }) else {
                    return section.serials.isEmpty && section.keyIDs.isEmpty
                }
                return Set(own.keyIDs).isSuperset(of: section.keyIDs)
                    && section.serials.ranges.allSatisfy {
                        own.serials.range(holding: $0.lowerBound)?.contains($0.upperBound) ?? false
                    }
            }
    }
}
