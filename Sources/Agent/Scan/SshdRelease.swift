// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Which OpenSSH a host's sshd is.
public struct SshdRelease: Sendable, Hashable {
    public let major: Int
    public let minor: Int
    /// The number behind "p"; 1 where it isn't told.
    public let portable: Int
    /// A distributor's own name for its build: "Debian-2+deb12u10", "Ubuntu-3ubuntu0.10"; nil when it isn't told.
    public let build: String?
    /// True for a program linked with musl.
    public let usesMusl: Bool

    public init(major: Int, minor: Int, portable: Int = 1, build: String? = nil, usesMusl: Bool = false) {
        self.major = major
        self.minor = minor
        self.portable = portable
        self.build = build
        self.usesMusl = usesMusl
    }

    /// Reads "OpenSSH_9.2p1 Debian-2+deb12u10", as banners and `sshd -V` have it; nil for something else.
    public init?(parsing text: String, usesMusl: Bool = false) {
        guard text.hasPrefix("OpenSSH_") else { return nil }
        let words = text.dropFirst(8).split(whereSeparator: { $0 == " " || $0 == "," || $0.isNewline })
        guard let number = words.first else { return nil }
        let parts = number.split(separator: "p", maxSplits: 1)
        let release = (parts.first ?? "").split(separator: ".", omittingEmptySubsequences: false)
        guard release.count >= 2, let major = Self.number(release[0]), let minor = Self.number(release[1])
        else {
            return nil
        }
        self.major = major
        self.minor = minor
        portable = parts.count > 1 ? Self.number(parts[1]) ?? 1 : 1
        build = words.dropFirst().first { $0.contains("-") && $0.first?.isLetter == true }.map(String.init)
        self.usesMusl = usesMusl
    }

    /// At most four digits.
    private static func number(_ text: some StringProtocol) -> Int? {
        text.utf8.count <= 4 && text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) ? Int(text) : nil
    }

    /// "9.2p1 Debian-2+deb12u10".
    public var text: String {
        "\(major).\(minor)p\(portable)" + (build.map { " " + $0.escapedForTerminal } ?? "")
    }

    /// True when this is an older one, without regard to its build.
    public func precedes(_ major: Int, _ minor: Int, portable: Int = 1) -> Bool {
        (self.major, self.minor, self.portable) < (major, minor, portable)
    }
}

extension SshdRelease {
    /// Looks into the program for its own name, which tells more than `sshd -V`: the distributor's build too. Asks the
    /// program where that fails.
    public static func find(
        _ sshd: String, files: any HostFiles = SystemFiles(), programs: any ProgramRunner = SystemPrograms()
    ) -> SshdRelease? {
        let program = (try? files.read(sshd))?.bytes ?? []
        let usesMusl = contains(program, Array("/ld-musl-".utf8))
        // The longest one: the program holds "OpenSSH_9.2" and lists of other releases' names as well.
        let named = names(in: program).compactMap { SshdRelease(parsing: $0, usesMusl: usesMusl) }
            .max { ($0.build == nil ? 0 : 1) < ($1.build == nil ? 0 : 1) }
        if let named, named.build != nil { return named }
        // Releases before 9.2 do not know -V, and name themselves where they complain about it.
        guard let said = try? programs.run(sshd, ["-V"]) else { return named }
        let text = String(decoding: said.errors + said.output, as: UTF8.self)
        for line in text.split(whereSeparator: \.isNewline).prefix(8) {
            if let release = SshdRelease(parsing: String(line), usesMusl: usesMusl) { return release }
        }
        return named
    }

    /// Whole texts in a program that begin with "OpenSSH_" and are one release's name.
    private static func names(in program: [UInt8]) -> [String] {
        let mark = Array("OpenSSH_".utf8)
        var names: [String] = []
        var index = 0
        while names.count < 64, let start = program[index...].firstIndex(of: mark[0]) {
            index = start + 1
            guard program[start...].starts(with: mark), start == 0 || program[start - 1] == 0 else {
                continue
            }
            let text = program[start...].prefix(128).prefix { (0x20..<0x7f).contains($0) }
            // A pattern of releases whose bugs are known, for the other side's sake.
            if !text.contains(UInt8(ascii: "*")) { names.append(String(decoding: text, as: UTF8.self)) }
        }
        return names
    }

    private static func contains(_ program: [UInt8], _ text: [UInt8]) -> Bool {
        // An ELF file names its interpreter within its first pages.
        let beginning = program.prefix(16 << 10)
        return beginning.indices.contains { beginning[$0...].starts(with: text) }
    }
}

/// Debian's order of version numbers (deb-version(7)), for the revision behind the last hyphen.
struct DebianRevision: Comparable {
    let text: String

    static func == (one: Self, other: Self) -> Bool { order(one.text, other.text) == 0 }
    static func < (one: Self, other: Self) -> Bool { order(one.text, other.text) < 0 }

    private static func order(_ one: String, _ other: String) -> Int {
        var (left, right) = (Array(one.utf8)[...], Array(other.utf8)[...])
        while !left.isEmpty || !right.isEmpty {
            while (left.first.map { !isDigit($0) } ?? false) || (right.first.map { !isDigit($0) } ?? false) {
                let (first, second) = (weight(left.first), weight(right.first))
                if first != second { return first - second }
                left = left.dropFirst()
                right = right.dropFirst()
            }
            let (first, second) = (digits(&left), digits(&right))
            if first.count != second.count { return first.count - second.count }
            for (a, b) in zip(first, second) where a != b { return Int(a) - Int(b) }
        }
        return 0
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func digits(_ text: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let digits = text.prefix(while: isDigit)
        text = text.dropFirst(digits.count)
        return digits.drop { $0 == UInt8(ascii: "0") }
    }

    /// "~" before the end, the end before letters, letters before the rest.
    private static func weight(_ byte: UInt8?) -> Int {
        switch byte {
        case UInt8(ascii: "~"): -1
        case nil: 0
        case let byte? where isDigit(byte): 0
        case let byte? where (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte): Int(byte)
        case let byte?: Int(byte) + 256
        }
    }
}
