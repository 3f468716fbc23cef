// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// One thing that a plan changes on a host.
public enum HostChange: Sendable, Hashable {
    /// A folder that is made, gets other attributes, or is removed (`after` nil), which one with something in it is not:
    /// it stays, and that is no failure.
    case folder(path: String, before: FileAttributes?, after: FileAttributes?)
    /// A file that is made, replaced or removed (`after` nil). `before` is what the plan was made for: the change is
    /// refused when something else is there by then.
    case file(path: String, before: FileContent?, after: FileContent?)

    public var path: String {
        switch self {
        case .folder(let path, _, _): path
        case .file(let path, _, _): path
        }
    }
}

/// What will be changed on a host, in this order, and why. Making one changes nothing.
public struct Plan: Sendable, Hashable {
    /// A change and its purpose, one line.
    public struct Step: Sendable, Hashable {
        public let change: HostChange
        public let purpose: String

        public init(_ change: HostChange, _ purpose: String) {
            self.change = change
            self.purpose = purpose
        }
    }

    public let steps: [Step]
    /// What people should know before they agree: one line each, escaped.
    public let notes: [String]

    public init(_ steps: [Step], notes: [String] = []) {
        self.steps = steps
        self.notes = notes
    }

    /// True when the host is as it should be.
    public var isEmpty: Bool { steps.isEmpty }
}
