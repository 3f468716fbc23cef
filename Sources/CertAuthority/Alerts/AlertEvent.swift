// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What an alert is about, in the words of settings, lists and webhooks.
public enum AlertEvent: String, Sendable, Hashable, CaseIterable {
    /// Somebody logged in by a plain key.
    case staticKey = "static-key"
    /// Somebody logged in by a password or another method without a key.
    case noKey = "no-key"
    /// A certificate by this authority's key of which no issuance is known: somebody else has the key.
    case neverIssued = "never-issued"
    /// A certificate that says something else than its issuance.
    case notAsIssued = "not-as-issued"
    /// A certificate of another authority.
    case otherAuthority = "other-authority"
    /// A certificate that was used after it was revoked.
    case revoked
    /// A login of which sshd's words can't be read.
    case unreadable
    /// A host's records have a gap, were changed, or began anew.
    case gap
    case hostSilent = "host-silent"
    /// A host that was silent reports again.
    case hostBack = "host-back"
    case clockOff = "clock-off"
    /// A clock that was off is right again.
    case clockRight = "clock-right"
    /// A host does not cosign the log's checkpoint: it saw another log.
    case logRefused = "log-refused"
    /// A host that refused the log cosigns it again.
    case logCosigned = "log-cosigned"
    /// Somebody took access without approval, as the policy lets them in an emergency.
    case breakGlass = "break-glass"
    /// Alerts that a webhook never got.
    case undelivered
    /// An administrator tried whether alerts arrive.
    case test

    /// True for what says that something is over.
    public var isAllClear: Bool { self == .hostBack || self == .clockRight || self == .logCosigned }
}

extension AlertEvent {
    /// What an entry of the log raises; nil for what nobody has to look at.
    public init?(_ event: LogEntry.Event) {
        switch event {
        case .hostEvent(let record):
            guard let found = Self(record.match) ?? (record.hasGap ? .gap : nil) else { return nil }
            self = found
        case .alert(let record):
            switch record.subject {
            case .hostSilent: self = record.isPresent ? .hostSilent : .hostBack
            case .clockOff: self = record.isPresent ? .clockOff : .clockRight
            case .logRefused: self = record.isPresent ? .logRefused : .logCosigned
            case .undelivered: self = .undelivered
            case .test: self = .test
            }
        case .request(let record):
            guard record.grantedUntil.seconds > 0 else { return nil }
            self = .breakGlass
        default: return nil
        }
    }

    private init?(_ match: HostEventRecord.Match) {
        switch match {
        case .none, .issued: return nil
        case .staticKey: self = .staticKey
        case .noKey: self = .noKey
        case .unknown: self = .neverIssued
        case .different: self = .notAsIssued
        case .foreign: self = .otherAuthority
        case .revoked: self = .revoked
        case .unreadable: self = .unreadable
        }
    }
}
