// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    public import Darwin
#elseif canImport(Glibc)
    public import Glibc
#elseif canImport(Musl)
    public import Musl
#endif

/// A folder of its own for one test, with mode 0700, which goes with its last reference.
///
/// It is made under /tmp whatever `TMPDIR` says, because a Unix socket's path holds 107 bytes at most.
public final class TemporaryFolder: Sendable {
    /// Its absolute path, without a slash at the end.
    public let path: String

    /// - Throws: ``TestSupportError`` when it cannot be made.
    public init() throws {
        var template = Array("/tmp/daypass-test-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw TestSupportError.system("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { removeTree(path) }

    /// The path of something in it, which need not exist.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes or replaces a file; its mode is `mode` whatever the umask is.
    ///
    /// - Returns: its path.
    @discardableResult
    public func write(_ bytes: [UInt8], to name: String, mode: mode_t = 0o600) throws -> String {
        let path = path(name)
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Self.writeSome(file.number, $0) }
            guard count > 0 || (count < 0 && errno == EINTR) else {
                throw TestSupportError.system("write \(path)")
            }
            rest = rest.dropFirst(max(0, count))
        }
        try setMode(mode, of: name)
        return path
    }

    /// Makes or replaces a file of text; its mode is `mode` whatever the umask is.
    ///
    /// - Returns: its path.
    @discardableResult
    public func write(_ text: String, to name: String, mode: mode_t = 0o600) throws -> String {
        try write(Array(text.utf8), to: name, mode: mode)
    }

    /// All bytes of a file.
    public func read(_ name: String) throws -> [UInt8] { try readWholeFile(path(name)) }

    /// A file as text; bytes that are not UTF-8 become replacement characters.
    public func readText(_ name: String) throws -> String { String(decoding: try read(name), as: UTF8.self) }

    /// Makes a folder in it.
    ///
    /// - Returns: its path.
    @discardableResult
    public func makeFolder(_ name: String, mode: mode_t = 0o700) throws -> String {
        guard unsafe mkdir(path(name), mode) == 0 else {
            throw TestSupportError.system("mkdir \(path(name))")
        }
        try setMode(mode, of: name)
        return path(name)
    }

    /// Sets permission bits; `name` "." is the folder itself.
    public func setMode(_ mode: mode_t, of name: String) throws {
        guard unsafe chmod(path(name), mode) == 0 else {
            throw TestSupportError.system("chmod \(path(name))")
        }
    }

    /// The permission bits of a file or folder in it.
    public func mode(of name: String) throws -> mode_t {
        var status = stat()
        guard unsafe lstat(path(name), &status) == 0 else {
            throw TestSupportError.system("lstat \(path(name))")
        }
        return status.st_mode & 0o7777
    }

    /// True when something has that name, a dangling symbolic link too.
    public func contains(_ name: String) -> Bool {
        var status = stat()
        return unsafe lstat(path(name), &status) == 0
    }

    private static func writeSome(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Darwin)
            unsafe Darwin.write(descriptor, bytes.baseAddress, bytes.count)
        #elseif canImport(Glibc)
            unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        #elseif canImport(Musl)
            unsafe Musl.write(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }
}

/// Makes a ``TemporaryFolder``, and removes it when `body` has returned or thrown.
public func withTemporaryFolder<Result>(_ body: (TemporaryFolder) throws -> Result) throws -> Result {
    let folder = try TemporaryFolder()
    return try withExtendedLifetime(folder) { try body(folder) }
}

/// Makes a ``TemporaryFolder``, and removes it when `body` has returned or thrown.
public func withTemporaryFolder<Result>(_ body: (TemporaryFolder) async throws -> Result) async throws
    -> Result
{
    let folder = try TemporaryFolder()
    let result = try await body(folder)
    withExtendedLifetime(folder) {}
    return result
}
