// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

/// The folder of the host's key: `jwk.private.json`, mode 0600 from its first byte on, and `jwk.public.json`.
public struct KeyFolder: Sendable {
    public let path: String

    public static let privateName = "jwk.private.json"
    public static let publicName = "jwk.public.json"

    private let files = SystemFiles()

    public init(_ path: String) { self.path = path }

    public var privatePath: String { "\(path)/\(Self.privateName)" }
    public var publicPath: String { "\(path)/\(Self.publicName)" }

    /// Makes a key and writes both files; the folder too when it isn't there, mode 0700, and the one that it lies in, 0755:
    /// on a new host `/etc/daypass` is made by whatever comes first.
    ///
    /// - Parameter replacing: an existing key is given up; the server knows this host no longer until it gets the new one.
    /// - Throws: `.conflict` when there is a key already.
    public func generate(replacing: Bool) throws(AgentError) -> HostKey {
        if try files.folder(path) == nil {
            if let slash = path.lastIndex(of: "/"), slash > path.startIndex,
                try files.folder(String(path[..<slash])) == nil
            {
                try files.makeFolder(String(path[..<slash]), owned(0o755))
            }
            try files.makeFolder(path, owned(0o700))
        }
        if !replacing, try files.kind(privatePath) != nil {
            throw AgentError(
                .conflict, "\(privatePath.escapedForTerminal): there is a key already",
                hint: "daypass-agent keygen --force makes a new one; the server must be told")
        }
        let key = try understand("key") { () throws(ControlProtocolError) in try HostKey.generate() }
        let secret = FileContent(Array(key.secretFileText.utf8), owned(0o600))
        if replacing { try files.replace(privatePath, secret) } else { try files.create(privatePath, secret) }
        try files.replace(publicPath, FileContent(Array(key.publicKey.fileText.utf8), owned(0o644)))
        return key
    }

    // MARK: Another key

    /// A key that is to take the place of the one that is there, and is not used yet; on disk before anybody hears of it.
    private var nextPath: String { "\(path)/\(Self.privateName).next" }

    /// The key that is to come next: the one that was prepared before, else a new one.
    public func prepareNext() throws(AgentError) -> HostKey {
        if let prepared = try next() { return prepared }
        let key = try understand("key") { () throws(ControlProtocolError) in try HostKey.generate() }
        try files.create(
            nextPath,
            FileContent(Array(key.secretFileText.utf8), owned(0o600)))
        return key
    }

    /// Puts the prepared key in its place, as the server knows it now. Broken off after its first step, ``load()`` does the rest.
    public func adoptNext() throws(AgentError) {
        guard let key = try next() else { return }
        try files.replace(
            publicPath,
            FileContent(Array(key.publicKey.fileText.utf8), owned(0o644)))
        try files.rename(nextPath, to: privatePath)
    }

    private func next() throws(AgentError) -> HostKey? {
        try files.kind(nextPath) == nil ? nil : privateKey(nextPath)
    }

    // MARK: Reading

    /// Reads the key.
    ///
    /// - Throws: `.notFound` without one, `.unsafeFile` when others than its owner may read it or it isn't root's or
    ///   ours, `.damaged` when it can't be read or the public file is another key's.
    public func load() throws(AgentError) -> HostKey {
        let key = try privateKey(privatePath)
        guard let publicFile = try files.read(publicPath, maximumBytes: JSONWebKey.maximumBytes) else {
            throw AgentError(.notFound, "\(publicPath.escapedForTerminal): it is missing")
        }
        let publicKey = try? JSONWebKey(parsing: publicFile.bytes)
        if publicKey == key.publicKey { return key }
        // Only a key that the server has taken is the public file's.
        if let next = try next(), next.publicKey == publicKey {
            try adoptNext()
            return next
        }
        throw AgentError(
            .damaged, "\(publicPath.escapedForTerminal): not the public half of \(Self.privateName)")
    }

    private func owned(_ mode: UInt32) -> FileAttributes {
        FileAttributes(mode: mode, owner: geteuid(), group: getegid())
    }

    private func privateKey(_ privatePath: String) throws(AgentError) -> HostKey {
        guard let file = try files.read(privatePath, maximumBytes: JSONWebKey.maximumBytes) else {
            throw AgentError(
                .notFound, "\(privatePath.escapedForTerminal): there is no key",
                hint: "daypass-agent keygen makes one")
        }
        guard file.attributes.mode & 0o077 == 0,
            file.attributes.owner == 0 || file.attributes.owner == geteuid()
        else {
            throw AgentError(
                .unsafeFile,
                "\(privatePath.escapedForTerminal): others than its owner may read it, or it is somebody else's",
                hint: "chmod 600 \(privatePath.escapedForTerminal)")
        }
        do {
            return try HostKey(parsing: file.bytes)
        } catch {
            throw AgentError(.damaged, "\(privatePath.escapedForTerminal): \(error.reason)")
        }
    }
}
