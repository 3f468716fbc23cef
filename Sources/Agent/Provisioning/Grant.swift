// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Access of one person to one account of this host, for a time: what comes together and goes together.
public struct Grant: Sendable, Hashable {
    /// Which part of a request this is.
    ///
    /// P0 asks for the parts of one request one by one under one request id; each is a grant of its own here, so that
    /// taking one back leaves the others.
    public enum Part: String, Sendable, CaseIterable {
        /// A grant of ours, complete in itself.
        case whole
        case user, keys, authorities, sudo
    }

    public let id: GrantID
    public let part: Part
    public let account: LocalName
    /// The account is made where the name service doesn't know it.
    public var createsAccount = false
    /// Keys that log in.
    public var keys: [PublicKey] = []
    /// CA keys whose certificates log in, if they have the account's name as a principal (P0's `caPublicKey`).
    public var authorities: [PublicKey] = []
    /// Principals with which certificates of the host's trusted CAs log in.
    public var principals: [ExactText] = []
    public var sudo: SudoRule?
    /// Groups that the account is in meanwhile.
    public var groups: [LocalName] = []
    /// When it begins; nil for at once.
    public var notBefore: UnixTime?
    /// When it ends; nil for P0's that last until they are revoked.
    public var until: UnixTime?

    public init(_ id: GrantID, _ part: Part = .whole, account: LocalName) {
        self.id = id
        self.part = part
        self.account = account
    }

    /// A grant's longest time, in seconds: 366 days. What lasts longer is no grant but an account.
    public static let maximumSeconds: UInt64 = 366 * 86_400

    /// The name of its files, without an ending.
    var fileName: String { part == .whole ? id.fileName : "\(id.fileName)@\(part.rawValue)" }

    /// True when it lets somebody log in.
    var opensAccount: Bool { !keys.isEmpty || !authorities.isEmpty || !principals.isEmpty }

    /// Whether it holds at a time, by the host's clock.
    func holds(at now: UnixTime) -> Bool { (notBefore ?? .always) <= now && now < (until ?? .forever) }

    /// True when its time is over.
    func isOver(at now: UnixTime) -> Bool { now >= (until ?? .forever) }
}
